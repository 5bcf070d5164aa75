using AdderNet.Checkpoints;
using AdderNet.Export;
using AdderNet.Graph;

namespace AdderNet.Training;

/// <summary>Files that hold a network's graph: ours, and ONNX.</summary>
public static class GraphFiles
{
    /// <summary>Whether a path is such a file, by its content; what is missing or damaged, by its name.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="CheckpointException">It is a safetensors file that can't be read.</exception>
    public static bool IsGraph(string path) =>
        IsOnnx(path) || (FileKinds.Of(path) == FileKind.Safetensors && GraphFile.IsIn(Safetensors.Read(path).Metadata));

    /// <summary>The network in such a file.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="CheckpointException">It can't be read, or is none.</exception>
    public static NetworkGraph Read(string path) => IsOnnx(path) ? OnnxFile.Load(path) : GraphFile.Load(path);

    /// <summary>Whether it is an ONNX file, or, missing or damaged, is called one.</summary>
    private static bool IsOnnx(string path) => FileKinds.Of(path) switch
    {
        FileKind.Onnx => true,
        FileKind.Other => !Directory.Exists(path) && string.Equals(Path.GetExtension(path), ".onnx", StringComparison.OrdinalIgnoreCase),
        _ => false,
    };
}
