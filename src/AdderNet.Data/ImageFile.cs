using System.Buffers.Binary;
using SkiaSharp;

namespace AdderNet.Data;

/// <summary>Reads JPEG and PNG images.</summary>
public static class ImageFile
{
    /// <summary>Most pixels a decoded image may have: 57 MB while it is decoded. Larger baseline JPEGs are decoded at a half, a quarter or an eighth.</summary>
    public const int MaxPixels = 15_000_000;

    private const int MaxFileBytes = 256 << 20;

    /// <summary>Whether the file's name ends as an image's that this class reads: .jpg, .jpeg or .png.</summary>
    public static bool HasImageExtension(string path)
    {
        string extension = Path.GetExtension(path);
        return extension.Equals(".jpg", StringComparison.OrdinalIgnoreCase)
            || extension.Equals(".jpeg", StringComparison.OrdinalIgnoreCase)
            || extension.Equals(".png", StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>Reads an image as RGB. As torchvision does, transparency is dropped and no rotation tag is applied.</summary>
    /// <exception cref="DataException">The file is missing, no JPEG or PNG, damaged, or larger than is read.</exception>
    public static RawImage Read(string path) => Read(path, new Buffers());

    /// <summary>Reads an image as if it were one of a data set: in its channels and, where its images have one size, scaled and cut around the centre to that.</summary>
    /// <exception cref="DataException">The file is missing, no JPEG or PNG, damaged, or larger than is read.</exception>
    public static RawImage Read(string path, DatasetInfo dataset)
    {
        ArgumentNullException.ThrowIfNull(dataset);
        RawImage image = Read(path).WithChannels(dataset.Channels);
        return dataset.Height > 0 ? image.ResizeToCover(dataset.Height, dataset.Width) : image;
    }

    /// <summary>Decodes an image, as <see cref="Read(string)"/> does.</summary>
    /// <param name="file">The whole content of a JPEG or PNG file.</param>
    /// <param name="name">What error messages call it.</param>
    /// <exception cref="DataException">It is no JPEG or PNG, damaged, or larger than is read.</exception>
    public static RawImage Decode(ReadOnlySpan<byte> file, string name) => Decode(file, name, new Buffers());

    /// <summary>Reads an image; its pixels live in <paramref name="buffers"/> until the next call with these.</summary>
    internal static RawImage Read(string path, Buffers buffers)
    {
        using FileStream stream = DataFile.Open(path);
        return DataFile.Guard(path, () =>
        {
            if (stream.Length > MaxFileBytes)
            {
                throw new DataException($"{path} has {stream.Length:N0} bytes, more than the {MaxFileBytes:N0} read from a picture; scale it down first.");
            }

            int length = (int)stream.Length;
            if (buffers.File.Length < length)
            {
                buffers.File = new byte[length];
            }

            stream.ReadExactly(buffers.File, 0, length);
            return Decode(buffers.File.AsSpan(0, length), path, buffers);
        });
    }

    private static unsafe RawImage Decode(ReadOnlySpan<byte> file, string name, Buffers buffers)
    {
        bool jpeg = file.StartsWith<byte>([0xFF, 0xD8, 0xFF]);
        if (!jpeg && !file.StartsWith<byte>([0x89, (byte)'P', (byte)'N', (byte)'G', 0x0D, 0x0A, 0x1A, 0x0A]))
        {
            throw new DataException($"{name} is not a JPEG or PNG image; give an image of one of these formats.");
        }

        fixed (byte* bytes = file)
        {
            using SKData data = SKData.Create((IntPtr)bytes, file.Length);
            using SKCodec? codec = SKCodec.Create(data);
            if (codec is null)
            {
                throw new DataException($"{name} is a damaged {(jpeg ? "JPEG" : "PNG")} image; replace or remove it.");
            }

            SKSizeI size = FittingSize(codec, jpeg, file, name);
            int pixels = size.Width * size.Height;
            if (buffers.Pixels.Length < pixels * 4)
            {
                buffers.Pixels = new byte[pixels * 4];
            }

            fixed (byte* target = buffers.Pixels)
            {
                // No colour space: the numbers in the file are the pixels, as Pillow reads them.
                var info = new SKImageInfo(size.Width, size.Height, SKColorType.Rgba8888, SKAlphaType.Unpremul);
                SKCodecResult result = codec.GetPixels(info, (IntPtr)target, info.RowBytes, SKCodecOptions.Default);
                if (result != SKCodecResult.Success)
                {
                    string what = result == SKCodecResult.IncompleteInput ? "cut short" : "damaged";
                    throw new DataException($"{name} is a {what} {(jpeg ? "JPEG" : "PNG")} image; replace or remove it.");
                }

                // Drop alpha in place: each pixel moves to where nothing unread is left.
                for (int i = 1; i < pixels; i++)
                {
                    target[3 * i] = target[4 * i];
                    target[3 * i + 1] = target[4 * i + 1];
                    target[3 * i + 2] = target[4 * i + 2];
                }
            }

            return new RawImage(size.Height, size.Width, 3, buffers.Pixels.AsMemory(0, pixels * 3));
        }
    }

    // The size to decode at, decided before a byte of pixels is allocated.
    private static SKSizeI FittingSize(SKCodec codec, bool jpeg, ReadOnlySpan<byte> file, string name)
    {
        SKSizeI size = codec.Info.Size;
        long Pixels() => (long)size.Width * size.Height;

        // JPEG spends at least a bit on each 8x8 block, so no more than 512 pixels come from a byte.
        if (jpeg && Pixels() > file.Length * 512L)
        {
            throw new DataException($"{name} claims {size.Width}x{size.Height} pixels, more than its {file.Length:N0} bytes can hold; replace or remove it.");
        }

        if (jpeg && IsBaseline(file))
        {
            for (float scale = 0.5f; Pixels() > MaxPixels && scale >= 0.125f; scale /= 2)
            {
                size = codec.GetScaledDimensions(scale);
            }
        }

        if (Pixels() > MaxPixels)
        {
            throw new DataException($"{name} has {size.Width}x{size.Height} pixels, more than the {MaxPixels:N0} that are read; scale it down first.");
        }

        return size;
    }

    // Only a baseline JPEG is decoded row by row; a progressive one needs memory for all of its coefficients first.
    private static bool IsBaseline(ReadOnlySpan<byte> jpeg)
    {
        int at = 2;
        while (at + 4 <= jpeg.Length && jpeg[at] == 0xFF)
        {
            byte marker = jpeg[at + 1];
            if (marker is 0xC0 or 0xC1)
            {
                return true;
            }

            if (marker is 0xC2 or 0xDA)
            {
                return false;
            }

            at += marker == 0xFF ? 1 : 2 + BinaryPrimitives.ReadUInt16BigEndian(jpeg[(at + 2)..]);
        }

        return false;
    }

    /// <summary>Room for one file and one image; grows to the largest and stays.</summary>
    internal sealed class Buffers
    {
        public byte[] File { get; set; } = [];

        public byte[] Pixels { get; set; } = [];
    }
}
