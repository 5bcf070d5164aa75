using System.Text;

namespace AdderNet.Cli;

/// <summary>What a process writes that is not the first of those that train together: into a file, as soon as it is known which.</summary>
internal sealed class ProcessLog : TextWriter
{
    private readonly StringBuilder before = new();
    private StreamWriter? file;

    public override Encoding Encoding => Encoding.UTF8;

    /// <summary>Goes on in a file, behind what it holds.</summary>
    public void Open(string path)
    {
        try
        {
            // Where the run's folder is on another machine's disk, this one has a folder of the same name for its log.
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            file = new StreamWriter(new FileStream(path, FileMode.Append, FileAccess.Write, FileShare.ReadWrite)) { AutoFlush = true };
            file.Write(before);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // A log is no reason not to train.
            file = StreamWriter.Null;
        }
    }

    public override void Write(char value)
    {
        if (file is null)
        {
            before.Append(value);
        }
        else
        {
            Guarded(() => file.Write(value));
        }
    }

    public override void Write(string? value)
    {
        if (file is null)
        {
            before.Append(value);
        }
        else
        {
            Guarded(() => file.Write(value));
        }
    }

    public override void WriteLine(string? value) => Write(value + Environment.NewLine);

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            Guarded(() => file?.Dispose());
        }

        base.Dispose(disposing);
    }

    private static void Guarded(Action write)
    {
        try
        {
            write();
        }
        catch (IOException)
        {
            // The disk is full, which the first process will tell.
        }
    }
}
