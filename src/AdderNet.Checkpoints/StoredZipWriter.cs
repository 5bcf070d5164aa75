using System.Buffers.Binary;
using System.IO.Hashing;
using System.Runtime.InteropServices;
using System.Text;

namespace AdderNet.Checkpoints;

/// <summary>
/// Writes a zip archive as torch.save does: entries stored as they are, each beginning at a multiple of 64 bytes, so that
/// tensors can be mapped into memory in place. <see cref="System.IO.Compression.ZipArchive"/> cannot align.
/// </summary>
internal sealed class StoredZipWriter(Stream stream)
{
    private const int Alignment = 64;
    private readonly List<byte> _directory = [];
    private long _position;
    private int _entries;

    public void Add(string name, ReadOnlySpan<byte> data)
    {
        const int localHeader = 30, extraHeader = 4;
        const ushort paddingId = 0x4246; // "FB", as torch.save marks it
        byte[] nameBytes = Encoding.UTF8.GetBytes(name);
        int padding = (int)(-(_position + localHeader + nameBytes.Length + extraHeader) & (Alignment - 1));
        long offset = _position;
        byte[] common = Common(nameBytes.Length, data, extraHeader + padding);

        Write("PK\x03\x04"u8);
        Write(common);
        Write(nameBytes);
        Span<byte> extra = new byte[extraHeader + padding];
        BinaryPrimitives.WriteUInt16LittleEndian(extra, paddingId);
        BinaryPrimitives.WriteUInt16LittleEndian(extra[2..], (ushort)padding);
        Write(extra);
        Write(data);

        BinaryPrimitives.WriteUInt16LittleEndian(common.AsSpan(^2), 0); // the directory needs no padding
        Span<byte> rest = stackalloc byte[14]; // comment length, disk and attributes stay zero
        BinaryPrimitives.WriteUInt32LittleEndian(rest[10..], Fits(offset));
        _directory.AddRange("PK\x01\x02\0\0"u8);
        _directory.AddRange(common);
        _directory.AddRange(rest);
        _directory.AddRange(nameBytes);
        _entries++;
    }

    public void Finish()
    {
        uint offset = Fits(_position);
        if (_entries > ushort.MaxValue - 1) throw TooLarge();
        Write(CollectionsMarshal.AsSpan(_directory));
        Span<byte> end = stackalloc byte[22];
        "PK\x05\x06"u8.CopyTo(end);
        BinaryPrimitives.WriteUInt16LittleEndian(end[8..], (ushort)_entries);
        BinaryPrimitives.WriteUInt16LittleEndian(end[10..], (ushort)_entries);
        BinaryPrimitives.WriteUInt32LittleEndian(end[12..], (uint)_directory.Count);
        BinaryPrimitives.WriteUInt32LittleEndian(end[16..], offset);
        Write(end);
    }

    // The fields that an entry's local header and its line in the directory share.
    private static byte[] Common(int nameLength, ReadOnlySpan<byte> data, int extraLength)
    {
        const ushort utf8Names = 1 << 11, firstOfJanuary1980 = (1 << 5) | 1;
        byte[] fields = new byte[26];
        BinaryPrimitives.WriteUInt16LittleEndian(fields, 20); // readers need version 2.0
        BinaryPrimitives.WriteUInt16LittleEndian(fields.AsSpan(2), utf8Names);
        // Method 0, stored; and no time of writing, so that equal tensors make equal files.
        BinaryPrimitives.WriteUInt16LittleEndian(fields.AsSpan(8), firstOfJanuary1980);
        BinaryPrimitives.WriteUInt32LittleEndian(fields.AsSpan(10), Crc32.HashToUInt32(data));
        BinaryPrimitives.WriteUInt32LittleEndian(fields.AsSpan(14), (uint)data.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(fields.AsSpan(18), (uint)data.Length);
        BinaryPrimitives.WriteUInt16LittleEndian(fields.AsSpan(22), (ushort)nameLength);
        BinaryPrimitives.WriteUInt16LittleEndian(fields.AsSpan(24), (ushort)extraLength);
        return fields;
    }

    private void Write(ReadOnlySpan<byte> bytes)
    {
        stream.Write(bytes);
        _position += bytes.Length;
    }

    private static uint Fits(long offset) => offset <= uint.MaxValue ? (uint)offset : throw TooLarge();

    private static CheckpointException TooLarge() =>
        new("These tensors do not fit a .pth file of 4 GB and 65,534 tensors; save them as .safetensors, which has no such limits.");
}
