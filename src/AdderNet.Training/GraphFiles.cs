using AdderNet.Checkpoints;
using AdderNet.Export;
using AdderNet.Graph;

namespace AdderNet.Training;

/// <summary>Files that hold a network's graph: ours, and ONNX.</summary>
public static class GraphFiles
{
    /// <summary>Whether a path is such a file, by its extension and, of a .safetensors file, by what it says of itself.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="CheckpointException">It is a .safetensors file that can't be read.</exception>
    public static bool IsGraph(string path) => IsOnnx(path)
        || (IsNamedAsGraph(path) && File.Exists(path) && GraphFile.IsIn(Safetensors.Read(path).Metadata));

    /// <summary>Whether a file of that name is looked into for a graph of ours.</summary>
    /// <param name="path">The file.</param>
    public static bool IsNamedAsGraph(string path) => HasExtension(path, ".safetensors");

    /// <summary>The network in such a file.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="CheckpointException">It can't be read, or is none.</exception>
    public static NetworkGraph Read(string path) => IsOnnx(path) ? OnnxFile.Load(path) : GraphFile.Load(path);

    private static bool IsOnnx(string path) => HasExtension(path, ".onnx");

    private static bool HasExtension(string path, string extension) =>
        string.Equals(Path.GetExtension(path), extension, StringComparison.OrdinalIgnoreCase);
}
