using AdderNet.Checkpoints;
using AdderNet.Graph;
using Google.Protobuf;
using Onnx;

namespace AdderNet.Export;

/// <summary>
/// Networks as ONNX files (opset 17): what any ONNX runtime can run. Layers that ONNX has no operator for, adder layers above all, are
/// functions within the file, made of standard operators.
/// </summary>
public static class OnnxFile
{
    /// <summary>Writes a file, whole or not at all. Inputs are [N, C, H, W] for any N.</summary>
    /// <param name="graph">The network.</param>
    /// <param name="path">The file to create or replace.</param>
    /// <exception cref="GraphException">A node cannot be written as ONNX.</exception>
    /// <exception cref="CheckpointException">The file cannot be written; the old one is untouched.</exception>
    public static void Save(NetworkGraph graph, string path)
    {
        ModelProto model = OnnxWriter.Write(graph);
        AtomicFile.Write(path, model.WriteTo);
    }

    /// <summary>Writes to a stream.</summary>
    /// <param name="graph">The network.</param>
    /// <param name="stream">Where to; it stays open.</param>
    /// <exception cref="GraphException">A node cannot be written as ONNX; nothing has been written.</exception>
    public static void Save(NetworkGraph graph, Stream stream) => OnnxWriter.Write(graph).WriteTo(stream);

    /// <summary>Reads a network: one that this library wrote, or a convolutional one as PyTorch's exporter writes it.</summary>
    /// <param name="path">The file.</param>
    /// <returns>The network; of a file that this library wrote, the one that was written.</returns>
    /// <exception cref="CheckpointException">The file is missing, unreadable or damaged, or holds what no graph can.</exception>
    public static NetworkGraph Load(string path)
    {
        try
        {
            using FileStream stream = File.OpenRead(path);
            return Load(stream, path);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new CheckpointException($"There is no file {path}.", e);
        }
        catch (UnauthorizedAccessException e)
        {
            throw new CheckpointException(
                Directory.Exists(path) ? $"{path} is a folder, not an ONNX file." : $"{path} may not be read.", e);
        }
    }

    /// <summary>Reads a stream to its end.</summary>
    /// <param name="stream">The content.</param>
    /// <param name="name">What messages call it.</param>
    /// <returns>The network.</returns>
    /// <exception cref="CheckpointException">The content is damaged, or holds what no graph of this library can.</exception>
    public static NetworkGraph Load(Stream stream, string name = "the stream")
    {
        try
        {
            return OnnxReader.Read(ModelProto.Parser.ParseFrom(stream), name);
        }
        catch (InvalidProtocolBufferException e)
        {
            throw new CheckpointException($"{name} is no ONNX file, or a damaged one; export or copy it again.", e);
        }
        catch (GraphException e)
        {
            throw new CheckpointException($"{name} holds a network that cannot be read: {e.Message}", e);
        }
    }
}
