using System.Buffers.Binary;
using static AdderNet.Checkpoints.CheckpointText;

namespace AdderNet.Checkpoints;

/// <summary>
/// PyTorch's format from before version 1.6, in which the official weights are published: five pickles (a magic number, the format's
/// version, the machine's kind, the saved value, the keys of its storages), then each storage as its number of elements and their bytes.
/// </summary>
internal sealed class LegacyPyTorchFile(Stream stream, string file, MemoryBudget budget) : IStorages
{
    // 0x1950a86a20f9469cfc6c as protocols from 2 on write it.
    private static ReadOnlySpan<byte> Magic => [0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, (byte)'.'];

    private readonly Dictionary<string, long> _places = [];

    /// <summary>Whether a file that starts so is of this format, whatever the pickle protocol.</summary>
    public static bool Recognises(ReadOnlySpan<byte> start) => start switch
    {
        [0x80, _, 0x95, _, _, _, _, _, _, _, _, .. var framed] => framed.StartsWith(Magic),
        [0x80, _, .. var plain] => plain.StartsWith(Magic),
        _ => start.StartsWith("L119547037146038801333356L\n"u8),
    };

    public object? ReadPickle()
    {
        _ = Load(); // the magic number
        if (Load() is not 1001L) throw Damaged(file, "it is of a version of PyTorch's old format that no PyTorch wrote");
        // The machine's byte order and sizes: the elements that follow are little endian and of fixed sizes nevertheless.
        _ = Load();
        Dictionary<string, PickledStorage> storages = [];
        object? value = Load(id =>
        {
            object? referred = TorchPickle.Refer(id);
            if (referred is PickledStorage storage) storages[storage.Key] = storage;
            return referred;
        });
        if (Load() is not List<object?> keys) throw Damaged(file, "it does not list its storages");
        foreach (object? key in keys) Locate(storages, key?.ToString() ?? "");
        return value;
    }

    public byte[] Read(PickledStorage storage)
    {
        if (!_places.TryGetValue(storage.Key, out long place)) throw Damaged(file, $"it lacks the storage '{Shown(storage.Key)}'");
        long size = storage.Count * storage.ElementSize;
        budget.Take(size);
        if (size > Array.MaxLength)
            throw new CheckpointException(
                $"A tensor in {file} belongs to {size:N0} bytes that are stored in one piece, and more than 2 GB cannot be read; in "
                + "Python, save the tensors one by one with torch.save({k: v.clone() for k, v in state_dict.items()}, ...).");
        byte[] data = new byte[size];
        stream.Position = place;
        stream.ReadExactly(data);
        return data;
    }

    public void Dispose()
    {
    }

    private object? Load(Func<object?, object?>? refer = null) => new PickleMachine(stream, file, budget)
    {
        IsFile = true,
        Call = (callee, arguments) => TorchPickle.Call(callee.Name, arguments, file, budget),
        Refer = refer ?? TorchPickle.Refer,
    }.Load();

    private void Locate(Dictionary<string, PickledStorage> storages, string key)
    {
        if (!storages.TryGetValue(key, out PickledStorage? storage)) throw Damaged(file, $"nothing needs its storage '{Shown(key)}'");
        if (storage.ElementSize == 0)
            throw new CheckpointException(
                $"{file} holds elements of the unknown kind {Shown(storage.Type)}; in Python, save the weights alone with "
                + "torch.save(model.state_dict(), ...).");
        if (stream.Length - stream.Position < sizeof(long)) throw CutOff(file, stream.Length);
        Span<byte> number = stackalloc byte[sizeof(long)];
        stream.ReadExactly(number);
        long count = BinaryPrimitives.ReadInt64LittleEndian(number);
        if (count != storage.Count && BinaryPrimitives.ReverseEndianness(count) == storage.Count)
            throw new CheckpointException(
                $"{file} was written on a big-endian machine; in Python there, save it again with torch.save(torch.load(...), ...).");
        if (count != storage.Count)
            throw Damaged(file, $"its storage '{Shown(key)}' has {count:N0} elements, not {storage.Count:N0}");
        if (count > (stream.Length - stream.Position) / storage.ElementSize) throw CutOff(file, stream.Length);
        _places[key] = stream.Position;
        stream.Position += count * storage.ElementSize;
    }
}
