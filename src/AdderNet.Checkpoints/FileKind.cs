using System.Buffers.Binary;

namespace AdderNet.Checkpoints;

/// <summary>What a file is by its content, whatever it is called: a download is often named by a hash, and a copy as one likes.</summary>
internal enum FileKind
{
    /// <summary>None of the others, or it can't be read.</summary>
    Other,

    /// <summary>What <c>torch.save</c> writes.</summary>
    PyTorch,

    /// <summary>safetensors: weights, or a graph of ours.</summary>
    Safetensors,

    /// <summary>What TorchSharp's <c>Module.save</c> writes.</summary>
    TorchSharp,

    /// <summary>An ONNX model, or TensorFlow's, which begins in the same way.</summary>
    Onnx,
}

/// <summary>Tells files by their first bytes.</summary>
internal static class FileKinds
{
    /// <summary>How many bytes of a file's start are looked at.</summary>
    public const int StartLength = 4096;

    /// <summary>The kind of a file; <see cref="FileKind.Other"/> where it can't be read.</summary>
    public static FileKind Of(string path)
    {
        try
        {
            return CheckpointFiles.Open(path, Of);
        }
        catch (CheckpointException)
        {
            return FileKind.Other;
        }
    }

    /// <summary>The kind of a stream, which is at its start before and after.</summary>
    public static FileKind Of(Stream stream) => Of(Start(stream, stackalloc byte[StartLength]));

    /// <summary>The kind of a file that starts so.</summary>
    public static FileKind Of(ReadOnlySpan<byte> start) =>
        PyTorchFile.Recognises(start) ? FileKind.PyTorch
            // A safetensors file has no magic number: its header's length, then JSON.
            : start.Length > 8 && start[8] == (byte)'{' && BinaryPrimitives.ReadInt64LittleEndian(start) is > 0 and < 1L << 32 ? FileKind.Safetensors
            : TorchSharpFile.Recognises(start) ? FileKind.TorchSharp
            // Protobuf has none either: ir_version, then the producer's name or version, the domain, the graph or the operator sets.
            : start is [0x08, >= 1 and <= 30, 0x12 or 0x3a or 0x42 or 0x1a or 0x22 or 0x28 or 0x10, ..] ? FileKind.Onnx
            : FileKind.Other;

    /// <summary>The first bytes of a stream, which is at its start before and after.</summary>
    public static ReadOnlySpan<byte> Start(Stream stream, Span<byte> buffer)
    {
        int count = stream.ReadAtLeast(buffer, buffer.Length, throwOnEndOfStream: false);
        stream.Position = 0;
        return buffer[..count];
    }
}
