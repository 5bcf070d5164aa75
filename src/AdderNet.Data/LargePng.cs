using System.Buffers.Binary;
using System.IO.Compression;

namespace AdderNet.Data;

/// <summary>
/// Reads a PNG too large to be held decoded: each row is unpacked, reduced and forgotten. Every colour type, bit depth and interlacing
/// of the PNG specification (third edition); colours are read as they are stored, and transparency is dropped.
/// </summary>
internal sealed class LargePng
{
    private readonly Stream file;
    private readonly string name;
    private readonly int leastFactor;
    private int width, height, depth, colour;
    private bool interlaced;
    private byte[] palette = [];

    private LargePng(Stream file, string name, int leastFactor)
    {
        this.file = file;
        this.name = name;
        this.leastFactor = leastFactor;
    }

    private enum Colour
    {
        Grey = 0,
        Rgb = 2,
        Palette = 3,
        GreyAlpha = 4,
        Rgba = 6,
    }

    /// <summary>Reads a PNG at a fraction of its size.</summary>
    /// <param name="file">The file from its start; it can be positioned.</param>
    /// <param name="name">What messages call it.</param>
    /// <param name="leastFactor">What its sides are divided by at least.</param>
    /// <exception cref="DataException">It is damaged or cut short.</exception>
    public static RawImage Read(Stream file, string name, int leastFactor = 2)
    {
        try
        {
            return new LargePng(file, name, leastFactor).Read();
        }
        catch (EndOfStreamException e)
        {
            throw new DataException($"{name} is a PNG image that is cut short; get it again, or remove it.", e);
        }
        catch (InvalidDataException e)
        {
            throw new DataException($"{name} is a damaged PNG image; get it again, or remove it.", e);
        }
    }

    private RawImage Read()
    {
        file.Position = 8;
        Span<byte> header = stackalloc byte[8];
        Span<byte> fields = stackalloc byte[13];
        while (true)
        {
            file.ReadExactly(header);
            uint length = BinaryPrimitives.ReadUInt32BigEndian(header);
            ReadOnlySpan<byte> type = header[4..];
            long end = file.Position + length + 4;
            if (type.SequenceEqual("IDAT"u8))
            {
                return Pixels(length);
            }

            if (type.SequenceEqual("IHDR"u8) && length == 13)
            {
                file.ReadExactly(fields);
                (width, height) = (BinaryPrimitives.ReadInt32BigEndian(fields), BinaryPrimitives.ReadInt32BigEndian(fields[4..]));
                (depth, colour, interlaced) = (fields[8], fields[9], fields[12] == 1);
            }
            else if (type.SequenceEqual("PLTE"u8) && length <= 768)
            {
                palette = new byte[length];
                file.ReadExactly(palette);
            }
            else if (type.SequenceEqual("IEND"u8))
            {
                throw new InvalidDataException();
            }

            file.Position = end;
        }
    }

