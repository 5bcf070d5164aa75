namespace AdderNet.Data;

/// <summary>Opens and reads files so that whatever goes wrong is told as a <see cref="DataException"/>.</summary>
internal static class DataFile
{
    public static FileStream Open(string path)
    {
        if (Directory.Exists(path))
        {
            throw new DataException($"{path} is a folder; give a file.");
        }

        try
        {
            return new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 1 << 16, FileOptions.SequentialScan);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new DataException($"{path} does not exist; check the path.", e);
        }
        catch (UnauthorizedAccessException e)
        {
            throw new DataException($"{path} may not be read; check its permissions.", e);
        }
        catch (Exception e) when (e is IOException or ArgumentException or NotSupportedException)
        {
            throw new DataException($"{path} cannot be opened: {OneLine(e)}", e);
        }
    }

    /// <summary>Runs <paramref name="read"/>, which reads <paramref name="path"/>, and tells I/O and decompression failures as data problems.</summary>
    public static T Guard<T>(string path, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (EndOfStreamException e)
        {
            throw new DataException($"{path} is cut short; get it again.", e);
        }
        catch (InvalidDataException e)
        {
            throw new DataException($"{path} is damaged ({OneLine(e).TrimEnd('.')}); get it again.", e);
        }
        catch (IOException e)
        {
            throw new DataException($"{path} cannot be read: {OneLine(e)}", e);
        }
    }

    /// <summary>An exception's message without line breaks.</summary>
    public static string OneLine(Exception e) => e.Message.ReplaceLineEndings(" ");
}
