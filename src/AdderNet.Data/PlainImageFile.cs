using System.Buffers.Binary;

namespace AdderNet.Data;

/// <summary>
/// Reads images by this library's code alone, for programs that do without SkiaSharp's native library (10 MB): PNG, and
/// PGM and PPM of 8 bits.
/// </summary>
public static class PlainImageFile
{
    private const int MaxSide = 65_535;

    /// <summary>
    /// Reads an image as RGB; transparency is dropped. A PNG gives the pixels that <see cref="ImageFile.Read(string)"/> gives.
    /// </summary>
    /// <remarks>Of a PNG with more than 4 million pixels each square of 2x2 or more becomes one.</remarks>
    /// <exception cref="DataException">The file is missing, no such image, damaged, cut short, or larger than is read.</exception>
    public static RawImage Read(string path)
    {
        using FileStream file = DataFile.Open(path);
        return DataFile.Guard(path, () =>
        {
            if (!file.CanSeek)
            {
                throw new DataException($"{path} is no file, but a pipe or a device; save the image as a file first.");
            }

            Span<byte> start = stackalloc byte[ImageFormats.HeaderLength];
            start = start[..file.ReadAtLeast(start, start.Length, throwOnEndOfStream: false)];
            file.Position = 0;
            if (start is [(byte)'P', (byte)'5' or (byte)'6', ..])
            {
                return ReadPnm(file, path);
            }

            ImageFormat format = ImageFormats.Of(start, path);
            if (format != ImageFormat.Png)
            {
                throw new DataException($"{path} is a {format.Title()} image, and this program reads PNG, PGM and PPM; convert it first.");
            }

            if (start.Length >= 24)
            {
                CheckSize(path, BinaryPrimitives.ReadUInt32BigEndian(start[16..]), BinaryPrimitives.ReadUInt32BigEndian(start[20..]));
            }

            RawImage image = LargePng.Read(file, path, leastFactor: 1);
            return image.Upright(ExifOrientation.Find(file, format));
        });
    }

    // Netpbm's formats: magic number, columns, rows and largest value between blanks and comments, one blank, bytes.
    private static RawImage ReadPnm(FileStream file, string path)
    {
        int channels = (file.ReadByte(), file.ReadByte()) is (_, '6') ? 3 : 1;
        long width = Number(), height = Number(), largest = Number();
        CheckSize(path, width, height);
        if (largest != byte.MaxValue)
        {
            throw new DataException($"{path} has values up to {largest}, and only those up to 255 are read; convert it first.");
        }

        long length = width * height * channels;
        if (length > file.Length - file.Position)
        {
            throw new EndOfStreamException();
        }

        byte[] pixels = new byte[length];
        file.ReadExactly(pixels);
        return new RawImage((int)height, (int)width, channels, pixels).WithChannels(3);

        // Takes the one character after the number, too.
        long Number()
        {
            int c = file.ReadByte();
            for (; c is ' ' or '\t' or '\r' or '\n' or '#'; c = file.ReadByte())
            {
                while (c is '#' && file.ReadByte() is not ('\n' or -1))
                {
                }
            }

            long value = c is >= '0' and <= '9' ? 0 : throw new InvalidDataException("its header has no number where one should be");
            for (; c is >= '0' and <= '9' && value < 1_000_000; c = file.ReadByte())
            {
                value = 10 * value + c - '0';
            }

            return value;
        }
    }

    private static void CheckSize(string path, long width, long height)
    {
        if (width is < 1 or > MaxSide || height is < 1 or > MaxSide || width * height > ImageFile.MaxPixels)
        {
            throw new DataException(
                $"{path} has {width}x{height} pixels; images of 1 to {MaxSide} pixels a side, {ImageFile.MaxPixels:N0} in all, are read.");
        }
    }
}
