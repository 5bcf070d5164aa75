namespace AdderNet.Checkpoints;

/// <summary>Writes a folder as a whole or not at all, as <see cref="AtomicFile"/> does a file.</summary>
internal static class AtomicFolder
{
    /// <summary>
    /// Has a folder beside filled, which is then renamed; or, where the folder exists, its files and folders are moved into it, files over
    /// those of the same names. What fails on the way to that leaves nothing behind.
    /// </summary>
    /// <param name="folder">The folder to make or to fill.</param>
    /// <param name="fill">Fills the folder that it is given.</param>
    /// <exception cref="IOException">The folder or something in it cannot be written.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be written.</exception>
    public static void Write(string folder, Action<string> fill)
    {
        string whole = Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder)), made = $"{whole}.{Guid.NewGuid():N}.tmp";
        try
        {
            Directory.CreateDirectory(made);
            fill(made);
            if (!Directory.Exists(whole))
            {
                Directory.Move(made, whole);
                return;
            }

            foreach (string part in Directory.GetDirectories(made))
            {
                Directory.Move(part, Path.Combine(whole, Path.GetFileName(part)));
            }

            foreach (string part in Directory.GetFiles(made))
            {
                File.Move(part, Path.Combine(whole, Path.GetFileName(part)), overwrite: true);
            }
        }
        finally
        {
            if (Directory.Exists(made))
            {
                Directory.Delete(made, recursive: true);
            }
        }
    }
}
