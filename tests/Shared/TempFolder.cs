namespace AdderNet.Testing;

/// <summary>A new empty folder that is deleted, with all it holds, when the test ends.</summary>
internal sealed class TempFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("addernet-test-").FullName;

    /// <summary>The path of <paramref name="name"/> in this folder; folders on the way to it are made.</summary>
    public string this[string name]
    {
        get
        {
            string path = System.IO.Path.Combine(Path, name);
            Directory.CreateDirectory(System.IO.Path.GetDirectoryName(path)!);
            return path;
        }
    }

    /// <summary>Writes a file of this folder and returns its path.</summary>
    public string Write(string name, byte[] content)
    {
        string path = this[name];
        File.WriteAllBytes(path, content);
        return path;
    }

    public void Dispose()
    {
        if (Directory.Exists(Path))
        {
            Directory.Delete(Path, recursive: true);
        }
    }
}
