namespace AdderNet.Data;

/// <summary>
/// A file that one process at a time holds. The lock is the system's own on an open file: it ends with the process, however that ends. The
/// file itself stays, for deleting it while another process opens it would let two in.
/// </summary>
internal static class LockFile
{
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(100);

    /// <summary>Waits until no other process holds the file, and holds it until what is returned is disposed.</summary>
    /// <param name="path">The file; its folder is made.</param>
    /// <param name="waiting">Told again and again while another process holds it.</param>
    /// <param name="cancellation">Ends the wait.</param>
    /// <exception cref="IOException">The file can't be written.</exception>
    /// <exception cref="UnauthorizedAccessException">The file can't be written.</exception>
    public static FileStream Hold(string path, Action? waiting, CancellationToken cancellation)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        while (true)
        {
            try
            {
                return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, bufferSize: 1);
            }
            catch (IOException e) when (IsHeld(e))
            {
                waiting?.Invoke();
                cancellation.WaitHandle.WaitOne(Poll);
                cancellation.ThrowIfCancellationRequested();
            }
        }
    }

    // What .NET raises for a file that another process holds: EWOULDBLOCK, by number as the system has it, or Windows' sharing violation.
    private static bool IsHeld(IOException e) =>
        e.GetType() == typeof(IOException) && (OperatingSystem.IsWindows()
            ? (e.HResult & 0xFFFF) is 32 or 33
            : e.HResult is 11 or 35);
}
