using System.Numerics;
using static AdderNet.Checkpoints.CheckpointText;

namespace AdderNet.Checkpoints;

/// <summary>
/// PyTorch's own files (.pth, .pt): a zip archive of a pickle, data.pkl, that names the tensors, and one entry for each storage.
/// Only state dicts are read, by an unpickler that knows tensors and plain collections; a file that names anything else is
/// refused and runs nothing.
/// </summary>
public static class PyTorchFile
{
    // Under these names training scripts keep the state dict beside epoch, optimizer and the like.
    private static readonly string[] Wrappers = ["state_dict", "model", "net", "model_state_dict"];

    /// <summary>
    /// Reads the state dict of a file that torch.save wrote: of a state_dict itself or of a dictionary with one under
    /// <c>state_dict</c>, <c>model</c>, <c>net</c> or <c>model_state_dict</c>. Tensors on any device are read; a
    /// <c>module.</c> before every name is dropped.
    /// </summary>
    /// <param name="path">The file.</param>
    /// <returns>The tensors by name, in the file's order.</returns>
    /// <exception cref="CheckpointException">The file is missing, unreadable, damaged, no state dict or asks for code.</exception>
    public static OrderedDictionary<string, TensorData> Read(string path) => CheckpointFiles.Open(path, stream => Read(stream, path));

    /// <summary>Reads the state dict from a stream; see <see cref="Read(string)"/>.</summary>
    /// <param name="stream">A seekable stream holding the file and nothing else.</param>
    /// <param name="name">What messages call it.</param>
    /// <returns>The tensors by name, in the file's order.</returns>
    /// <exception cref="CheckpointException">The content is damaged, no state dict or asks for code.</exception>
    public static OrderedDictionary<string, TensorData> Read(Stream stream, string name = "the stream")
    {
        ArgumentNullException.ThrowIfNull(stream);
        Span<byte> start = stackalloc byte[16];
        int length = stream.ReadAtLeast(start, start.Length, throwOnEndOfStream: false);
        stream.Position -= length;
        if (start[..length].StartsWith(LegacyStart))
            throw new CheckpointException(
                $"{name} is in PyTorch's format from before version 1.6; in Python, save it again with torch.save(torch.load(...), ...).");
        using PyTorchArchive archive = new(stream, name);
        PickledDict stateDict = FindStateDict(archive.ReadPickle(), name);
        OrderedDictionary<string, TensorData> tensors = [];
        foreach ((object? key, object? value) in stateDict.Entries)
        {
            if (key is not string tensorName) throw NotStateDict(name, $"a key that is {Describe(key)}");
            if (value is not PickledTensor tensor) throw NotStateDict(name, $"{Describe(value)} under '{Shown(tensorName)}'");
            tensors[tensorName] = archive.ReadTensor(tensor, tensorName);
        }
        return StateDictNames.WithoutModulePrefix(tensors);
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
        start.StartsWith("PK\x03\x04"u8) || start.StartsWith("PK\x05\x06"u8) || start.StartsWith(LegacyStart);

    // A pickle of the number 0x1950a86a20f9469cfc6c.
    private static ReadOnlySpan<byte> LegacyStart =>
        [0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, (byte)'.'];

    private static PickledDict FindStateDict(object? root, string file)
    {
        if (root is not PickledDict found) throw NotStateDict(file, Describe(root));
        // A dictionary may hold itself, so the number of steps inwards is limited.
        for (int depth = 0; depth < 4; depth++)
        {
            PickledDict? inner = Wrappers.Select(name => found[name]).OfType<PickledDict>().FirstOrDefault();
            if (inner is null) break;
            found = inner;
        }
        if (!found.Entries.Exists(entry => entry.Value is PickledTensor)) throw NotStateDict(file, "a dictionary without tensors");
        return found;
    }

    private static CheckpointException NotStateDict(string file, string what) => new(
        $"{file} holds {what} where a state dict has only tensors by name; in Python, save the weights alone with "
        + "torch.save(model.state_dict(), ...).");

    private static string Describe(object? value) => value switch
    {
        null => "nothing (None)",
        bool or long or BigInteger or double => "a number",
        string => "text",
        PickledDict => "a dictionary",
        PickledTensor => "a single tensor",
        List<object?> => "a list",
        object?[] => "a tuple",
        _ => "something that is no tensor",
    };
}
