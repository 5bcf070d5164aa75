using System.Buffers.Binary;
using System.IO.Compression;

namespace AdderNet.Data;

/// <summary>Reads IDX files of bytes, the format of MNIST: 0, 0, 8, rank, the big-endian sizes, the data; gzipped or not.</summary>
internal static class Idx
{
    /// <summary>Reads one file.</summary>
    /// <param name="file">The file, which can seek.</param>
    /// <param name="path">What error messages call it.</param>
    /// <param name="rank">3 for images [N, H, W], 1 for labels [N].</param>
    public static (int[] Sizes, byte[] Data) Read(Stream file, string path, int rank) => DataFile.Guard(path, () =>
    {
        using Stream? unzipped = IsGzip(file) ? new GZipStream(file, CompressionMode.Decompress, leaveOpen: true) : null;
        Stream content = unzipped ?? file;
        Span<byte> header = stackalloc byte[4 + 4 * rank];
        int read = content.ReadAtLeast(header, header.Length, throwOnEndOfStream: false);
        if (read < 4 || header[0] != 0 || header[1] != 0 || header[2] != 8 || header[3] != rank)
        {
            throw new DataException($"{path} is not an IDX file of {(rank == 1 ? "labels" : "images")} (it should start with the bytes 0 0 8 {rank}); check that it is the right file.");
        }

        if (read < header.Length)
        {
            throw new EndOfStreamException();
        }

        int[] sizes = new int[rank];
        long length = 1;
        for (int i = 0; i < rank; i++)
        {
            uint size = BinaryPrimitives.ReadUInt32BigEndian(header[(4 + 4 * i)..]);
            // Each factor is below 2^32 and the product is checked before the next, so nothing overflows.
            length = size == 0 ? 0 : length * size;
            if (length is 0 || length > Array.MaxLength)
            {
                throw new DataException($"{path} says that it holds {Sizes(header)} bytes, which cannot be; get it again.");
            }

            sizes[i] = (int)size;
        }

        if (unzipped is null)
        {
            long rest = file.Length - header.Length;
            if (rest != length)
            {
                throw new DataException($"{path} says that it holds {Sizes(header)} bytes, but {rest:N0} follow; get it again.");
            }
        }

        byte[] data = ReadGrowing(content, (int)length, known: unzipped is null);
        if (content.ReadByte() >= 0)
        {
            throw new DataException($"{path} says that it holds {Sizes(header)} bytes, but more follow; get it again.");
        }

        // GZipStream overlooks a trailer that is cut short; its last number is the length of what was zipped.
        if (unzipped is not null && Trailer(file) != (uint)(header.Length + length))
        {
            throw new DataException($"{path} is cut short, or something was appended to it; get it again.");
        }

        return (sizes, data);
    });

    /// <summary>Whether a gzip stream begins here.</summary>
    public static bool IsGzip(Stream file)
    {
        int first = file.ReadByte(), second = file.ReadByte();
        file.Position = 0;
        return (first, second) == (0x1F, 0x8B);
    }

    private static uint Trailer(Stream file)
    {
        Span<byte> last = stackalloc byte[4];
        file.Position = file.Length - last.Length;
        file.ReadExactly(last);
        return BinaryPrimitives.ReadUInt32LittleEndian(last);
    }

    // A header in front of compressed data may promise anything, so memory grows only with what really comes out.
    private static byte[] ReadGrowing(Stream content, int length, bool known)
    {
        byte[] data = new byte[known ? length : Math.Min(length, 1 << 20)];
        int filled = 0;
        while (true)
        {
            filled += content.ReadAtLeast(data.AsSpan(filled), data.Length - filled, throwOnEndOfStream: true);
            if (filled == length)
            {
                return data;
            }

            Array.Resize(ref data, (int)Math.Min(length, data.Length * 2L));
        }
    }

    private static string Sizes(ReadOnlySpan<byte> header)
    {
        var text = new List<string>();
        for (int i = 4; i < header.Length; i += 4)
        {
            text.Add(BinaryPrimitives.ReadUInt32BigEndian(header[i..]).ToString(System.Globalization.CultureInfo.InvariantCulture));
        }

        return string.Join(" x ", text);
    }
}
