using System.IO.Compression;
using System.IO.Hashing;
using static AdderNet.Checkpoints.CheckpointText;

namespace AdderNet.Checkpoints;

/// <summary>
/// The zip archive inside a .pth file. Entries are looked up by name and read into memory, never extracted to a path, and what
/// they may ask for is bounded by the size of the file.
/// </summary>
internal sealed class PyTorchArchive : IDisposable
{
    // A byte of the zip directory becomes up to so many of ZipArchive's list, whatever number of entries the archive claims to have.
    private const int DirectoryFactor = 12;

    private readonly string _file;
    private readonly ZipArchive _zip;
    private readonly MemoryBudget _budget;
    private readonly string _folder;
    private readonly Dictionary<string, byte[]> _storages = [];

    public PyTorchArchive(Stream stream, string file)
    {
        const string pickleName = "data.pkl";
        _file = file;
        _budget = new(file, stream.Length);
        MeteredStream metered = new(stream, _budget, DirectoryFactor);
        _zip = Guarded(() => new ZipArchive(metered, ZipArchiveMode.Read, leaveOpen: true));
        IReadOnlyCollection<ZipArchiveEntry> entries = Guarded(() => _zip.Entries);
        metered.Stop();
        // The top folder has the name of the file as it was saved, whatever that was.
        string pickle = entries.Select(entry => entry.FullName)
            .FirstOrDefault(name => name.Split('/', 3) is [pickleName] or [_, pickleName])
            ?? throw new CheckpointException($"{file} is a zip archive without {pickleName}, so PyTorch did not write it.");
        _folder = pickle[..^pickleName.Length];
        if (_zip.GetEntry(_folder + "byteorder") is { } order && !ReadEntry(order).AsSpan().SequenceEqual("little"u8))
            throw new CheckpointException(
                $"{file} was written on a big-endian machine; in Python on an ordinary one, save it again with "
                + "torch.save(torch.load(...), ...).");
    }

    public object? ReadPickle() => new RestrictedUnpickler(ReadEntry(_folder + "data.pkl"), _file, _budget).Load();

    /// <summary>Reads the elements that a tensor sees of its storage; without a copy where they lie in a row.</summary>
    public TensorData ReadTensor(PickledTensor tensor, string name)
    {
        (PickledStorage storage, long offset, long[] shape, long[] strides) = tensor;
        int size = storage.Dtype.Size();
        byte[] data = ReadStorage(storage, name);
        long count = TensorDtypes.ElementCount(shape);
        if (count < 0 || count > Array.MaxLength / size || !Fits(tensor))
            throw Damaged(_file, $"the tensor '{Shown(name)}' reaches outside its storage");
        if (count == 0) return new(storage.Dtype, shape, default);
        if (IsContiguous(shape, strides)) return new(storage.Dtype, shape, data.AsMemory((int)offset * size, (int)count * size));
        _budget.Take(count * size);
        return new(storage.Dtype, shape, Gather(data, size, offset, shape, strides, (int)count));
    }

    public void Dispose() => _zip.Dispose();

    private byte[] ReadStorage(PickledStorage storage, string tensor)
    {
        if (!_storages.TryGetValue(storage.Key, out byte[]? data))
            _storages[storage.Key] = data = ReadEntry($"{_folder}data/{storage.Key}");
        if (data.Length % storage.Dtype.Size() != 0 || data.Length / storage.Dtype.Size() != storage.Count)
            throw Damaged(
                _file, $"the storage of the tensor '{Shown(tensor)}' has {data.Length:N0} bytes, not {storage.Count:N0} elements");
        return data;
    }

    private static bool Fits(PickledTensor tensor)
    {
        Int128 last = tensor.Offset;
        if (tensor.Offset < 0) return false;
        for (int i = 0; i < tensor.Shape.Length; i++)
        {
            if (tensor.Shape[i] == 0) return tensor.Offset <= tensor.Storage.Count;
            if (tensor.Strides[i] < 0) return false;
            last += (Int128)(tensor.Shape[i] - 1) * tensor.Strides[i];
        }
        return last < tensor.Storage.Count;
    }

    private static bool IsContiguous(long[] shape, long[] strides)
    {
        long expected = 1;
        for (int i = shape.Length - 1; i >= 0; i--)
        {
            if (shape[i] != 1 && strides[i] != expected) return false;
            expected *= shape[i];
        }
        return true;
    }

    private static byte[] Gather(byte[] source, int size, long offset, long[] shape, long[] strides, int count)
    {
        byte[] gathered = new byte[count * size];
        long[] index = new long[shape.Length];
        for (int i = 0; i < count; i++)
        {
            source.AsSpan((int)offset * size, size).CopyTo(gathered.AsSpan(i * size));
            for (int d = shape.Length - 1; d >= 0; d--)
            {
                offset += strides[d];
                if (++index[d] < shape[d]) break;
                offset -= strides[d] * shape[d];
                index[d] = 0;
            }
        }
        return gathered;
    }

    private byte[] ReadEntry(string name) => ReadEntry(
        _zip.GetEntry(name) ?? throw Damaged(_file, $"the archive lacks the entry '{Shown(name)}'"));

    private byte[] ReadEntry(ZipArchiveEntry entry)
    {
        if (entry.Length > Array.MaxLength)
            throw new CheckpointException($"The entry '{Shown(entry.FullName)}' of {_file} is larger than the 2 GB that can be read.");
        // torch.save stores entries as they are; another tool may have deflated them, and then the budget bounds what comes out.
        _budget.Take(entry.Length);
        byte[] data = new byte[entry.Length];
        Guarded(() =>
        {
            using Stream content = entry.Open();
            content.ReadExactly(data);
            return data;
        });
        if (Crc32.HashToUInt32(data) != entry.Crc32)
            throw Damaged(_file, $"the checksum of the entry '{Shown(entry.FullName)}' is wrong");
        return data;
    }

    private T Guarded<T>(Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception e) when (e is InvalidDataException or EndOfStreamException or NotSupportedException)
        {
            throw Damaged(_file, "it is not a readable zip archive", e);
        }
    }
}
