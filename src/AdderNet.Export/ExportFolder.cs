using System.Text;
using AdderNet.Checkpoints;

namespace AdderNet.Export;

/// <summary>Files that are made before any is written, so that a network that cannot be exported leaves nothing behind.</summary>
internal sealed class ExportFolder
{
    private readonly Dictionary<string, byte[]> files = [];
    private readonly Dictionary<string, string> copies = [];

    public void Add(string name, string text) => files.Add(name, Encoding.UTF8.GetBytes(text));

    /// <summary>Adds a file that lies in this assembly.</summary>
    public void AddResource(string name, string resource)
    {
        using Stream stream = typeof(ExportFolder).Assembly.GetManifestResourceStream(resource)
            ?? throw new InvalidOperationException($"The assembly lacks {resource}.");
        using MemoryStream copy = new();
        stream.CopyTo(copy);
        files.Add(name, copy.ToArray());
    }

    public void Add(string name, byte[] content) => files.Add(name, content);

    /// <summary>Adds a copy of a file, which may be run where the file may.</summary>
    public void AddCopy(string path) => copies.Add(Path.GetFileName(path), path);

    /// <summary>
    /// Writes all files or none: into a folder beside, which is renamed; or, where the folder exists, file by file over those of the same
    /// names, and others stay.
    /// </summary>
    /// <exception cref="CheckpointException">The folder or a file cannot be written.</exception>
    public void Write(string folder)
    {
        try
        {
            AtomicFolder.Write(folder, made =>
            {
                foreach ((string name, byte[] content) in files)
                {
                    File.WriteAllBytes(Path.Combine(made, name), content);
                }

                foreach ((string name, string path) in copies)
                {
                    File.Copy(path, Path.Combine(made, name));
                }
            });
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            folder = Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder));
            string reason = File.Exists(folder) ? "a file of that name is in the way" : e.Message.TrimEnd('.');
            throw new CheckpointException($"The folder {folder} cannot be written: {reason}.", e);
        }
    }
}
