using System.Runtime.InteropServices;

namespace AdderNet.Checkpoints;

/// <summary>
/// Replaces a file as a whole or not at all: whoever reads it, at any moment and after any crash, finds either the old
/// content or the new one.
/// </summary>
public static partial class AtomicFile
{
    /// <summary>
    /// Writes to a temporary file in the same folder, flushes it to the disk, and renames it over <paramref name="path"/>.
    /// If anything fails the temporary file is removed and the old file stays as it was. Temporary files which an earlier,
    /// killed process left behind for the same path are removed too.
    /// </summary>
    /// <param name="path">The file to create or replace; its folder must exist.</param>
    /// <param name="write">Writes the content to a seekable stream. Whatever it throws comes out, I/O errors as
    /// <see cref="CheckpointException"/>.</param>
    /// <exception cref="CheckpointException">The disk is full, or the file cannot be written for another reason.</exception>
    public static void Write(string path, Action<Stream> write)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentNullException.ThrowIfNull(write);
        path = Path.GetFullPath(path);
        string temporary = $"{path}.{Guid.NewGuid():N}.tmp";
        bool renamed = false;
        try
        {
            RemoveAbandoned(path);
            // Sharing only deletion keeps a lock on the file, which tells RemoveAbandoned of another process to leave it, and
            // lets it be renamed while open, so that there is no moment in which it is neither locked nor in place.
            using FileStream stream = new(temporary, FileMode.CreateNew, FileAccess.Write, FileShare.Delete);
            write(stream);
            stream.Flush(flushToDisk: true);
            File.Move(temporary, path, overwrite: true);
            renamed = true;
        }
        catch (Exception e) when (e is (IOException or UnauthorizedAccessException) and not CheckpointException)
        {
            string untouched = File.Exists(path) ? "the previous file is untouched" : "nothing was left behind";
            throw new CheckpointException($"{Reason(e, path)} while writing {path}; {untouched}.", e);
        }
        finally
        {
            if (!renamed) TryDelete(temporary);
        }
        FlushFolder(Path.GetDirectoryName(path)!);
    }

    private static string Reason(Exception e, string path)
    {
        const int enospc = 28, edquot = 122, errorHandleDiskFull = unchecked((int)0x80070027), errorDiskFull = unchecked((int)0x80070070);
        return e switch
        {
            { HResult: enospc or errorDiskFull or errorHandleDiskFull } => "No space left on the disk",
            { HResult: edquot } => "The disk quota is used up",
            DirectoryNotFoundException => $"There is no folder {Path.GetDirectoryName(path)}",
            _ when Directory.Exists(path) => "A folder of that name is in the way",
            UnauthorizedAccessException => "Permission was denied",
            _ => e.Message.TrimEnd('.'),
        };
    }

    private static void RemoveAbandoned(string path)
    {
        string name = Path.GetFileName(path);
        foreach (FileInfo file in new DirectoryInfo(Path.GetDirectoryName(path)!).EnumerateFiles($"{name}.*.tmp"))
        {
            if (!Guid.TryParseExact(file.Name.AsSpan()[(name.Length + 1)..^4], "N", out _)) continue;
            try
            {
                // A file is created, then locked, then filled: an empty one may belong to a write that is just beginning.
                if (file.Length == 0 && DateTime.UtcNow - file.LastWriteTimeUtc < TimeSpan.FromMinutes(1)) continue;
                file.Open(FileMode.Open, FileAccess.ReadWrite, FileShare.None).Dispose();
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                continue;
            }
            TryDelete(file.FullName);
        }
    }

    private static void TryDelete(string path)
    {
        try
        {
            File.Delete(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The error that brought us here says more than this one would.
        }
    }

    // The rename itself survives a power cut only once the folder is on the disk; Windows has no such call and needs none.
    private static void FlushFolder(string folder)
    {
        if (!OperatingSystem.IsLinux() && !OperatingSystem.IsMacOS()) return;
        int descriptor = Open(folder, 0);
        if (descriptor < 0) return;
        _ = FSync(descriptor);
        _ = Close(descriptor);
    }

    [LibraryImport("libc", EntryPoint = "open", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync")]
    private static partial int FSync(int descriptor);

    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int Close(int descriptor);
}
