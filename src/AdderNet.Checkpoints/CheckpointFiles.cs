using System.Buffers.Binary;
using static AdderNet.Checkpoints.CheckpointText;

namespace AdderNet.Checkpoints;

/// <summary>Checkpoints of either kind: PyTorch's (.pth, .pt) and safetensors.</summary>
public static class CheckpointFiles
{
    private static readonly Dictionary<string, string> NoMetadata = [];

    /// <summary>
    /// Reads the named tensors of a checkpoint, recognising its kind by its content. A <c>module.</c> before every name, which
    /// PyTorch's DataParallel leaves, is dropped.
    /// </summary>
    /// <param name="path">The file.</param>
    /// <returns>The tensors by name, in the file's order, and the metadata of a safetensors file.</returns>
    /// <exception cref="CheckpointException">The file is missing, unreadable, damaged, of another kind or asks for code.</exception>
    public static TensorFile ReadStateDict(string path) => Open(path, stream =>
    {
        Span<byte> start = stackalloc byte[16];
        int length = stream.ReadAtLeast(start, start.Length, throwOnEndOfStream: false);
        stream.Position = 0;
        if (PyTorchFile.Recognises(start[..length])) return new TensorFile(PyTorchFile.Read(stream, path), NoMetadata);
        // A safetensors file has no magic number: its header's length, then JSON.
        if (length > 8 && start[8] == (byte)'{' && BinaryPrimitives.ReadInt64LittleEndian(start) is > 0 and < 1L << 32)
        {
            TensorFile file = Safetensors.Read(stream, path);
            return file with { Tensors = StateDictNames.WithoutModulePrefix(file.Tensors) };
        }
        throw new CheckpointException(
            $"{path} is neither a PyTorch checkpoint (.pth, .pt) nor a safetensors file, so no weights can be read from it.");
    });

    /// <summary>
    /// Writes the tensors of one checkpoint as another, of the kind that the destination's extension names: .safetensors, or
    /// .pth or .pt for PyTorch. The destination is replaced as a whole or not at all.
    /// </summary>
    /// <param name="source">The file to read, of either kind.</param>
    /// <param name="destination">The file to create or replace.</param>
    /// <exception cref="CheckpointException">The source cannot be read, the destination cannot be written or has an unknown
    /// extension.</exception>
    public static void Convert(string source, string destination)
    {
        Action<TensorFile> write = Path.GetExtension(destination).ToUpperInvariant() switch
        {
            // Libraries that read both kinds look for this entry to tell whose names and layouts the tensors have.
            ".SAFETENSORS" => file => Safetensors.Write(
                destination, file.Tensors, new Dictionary<string, string>(file.Metadata) { ["format"] = "pt" }),
            ".PTH" or ".PT" => file => PyTorchFile.Write(destination, file.Tensors),
            _ => throw new CheckpointException(
                $"The name {destination} does not say what to convert to; end it in .safetensors, .pth or .pt."),
        };
        write(ReadStateDict(source));
    }

    internal static T Open<T>(string path, Func<FileStream, T> read)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        try
        {
            // Shared for deletion, so that a run can replace its checkpoint while somebody reads it.
            using FileStream stream = new(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete);
            return read(stream);
        }
        catch (CheckpointException)
        {
            throw;
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new CheckpointException($"There is no file {path}.", e);
        }
        catch (UnauthorizedAccessException e)
        {
            throw new CheckpointException(
                Directory.Exists(path) ? $"{path} is a folder, not a checkpoint file." : $"Permission to read {path} was denied.", e);
        }
        catch (EndOfStreamException e)
        {
            throw Damaged(path, "it ends too early", e);
        }
        catch (IOException e)
        {
            throw new CheckpointException($"{path} cannot be read: {e.Message}", e);
        }
    }
}