    private RawImage Pixels(uint firstLength)
    {
        int samples = (Colour)colour switch
        {
            Colour.Grey or Colour.Palette => 1,
            Colour.GreyAlpha => 2,
            Colour.Rgb => 3,
            Colour.Rgba => 4,
            _ => throw new InvalidDataException(),
        };
        if (width < 1 || height < 1 || depth is not (1 or 2 or 4 or 8 or 16) || (samples > 1 && depth < 8))
        {
            throw new InvalidDataException();
        }

        using var pixels = new ZLibStream(new Chunks(file, firstLength), CompressionMode.Decompress);
        var reducer = new BoxReducer(height, width, leastFactor);
        int bits = samples * depth;
        byte[] row = new byte[checked((int)(((long)width * bits + 7) / 8))], above = new byte[row.Length], rgb = new byte[checked(width * 3)];
        // Adam7: where each pass starts and how far apart its pixels lie. A plain image is one pass over all of them.
        ReadOnlySpan<(int X, int Y, int StepX, int StepY)> passes = interlaced
            ? [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
            : [(0, 0, 1, 1)];
        foreach ((int x, int y, int stepX, int stepY) in passes)
        {
            int count = (width - x + stepX - 1) / stepX;
            if (count <= 0)
            {
                continue;
            }

            int length = (int)(((long)count * bits + 7) / 8);
            above.AsSpan(0, length).Clear();
            for (int line = y; line < height; line += stepY)
            {
                int filter = pixels.ReadByte();
                pixels.ReadExactly(row, 0, length);
                Unfilter(filter < 0 ? throw new EndOfStreamException() : filter, row.AsSpan(0, length), above, Math.Max(1, bits / 8));
                ToRgb(row, rgb.AsSpan(0, 3 * count), samples);
                reducer.Add(line, rgb.AsSpan(0, 3 * count), 3, x, stepX);
                (row, above) = (above, row);
            }
        }

        return new RawImage(reducer.Height, reducer.Width, 3, reducer.ToBytes());
    }

    // Chapter 9 of the specification: each byte was written as the difference to what its neighbours foretell.
    private static void Unfilter(int filter, Span<byte> row, ReadOnlySpan<byte> above, int bytes)
    {
        switch (filter)
        {
            case 0:
                return;
            case 1:
                for (int i = bytes; i < row.Length; i++)
                {
                    row[i] += row[i - bytes];
                }

                return;
            case 2:
                for (int i = 0; i < row.Length; i++)
                {
                    row[i] += above[i];
                }

                return;
            case 3:
                for (int i = 0; i < row.Length; i++)
                {
                    row[i] += (byte)(((i < bytes ? 0 : row[i - bytes]) + above[i]) >> 1);
                }

                return;
            case 4:
                for (int i = 0; i < row.Length; i++)
                {
                    row[i] += i < bytes ? above[i] : Paeth(row[i - bytes], above[i], above[i - bytes]);
                }

                return;
            default:
                throw new InvalidDataException();
        }
    }

    private static byte Paeth(int left, int up, int upLeft)
    {
        int toLeft = Math.Abs(up - upLeft), toUp = Math.Abs(left - upLeft), toUpLeft = Math.Abs(left + up - 2 * upLeft);
        return (byte)(toLeft <= toUp && toLeft <= toUpLeft ? left : toUp <= toUpLeft ? up : upLeft);
    }

    private void ToRgb(ReadOnlySpan<byte> row, Span<byte> rgb, int samples)
    {
        int bytes = samples * depth / 8;
        for (int i = 0, o = 0; o < rgb.Length; i++, o += 3)
        {
            if (samples >= 3)
            {
                // Of 16 bits the upper 8.
                int at = i * bytes;
                (rgb[o], rgb[o + 1], rgb[o + 2]) = (row[at], row[at + depth / 8], row[at + depth / 4]);
                continue;
            }

            int value = depth >= 8 ? row[i * bytes] : row[i * depth / 8] >> (8 - depth - i * depth % 8) & (1 << depth) - 1;
            if ((Colour)colour == Colour.Palette)
            {
                if (3 * value + 3 > palette.Length)
                {
                    throw new InvalidDataException();
                }

                palette.AsSpan(3 * value, 3).CopyTo(rgb[o..]);
            }
            else
            {
                rgb.Slice(o, 3).Fill((byte)(depth >= 8 ? value : value * 255 / ((1 << depth) - 1)));
            }
        }
    }

    /// <summary>The content of consecutive IDAT chunks, read through as one stream.</summary>
    private sealed class Chunks(Stream file, uint left) : Stream
    {
        private uint left = left;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override int Read(Span<byte> buffer)
        {
            Span<byte> header = stackalloc byte[8];
            while (left == 0)
            {
                file.Position += 4;
                if (file.ReadAtLeast(header, 8, throwOnEndOfStream: false) < 8 || !header[4..].SequenceEqual("IDAT"u8))
                {
                    return 0;
                }

                left = BinaryPrimitives.ReadUInt32BigEndian(header);
            }

            int read = file.Read(buffer[..(int)Math.Min((uint)buffer.Length, left)]);
            left -= (uint)read;
            return read;
        }

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
