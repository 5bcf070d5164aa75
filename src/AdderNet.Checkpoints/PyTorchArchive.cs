using System.IO.Compression;
using System.IO.Hashing;
using static AdderNet.Checkpoints.CheckpointText;

namespace AdderNet.Checkpoints;

/// <summary>
/// The zip archive that a .pth file is since PyTorch 1.6. Entries are looked up by name and read into memory, never extracted to a path,
/// and what they may ask for is bounded by the size of the file.
/// </summary>
internal sealed class PyTorchArchive : IStorages
{
    // A byte of the zip directory becomes up to so many of ZipArchive's list, whatever number of entries the archive claims to have.
    private const int DirectoryFactor = 12;

    // A byte of a deflated entry may become so many: weights hardly shrink, but a pruned network's zeros do.
    private const int DeflateFactor = 32;
    private const string PickleName = "data.pkl";

    private readonly string _file, _folder;
    private readonly ZipArchive _zip;
    private readonly MemoryBudget _budget;
    private readonly bool _bigEndian;

    public PyTorchArchive(Stream stream, string file, MemoryBudget budget)
    {
        _file = file;
        _budget = budget;
        MeteredStream metered = new(stream, new MemoryBudget(file, stream.Length, copies: 2), DirectoryFactor);
        _zip = Opened(stream, metered);
        IReadOnlyCollection<ZipArchiveEntry> entries = Guarded(() => _zip.Entries);
        metered.Stop();
        // The top folder has the name of the file as it was saved, or whatever somebody called it who zipped it again.
        string pickle = entries.Select(entry => entry.FullName)
            .Where(name => name == PickleName || name.EndsWith("/" + PickleName, StringComparison.Ordinal))
            .MinBy(name => name.Count(c => c == '/'))
            ?? throw ForeignFile.Archive(file, entries.Select(entry => entry.FullName));
        _folder = pickle[..^PickleName.Length];
        if (_zip.GetEntry(_folder + "constants.pkl") is not null || entries.Any(entry => entry.FullName.StartsWith(_folder + "code/", StringComparison.Ordinal)))
            throw new CheckpointException(
                $"{file} is a TorchScript program, not a checkpoint; in Python, save the weights alone with "
                + "torch.save(torch.jit.load(...).state_dict(), ...).");
        if (entries.Any(entry => entry.CompressedLength < entry.Length)) budget.Grant(DeflateFactor * stream.Length);
        if (_zip.GetEntry(_folder + "byteorder") is { } order) _bigEndian = ReadEntry(order).AsSpan().StartsWith("big"u8);
    }

    public object? ReadPickle() => new PickleMachine(new MemoryStream(ReadEntry(_folder + PickleName)), _file, _budget)
    {
        Call = (callee, arguments) => TorchPickle.Call(callee.Name, arguments, _file, _budget),
        Refer = TorchPickle.Refer,
    }.Load();

    public byte[] Read(PickledStorage storage)
    {
        byte[] data = ReadEntry($"{_folder}data/{storage.Key}");
        if (_bigEndian && storage.ElementSize > 1)
            for (int at = 0; at + storage.ElementSize <= data.Length; at += storage.ElementSize) data.AsSpan(at, storage.ElementSize).Reverse();
        return data;
    }

    public void Dispose() => _zip.Dispose();

    private ZipArchive Opened(Stream stream, Stream metered)
    {
        try
        {
            return new ZipArchive(metered, ZipArchiveMode.Read, leaveOpen: true);
        }
        catch (Exception e) when (e is InvalidDataException or EndOfStreamException)
        {
            // The directory is at the end, and so is missing from a file that does not reach there.
            throw HasDirectoryEnd(stream) ? Damaged(_file, "it is not a readable zip archive", e) : CutOff(_file, stream.Length, e);
        }
    }

    private static bool HasDirectoryEnd(Stream stream)
    {
        const int record = 22;
        byte[] end = new byte[Math.Min(stream.Length, record + ushort.MaxValue)];
        stream.Position = stream.Length - end.Length;
        stream.ReadExactly(end);
        return end.AsSpan().LastIndexOf("PK\x05\x06"u8) is >= 0 and var at && end.Length - at >= record;
    }

    private byte[] ReadEntry(string name) => ReadEntry(
        _zip.GetEntry(name) ?? throw Damaged(_file, $"the archive lacks the entry '{Shown(name)}'"));

    private byte[] ReadEntry(ZipArchiveEntry entry)
    {
        // torch.save stores entries as they are; another tool may have deflated them, and then the budget bounds what comes out.
        _budget.Take(entry.Length);
        if (entry.Length > Array.MaxLength)
            throw new CheckpointException(
                $"A tensor in {_file} belongs to {entry.Length:N0} bytes that are stored in one piece, and more than 2 GB cannot be read; in "
                + "Python, save the tensors one by one with torch.save({k: v.clone() for k, v in state_dict.items()}, ...).");
        byte[] data = new byte[entry.Length];
        Guarded(() =>
        {
            using Stream content = entry.Open();
            content.ReadExactly(data);
            return data;
        });
        // torch.serialization.set_crc32_options(False) leaves zeros where the checksums would be.
        if (entry.Crc32 != 0 && Crc32.HashToUInt32(data) != entry.Crc32)
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
