using System.Text;

namespace AdderNet.Data;

/// <summary>
/// Walks over the plain files of a tar archive. System.Formats.Tar allocates what an entry's header claims, gigabytes for
/// a damaged one; this reads headers of 512 bytes and leaves the content to its caller.
/// </summary>
internal static class Tar
{
    /// <summary>Bytes of a header; contents are padded to a multiple of it.</summary>
    public const int Block = 512;

    /// <summary>Reads the next header, after which the stream stands at the member's content.</summary>
    /// <param name="archive">The unzipped archive, at a header.</param>
    /// <param name="name">The member's path as written, or null where it is no plain file (a folder, a link, attributes).</param>
    /// <param name="length">Bytes of content.</param>
    /// <returns>False at the end of the archive.</returns>
    /// <exception cref="InvalidDataException">This is no header.</exception>
    public static bool TryReadHeader(Stream archive, out string? name, out long length)
    {
        (name, length) = (null, 0);
        Span<byte> header = stackalloc byte[Block];
        int read = archive.ReadAtLeast(header, Block, throwOnEndOfStream: false);
        if (read == 0 || (read == Block && !header.ContainsAnyExcept((byte)0)))
        {
            return false;
        }

        if (read < Block)
        {
            throw new EndOfStreamException();
        }

        // The checksum counts its own field as eight spaces.
        int sum = 8 * ' ';
        for (int i = 0; i < Block; i++)
        {
            sum += i is >= 148 and < 156 ? 0 : header[i];
        }

        if (Octal(header.Slice(148, 8)) != sum)
        {
            throw new InvalidDataException("a tar header's checksum is wrong");
        }

        length = Octal(header.Slice(124, 12));
        if (header[156] is (byte)'0' or 0)
        {
            string prefix = header.Slice(257, 6).SequenceEqual("ustar\0"u8) ? Text(header.Slice(345, 155)) : "";
            name = prefix.Length > 0 ? $"{prefix}/{Text(header[..100])}" : Text(header[..100]);
            name = name.StartsWith("./", StringComparison.Ordinal) ? name[2..] : name;
        }

        return true;
    }

    /// <summary>Padding after a content.</summary>
    public static long Padding(long length) => -length & (Block - 1);

    private static string Text(ReadOnlySpan<byte> field)
    {
        int end = field.IndexOf((byte)0);
        return Encoding.UTF8.GetString(end < 0 ? field : field[..end]);
    }

    private static long Octal(ReadOnlySpan<byte> field)
    {
        long value = 0;
        foreach (byte digit in field.TrimStart((byte)' ').TrimEnd([(byte)' ', (byte)0]))
        {
            value = digit is >= (byte)'0' and <= (byte)'7'
                ? value * 8 + digit - '0'
                : throw new InvalidDataException("a tar header holds a number that is not octal");
        }

        return value;
    }
}
