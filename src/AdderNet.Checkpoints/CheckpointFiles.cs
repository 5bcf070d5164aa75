using static AdderNet.Checkpoints.CheckpointText;

namespace AdderNet.Checkpoints;

/// <summary>Checkpoints of either kind: PyTorch's (.pth, .pt) and safetensors.</summary>
public static class CheckpointFiles
{
    internal static readonly IReadOnlyDictionary<string, string> NoMetadata = new Dictionary<string, string>();

    /// <summary>
    /// Reads the named tensors of a checkpoint, recognising its kind by its content: PyTorch's files of every version, also of whole modules,
    /// safetensors, and what TorchSharp's <c>Module.save</c> writes. What wrappers put before every name, such as the <c>module.</c> of
    /// PyTorch's DataParallel, is dropped.
    /// </summary>
    /// <param name="path">The file.</param>
    /// <returns>The tensors by name, in the file's order; the metadata of a safetensors file; and what else the user should know.</returns>
    /// <exception cref="CheckpointException">The file is missing, unreadable, damaged or of another kind; the message says which.</exception>
    public static TensorFile ReadStateDict(string path) => Open(path, stream => FileKinds.Of(stream) switch
    {
        FileKind.PyTorch => PyTorchFile.ReadStateDict(stream, path),
        FileKind.Safetensors => StateDictNames.WithoutPrefixes(Safetensors.Read(stream, path)),
        FileKind.TorchSharp => TorchSharpFile.Read(stream, path),
        _ => throw ForeignFile.Refusal(path, stream),
    });

    /// <summary>
    /// Writes the tensors of one checkpoint as another, of the kind that the destination's extension names: .safetensors, or
    /// .pth or .pt for PyTorch. The destination is replaced as a whole or not at all.
    /// </summary>
    /// <param name="source">The file to read, of any kind that <see cref="ReadStateDict"/> reads.</param>
    /// <param name="destination">The file to create or replace.</param>
    /// <exception cref="CheckpointException">The source cannot be read, the destination cannot be written or has an unknown
    /// extension.</exception>
    public static void Convert(string source, string destination)
    {
        Action<TensorFile> write = Writer(destination);
        write(ReadStateDict(source));
    }

    /// <summary>Writes tensors as the kind of checkpoint that the file's extension names; see <see cref="Convert"/>.</summary>
    /// <param name="path">The file to create or replace.</param>
    /// <param name="file">The tensors and, for safetensors, the metadata.</param>
    /// <exception cref="CheckpointException">It cannot be written or has an unknown extension.</exception>
    public static void Write(string path, TensorFile file) => Writer(path)(file);

    private static Action<TensorFile> Writer(string destination) => Path.GetExtension(destination).ToUpperInvariant() switch
    {
        // Libraries that read both kinds look for this entry to tell whose names and layouts the tensors have.
        ".SAFETENSORS" => file => Safetensors.Write(
            destination, file.Tensors, new Dictionary<string, string>(file.Metadata) { ["format"] = "pt" }),
        ".PTH" or ".PT" => file => PyTorchFile.Write(destination, file.Tensors),
        _ => throw new CheckpointException(
            $"The name {destination} does not say what to convert to; end it in .safetensors, .pth or .pt."),
    };

    internal static string[] UnreadNote(string file, IReadOnlyDictionary<string, string> unread)
    {
        string[] tensors = [.. unread.Where(entry => entry.Value.StartsWith("a tensor", StringComparison.Ordinal)).Select(entry => entry.Key)];
        return tensors.Length == 0 ? []
            : [$"{file} also holds {unread[tensors[0]]}, which is not supported and was not read: {Quoted(tensors)}."];
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
