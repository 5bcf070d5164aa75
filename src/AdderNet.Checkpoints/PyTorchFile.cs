using static AdderNet.Checkpoints.CheckpointText;

namespace AdderNet.Checkpoints;

/// <summary>
/// PyTorch's own files (.pth, .pt): since version 1.6 a zip archive of a pickle, data.pkl, that names the tensors, and one entry for each
/// storage; before it the same in one stream. Only the tensors are read. Whatever else such a file holds or asks for, of any class, is
/// data that is passed over: nothing is called and nothing is imported.
/// </summary>
public static class PyTorchFile
{
    /// <summary>
    /// Reads the weights of a file that torch.save wrote: of a state_dict, of a dictionary with one under <c>state_dict</c>, <c>model</c>,
    /// <c>net</c> or the like, or of a whole module. Tensors on any device are read; a <c>module.</c> or the like before every name is
    /// dropped. <see cref="CheckpointFiles.ReadStateDict"/> also says what was passed over.
    /// </summary>
    /// <param name="path">The file.</param>
    /// <returns>The tensors by name, in the file's order.</returns>
    /// <exception cref="CheckpointException">The file is missing, unreadable, damaged, or holds no weights.</exception>
    public static OrderedDictionary<string, TensorData> Read(string path) => CheckpointFiles.Open(path, stream => Read(stream, path));

    /// <summary>Reads the weights from a stream; see <see cref="Read(string)"/>.</summary>
    /// <param name="stream">A seekable stream holding the file and nothing else.</param>
    /// <param name="name">What messages call it.</param>
    /// <returns>The tensors by name, in the file's order.</returns>
    /// <exception cref="CheckpointException">The content is damaged, or holds no weights.</exception>
    public static OrderedDictionary<string, TensorData> Read(Stream stream, string name = "the stream")
    {
        ArgumentNullException.ThrowIfNull(stream);
        return FileKinds.Of(stream) == FileKind.PyTorch ? ReadStateDict(stream, name).Tensors : throw ForeignFile.Refusal(name, stream);
    }

    /// <summary>Writes a state dict, whole or not at all, that <c>torch.load(path, weights_only=True)</c> reads.</summary>
    /// <param name="path">The file to create or replace.</param>
    /// <param name="tensors">The tensors by name.</param>
    /// <exception cref="CheckpointException">The file cannot be written; the old one is untouched.</exception>
    public static void Write(string path, IEnumerable<KeyValuePair<string, TensorData>> tensors) =>
        AtomicFile.Write(path, stream => Write(stream, tensors));

    /// <summary>Writes a state dict; see <see cref="Write(string, IEnumerable{KeyValuePair{string, TensorData}})"/>.</summary>
    /// <param name="stream">Where to; it stays open.</param>
    /// <param name="tensors">The tensors by name.</param>
    public static void Write(Stream stream, IEnumerable<KeyValuePair<string, TensorData>> tensors)
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentNullException.ThrowIfNull(tensors);
        OrderedDictionary<string, TensorData> named = new(tensors);
        StoredZipWriter zip = new(stream);
        zip.Add("archive/data.pkl", StateDictPickle.Write(named));
        zip.Add("archive/byteorder", "little"u8);
        int key = 0;
        foreach (TensorData tensor in named.Values) zip.Add($"archive/data/{key++}", tensor.Data.Span);
        zip.Add("archive/version", "3\n"u8);
        zip.Finish();
    }

    /// <summary>Whether a file that starts so is PyTorch's, old or new.</summary>
    internal static bool Recognises(ReadOnlySpan<byte> start) =>
        start.StartsWith("PK\x03\x04"u8) || start.StartsWith("PK\x05\x06"u8) || LegacyPyTorchFile.Recognises(start);

    internal static TensorFile ReadStateDict(Stream stream, string file)
    {
        MemoryBudget budget = new(file, stream.Length);
        bool zip = stream.ReadByte() == 'P';
        stream.Position = 0;
        using IStorages storages = zip ? new PyTorchArchive(stream, file, budget) : new LegacyPyTorchFile(stream, file, budget);
        FoundStateDict found = new StateDictFinder(file, budget).Find(storages.ReadPickle());
        TensorViews views = new(storages, file, budget);
        OrderedDictionary<string, TensorData> tensors = [];
        Dictionary<string, string> unread = [];
        foreach ((string name, object? value) in found.Tensors)
        {
            if (value is PickledTensor tensor)
                tensors[name] = views.Read(tensor, name);
            else
                unread[name] = value is PickledUnreadable { Kind: var kind } ? $"a tensor of type {kind}" : StateDictFinder.Describe(value);
        }
        return StateDictNames.WithoutPrefixes(new(tensors, CheckpointFiles.NoMetadata)
        {
            Unread = unread,
            Notes =
            [
                .. found.Others is [_, ..] others
                    ? [$"{file} holds weights in several places; those under '{Shown(found.Path)}' were taken, not {Quoted(others)}."] : (string[])[],
                .. CheckpointFiles.UnreadNote(file, unread),
            ],
        });
    }
}
