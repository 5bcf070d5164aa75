using System.Buffers.Binary;
using System.IO.Compression;
using SkiaSharp;

namespace AdderNet.Data.Tests;

/// <summary>Image files of many kinds, put together byte by byte.</summary>
internal static class ImageSamples
{
    /// <summary>Red, green, blue and white, each a quarter.</summary>
    public static readonly byte[][] Quarters = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]];

    /// <summary>The colour of a pixel of an image of four quarters.</summary>
    public static byte[] Quarter(int x, int y, int width, int height) => Quarters[2 * (y >= height / 2 ? 1 : 0) + (x >= width / 2 ? 1 : 0)];

    /// <summary>The quarters of an image, read at their centres, as letters: RGBW where nothing is turned.</summary>
    public static string Read(RawImage image) => string.Concat(new[] { (1, 1), (1, 3), (3, 1), (3, 3) }.Select(at =>
    {
        ReadOnlySpan<byte> p = image.Pixels.Span.Slice(((image.Height * at.Item1 / 4 * image.Width) + image.Width * at.Item2 / 4) * 3, 3);
        return (p[0] > 127, p[1] > 127, p[2] > 127) switch
        {
            (true, false, false) => 'R',
            (false, true, false) => 'G',
            (false, false, true) => 'B',
            (true, true, true) => 'W',
            _ => '?',
        };
    }));

    /// <summary>Four quarters in a format that Skia writes.</summary>
    public static byte[] Encoded(SKEncodedImageFormat format, int width = 64, int height = 32, int quality = 95)
    {
        using var bitmap = new SKBitmap(new SKImageInfo(width, height, SKColorType.Rgba8888, SKAlphaType.Unpremul));
        for (int y = 0; y < height; y++)
        {
            for (int x = 0; x < width; x++)
            {
                byte[] c = Quarter(x, y, width, height);
                bitmap.SetPixel(x, y, new SKColor(c[0], c[1], c[2]));
            }
        }

        using SKData data = bitmap.Encode(format, quality);
        return data.ToArray();
    }

    /// <summary>EXIF with nothing but an orientation.</summary>
    public static byte[] Exif(int orientation, bool little = true)
    {
        byte[] block = new byte[26];
        (little ? "II*\0"u8 : "MM\0*"u8).CopyTo(block);
        Put(4, 8, 4);
        Put(8, 1, 2);
        Put(10, 0x112, 2);
        Put(12, 3, 2);
        Put(14, 1, 4);
        Put(18, orientation, 2);
        return block;

        void Put(int at, int value, int bytes)
        {
            for (int i = 0; i < bytes; i++)
            {
                block[at + (little ? i : bytes - 1 - i)] = (byte)(value >> (8 * i));
            }
        }
    }

    /// <summary>A JPEG with EXIF put in behind its first marker.</summary>
    public static byte[] WithExif(byte[] jpeg, byte[] exif) =>
        [.. jpeg[..2], 0xFF, 0xE1, (byte)((exif.Length + 8) >> 8), (byte)(exif.Length + 8), .. "Exif\0\0"u8, .. exif, .. jpeg[2..]];

    /// <summary>A WebP in its extended form, with EXIF.</summary>
    public static byte[] ExtendedWebP(byte[] simple, int width, int height, byte[] exif) => WebP(
        Chunk("VP8X", [0x08, 0, 0, 0, .. Three(width - 1), .. Three(height - 1)]), simple[12..], Chunk("EXIF", exif));

    /// <summary>A WebP of several frames that follow each other.</summary>
    public static byte[] AnimatedWebP(int width, int height, params byte[][] frames) => WebP(
    [
        Chunk("VP8X", [0x02, 0, 0, 0, .. Three(width - 1), .. Three(height - 1)]),
        Chunk("ANIM", [0, 0, 0, 0, 0, 0]),
        .. frames.Select(frame => Chunk("ANMF", [0, 0, 0, 0, 0, 0, .. Three(width - 1), .. Three(height - 1), 100, 0, 0, 0, .. frame[12..]])),
    ]);

    /// <summary>A BMP of 1, 8, 24 or 32 bits; palettes are grey.</summary>
    public static byte[] Bmp(int width, int height, int bits, Func<int, int, byte[]> colour, bool topDown = false)
    {
        int stride = (width * bits + 31) / 32 * 4, colours = bits <= 8 ? 1 << bits : 0, start = 54 + 4 * colours;
        byte[] file = new byte[start + stride * height];
        "BM"u8.CopyTo(file);
        foreach ((int at, int value) in new[] { (2, file.Length), (10, start), (14, 40), (18, width), (22, topDown ? -height : height), (26, 1 | bits << 16), (34, stride * height) })
        {
            BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(at), value);
        }

        for (int i = 0; i < colours; i++)
        {
            file.AsSpan(54 + 4 * i, 3).Fill((byte)(255 * i / (colours - 1)));
        }

        for (int y = 0; y < height; y++)
        {
            Span<byte> row = file.AsSpan(start + stride * (topDown ? y : height - 1 - y), stride);
            for (int x = 0; x < width; x++)
            {
                byte[] c = colour(x, y);
                switch (bits)
                {
                    case 1:
                        row[x / 8] |= (byte)(c[0] >> 7 << (7 - x % 8));
                        break;
                    case 8:
                        row[x] = c[0];
                        break;
                    default:
                        (row[x * bits / 8], row[x * bits / 8 + 1], row[x * bits / 8 + 2]) = (c[2], c[1], c[0]);
                        break;
                }
            }
        }

        return file;
    }

    /// <summary>A GIF of frames, each of the palette index that its function gives.</summary>
    public static byte[] Gif(int width, int height, byte[][] palette, params Func<int, int, int>[] frames)
    {
        var file = new List<byte>([.. "GIF89a"u8, (byte)width, (byte)(width >> 8), (byte)height, (byte)(height >> 8), 0xF6, 0, 0]);
        for (int i = 0; i < 128; i++)
        {
            file.AddRange(i < palette.Length ? palette[i] : [0, 0, 0]);
        }

        foreach (Func<int, int, int> frame in frames)
        {
            file.AddRange([0x21, 0xF9, 4, 0, 10, 0, 0, 0, 0x2C, 0, 0, 0, 0, (byte)width, (byte)(width >> 8), (byte)height, (byte)(height >> 8), 0, 7]);
            // Codes of 8 bits: the table is emptied before it needs a ninth.
            var codes = new List<byte>();
            for (int i = 0; i < width * height; i++)
            {
                if (i % 100 == 0)
                {
                    codes.Add(128);
                }

                codes.Add((byte)frame(i % width, i / width));
            }

            codes.Add(129);
            foreach (byte[] block in codes.Chunk(255))
            {
                file.AddRange([(byte)block.Length, .. block]);
            }

            file.Add(0);
        }

        file.Add(0x3B);
        return [.. file];
    }

    /// <summary>An icon that holds a PNG.</summary>
    public static byte[] Ico(byte[] png, int side)
    {
        byte[] head = [0, 0, 1, 0, 1, 0, (byte)side, (byte)side, 0, 0, 1, 0, 32, 0, 0, 0, 0, 0, 22, 0, 0, 0];
        BinaryPrimitives.WriteInt32LittleEndian(head.AsSpan(14), png.Length);
        return [.. head, .. png];
    }

    /// <summary>A PNG of any kind: <paramref name="samples"/> gives the numbers of a pixel at the image's depth.</summary>
    public static byte[] Png(
        int width, int height, int depth, int colour, Func<int, int, int[]> samples, bool interlaced = false, byte[]? palette = null,
        byte[]? transparency = null, byte[]? exif = null)
    {
        var pixels = new MemoryStream();
        using (var zlib = new ZLibStream(pixels, CompressionLevel.Fastest, leaveOpen: true))
        {
            WriteRows(zlib, width, height, depth, samples, interlaced);
        }

        byte[] data = pixels.ToArray();
        int half = data.Length / 2;
        byte[] header = new byte[13];
        BinaryPrimitives.WriteInt32BigEndian(header, width);
        BinaryPrimitives.WriteInt32BigEndian(header.AsSpan(4), height);
        (header[8], header[9], header[12]) = ((byte)depth, (byte)colour, (byte)(interlaced ? 1 : 0));
        var file = new List<byte>([0x89, .. "PNG\r\n"u8, 0x1A, 0x0A]);
        Add("IHDR", header);
        Add("PLTE", palette);
        Add("tRNS", transparency);
        Add("eXIf", exif);
        Add("IDAT", data[..half]);
        Add("IDAT", data[half..]);
        Add("IEND", []);
        return Checksums.RepairPng([.. file]);

        void Add(string type, byte[]? content)
        {
            if (content is not null)
            {
                byte[] length = new byte[4];
                BinaryPrimitives.WriteInt32BigEndian(length, content.Length);
                file.AddRange([.. length, .. System.Text.Encoding.ASCII.GetBytes(type), .. content, 0, 0, 0, 0]);
            }
        }
    }

    private static void WriteRows(Stream zlib, int width, int height, int depth, Func<int, int, int[]> samples, bool interlaced)
    {
        (int, int, int, int)[] passes = interlaced
            ? [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
            : [(0, 0, 1, 1)];
        int filter = 0;
        foreach ((int left, int top, int stepX, int stepY) in passes)
        {
            byte[]? above = null;
            for (int y = top; y < height && left < width; y += stepY)
            {
                var bits = new List<bool>();
                for (int x = left; x < width; x += stepX)
                {
                    foreach (int value in samples(x, y))
                    {
                        for (int bit = depth - 1; bit >= 0; bit--)
                        {
                            bits.Add((value >> bit & 1) != 0);
                        }
                    }
                }

                byte[] row = new byte[(bits.Count + 7) / 8];
                for (int i = 0; i < bits.Count; i++)
                {
                    row[i / 8] |= (byte)((bits[i] ? 1 : 0) << (7 - i % 8));
                }

                // Every filter gets its turn.
                zlib.WriteByte((byte)filter);
                zlib.Write(Filtered(filter, row, above ?? new byte[row.Length], Math.Max(1, samples(0, 0).Length * depth / 8)));
                (above, filter) = (row, (filter + 1) % 5);
            }
        }
    }

    private static byte[] Filtered(int filter, byte[] row, byte[] above, int bytes) => [.. row.Select((value, i) =>
    {
        int a = i < bytes ? 0 : row[i - bytes], b = above[i], c = i < bytes ? 0 : above[i - bytes], p = a + b - c;
        int paeth = Math.Abs(p - a) <= Math.Abs(p - b) && Math.Abs(p - a) <= Math.Abs(p - c) ? a : Math.Abs(p - b) <= Math.Abs(p - c) ? b : c;
        return (byte)(value - filter switch { 0 => 0, 1 => a, 2 => b, 3 => (a + b) / 2, _ => paeth });
    })];

    private static byte[] WebP(params byte[][] chunks)
    {
        byte[] content = [.. "WEBP"u8, .. chunks.SelectMany(c => c)];
        return [.. Chunk("RIFF", content)];
    }

    private static byte[] Chunk(string type, byte[] content)
    {
        byte[] length = new byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(length, content.Length);
        return [.. System.Text.Encoding.ASCII.GetBytes(type), .. length, .. content, .. new byte[content.Length % 2]];
    }

    private static byte[] Three(int value) => [(byte)value, (byte)(value >> 8), (byte)(value >> 16)];
}
