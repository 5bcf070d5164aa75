using SkiaSharp;

namespace AdderNet.Data;

/// <summary>Reads image files: JPEG, PNG, WebP, BMP, GIF (its first frame) and ICO, told apart by what they hold, not by their names.</summary>
public static class ImageFile
{
    /// <summary>Most pixels an image may have: larger ones are taken for files that were made to exhaust memory.</summary>
    public const long MaxPixels = 400_000_000;

    /// <summary>Most pixels that are decoded as they are: 57 MB while it lasts. Larger images are read at a fraction of their size.</summary>
    public const int MaxFullPixels = 15_000_000;

    // What decoders hold that know no smaller size: 4 bytes for each of these.
    private const int MaxWholePixels = 40_000_000;

    // What a decoder may hold to put a progressive JPEG together.
    private const long MaxCoefficientBytes = 192 << 20;

    // Larger files are read by and by.
    private const int MaxFileInMemory = 64 << 20;

    /// <summary>Reads an image as RGB, upright as its EXIF orientation says; transparency is dropped, as torchvision does.</summary>
    /// <remarks>More than <see cref="MaxFullPixels"/> are read at a fraction of the size, in memory that depends little on it.</remarks>
    /// <exception cref="DataException">The file is missing, no image, damaged, cut short, or larger than is read.</exception>
    public static RawImage Read(string path) => Read(path, new Buffers());

    /// <summary>Reads an image as if it were one of a data set: in its channels and, where its images have one size, scaled and cut around the centre to that.</summary>
    /// <exception cref="DataException">The file is missing, no image, damaged, cut short, or larger than is read.</exception>
    public static RawImage Read(string path, DatasetInfo dataset)
    {
        ArgumentNullException.ThrowIfNull(dataset);
        RawImage image = Read(path).WithChannels(dataset.Channels);
        return dataset.Height > 0 ? image.ResizeToCover(dataset.Height, dataset.Width) : image;
    }

    /// <summary>Rows and columns of an image in its file, upright, by its header alone; <see cref="Read(string)"/> may give fewer.</summary>
    /// <exception cref="DataException">The file is missing, no image, or damaged.</exception>
    internal static (int Height, int Width) ReadSize(string path)
    {
        using FileStream stream = DataFile.Open(path);
        return DataFile.Guard(path, () =>
        {
            byte[] start = new byte[ImageFormats.HeaderLength];
            ImageFormat format = ImageFormats.Of(start.AsSpan(0, stream.ReadAtLeast(start, start.Length, throwOnEndOfStream: false)), path);
            Source source = new(path, format, stream, () => SKCodec.Create(new SKFileStream(path)));
            using SKCodec codec = source.Open() ?? throw Damaged(source, SKCodecResult.InvalidInput);
            return UprightSize(source, codec);
        });
    }

    /// <summary>Decodes an image, as <see cref="Read(string)"/> does.</summary>
    /// <param name="file">The whole content of an image file.</param>
    /// <param name="name">What error messages call it.</param>
    /// <exception cref="DataException">It is no image, damaged, cut short, or larger than is read.</exception>
    public static RawImage Decode(ReadOnlySpan<byte> file, string name) => Decode(file, name, new Buffers());

    /// <summary>Reads an image; its pixels live in <paramref name="buffers"/> until the next call with these.</summary>
    internal static RawImage Read(string path, Buffers buffers)
    {
        using FileStream stream = DataFile.Open(path);
        return DataFile.Guard(path, () =>
        {
            if (!stream.CanSeek)
            {
                throw new DataException($"{path} is no file, but a pipe or a device; save the image as a file first.");
            }

            if (stream.Length > MaxFileInMemory)
            {
                Span<byte> start = stackalloc byte[ImageFormats.HeaderLength];
                int read = stream.ReadAtLeast(start, start.Length, throwOnEndOfStream: false);
                return Decode(new Source(path, ImageFormats.Of(start[..read], path), stream, () => SKCodec.Create(new SKFileStream(path))), buffers);
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
        ImageFormat format = ImageFormats.Of(file, name);
        format.RefuseHollow(file, name);
        fixed (byte* bytes = file)
        {
            using var stream = new UnmanagedMemoryStream(bytes, file.Length);
            using SKData data = SKData.Create((IntPtr)bytes, file.Length);
            if (format == ImageFormat.Jpeg && JpegHeader.Read(stream) is { } header && !JpegHeader.HasEnd(file[(int)Math.Min(header.ScanStart, file.Length)..]))
            {
                return Unended(file, name, buffers);
            }

            return Decode(new Source(name, format, stream, () => SKCodec.Create(data)), buffers);
        }
    }

    // A JPEG whose end marker is missing may still hold all of its pixels, or only some. A decoder can't tell where the bytes just stop, so
    // they go on here: if what they go on with changes any pixel, some were missing.
    private static RawImage Unended(ReadOnlySpan<byte> jpeg, string name, Buffers buffers)
    {
        byte[] continued = new byte[jpeg.Length + 256 + 2];
        jpeg.CopyTo(continued);
        (continued[^2], continued[^1]) = (0xFF, 0xD9);
        RawImage one = Decode(continued, name, new Buffers());
        continued.AsSpan(jpeg.Length, 256).Fill(0x55);
        RawImage two = Decode(continued, name, buffers);
        return one.Pixels.Span.SequenceEqual(two.Pixels.Span) ? two : throw CutShort(name, ImageFormat.Jpeg);
    }

    private static RawImage Decode(Source source, Buffers buffers)
    {
        using SKCodec codec = source.Open() ?? throw Damaged(source, SKCodecResult.InvalidInput);
        SKSizeI size = codec.Info.Size;
        long pixels = (long)size.Width * size.Height;
        // JPEG spends at least a bit on each 8x8 block, so no more than 512 pixels come from a byte.
        if (source.Format == ImageFormat.Jpeg && pixels > source.Content.Length * 512)
        {
            throw new DataException($"{source.Name} claims {size.Width}x{size.Height} pixels, more than its {source.Content.Length:N0} bytes can hold; get it again, or remove it.");
        }

        if (pixels > MaxPixels)
        {
            throw TooLarge(source, size, MaxPixels, "");
        }

        RawImage image = source.Format switch
        {
            ImageFormat.Jpeg => Jpeg(source, codec, buffers),
            ImageFormat.Png when pixels > MaxFullPixels => LargePng.Read(source.Content, source.Name).Upright(Origin(source, codec)),
            ImageFormat.Bmp when pixels > MaxFullPixels => Rows(source, codec, buffers),
            ImageFormat.WebP when pixels > MaxWholePixels && IsLossless(source.Content) => throw TooLarge(source, size, MaxWholePixels, " from a lossless WebP image"),
            ImageFormat.WebP => Whole(source, codec, Fitting(codec), buffers),
            _ when pixels > MaxWholePixels => throw TooLarge(source, size, MaxWholePixels, $" from {source.Format.Title()} images"),
            _ => Whole(source, codec, size, buffers),
        };
        if ((long)image.Height * image.Width == pixels)
        {
            return image;
        }

        (int height, int width) = UprightSize(source, codec);
        return image with { StoredHeight = height, StoredWidth = width };
    }

    private static (int Height, int Width) UprightSize(Source source, SKCodec codec)
    {
        SKSizeI size = codec.Info.Size;
        return Origin(source, codec) >= SKEncodedOrigin.LeftTop ? (size.Width, size.Height) : (size.Height, size.Width);
    }

    private static RawImage Jpeg(Source source, SKCodec codec, Buffers buffers)
    {
        SKSizeI size = codec.Info.Size;
        if ((long)size.Width * size.Height > MaxFullPixels && JpegHeader.Read(source.Content) is { IsWhole: true, CoefficientBytes: > MaxCoefficientBytes })
        {
            throw new DataException($"{source.Name} has {size.Width}x{size.Height} pixels in a progressive JPEG, more than is read of these; save it as a baseline JPEG or at a smaller size.");
        }

        return Whole(source, codec, Fitting(codec), buffers);
    }

    /// <summary>A size of at most <see cref="MaxFullPixels"/> that the decoder gives by itself.</summary>
    private static SKSizeI Fitting(SKCodec codec)
    {
        SKSizeI size = codec.Info.Size;
        for (float scale = 0.5f; (long)size.Width * size.Height > MaxFullPixels && scale >= 0.125f; scale /= 2)
        {
            size = codec.GetScaledDimensions(scale);
        }

        return size;
    }

    private static unsafe RawImage Whole(Source source, SKCodec codec, SKSizeI size, Buffers buffers)
    {
        int pixels = checked(size.Width * size.Height);
        if (buffers.Pixels.Length < pixels * 4)
        {
            buffers.Pixels = new byte[pixels * 4];
        }

        fixed (byte* target = buffers.Pixels)
        {
            SKImageInfo info = Plain(size);
            SKCodecResult result = codec.GetPixels(info, (IntPtr)target, info.RowBytes, SKCodecOptions.Default);
            if (result != SKCodecResult.Success)
            {
                throw Damaged(source, result);
            }

            // Drop alpha in place: each pixel moves to where nothing unread is left.
            for (int i = 1; i < pixels; i++)
            {
                target[3 * i] = target[4 * i];
                target[3 * i + 1] = target[4 * i + 1];
                target[3 * i + 2] = target[4 * i + 2];
            }
        }

        return new RawImage(size.Height, size.Width, 3, buffers.Pixels.AsMemory(0, pixels * 3)).Upright(Origin(source, codec));
    }

    private static unsafe RawImage Rows(Source source, SKCodec codec, Buffers buffers)
    {
        SKImageInfo info = Plain(codec.Info.Size);
        if (codec.StartScanlineDecode(info) != SKCodecResult.Success)
        {
            // A run-length coded BMP jumps about in the image.
            return (long)info.Width * info.Height <= MaxWholePixels
                ? Whole(source, codec, codec.Info.Size, buffers)
                : throw TooLarge(source, info.Size, MaxWholePixels, " from a compressed BMP image");
        }

        var reducer = new BoxReducer(info.Height, info.Width);
        byte[] row = new byte[info.RowBytes];
        fixed (byte* target = row)
        {
            for (int i = 0; i < info.Height; i++)
            {
                if (codec.GetScanlines((IntPtr)target, 1, info.RowBytes) != 1)
                {
                    throw Damaged(source, SKCodecResult.IncompleteInput);
                }

                reducer.Add(codec.GetOutputScanline(i), row, 4);
            }
        }

        return new RawImage(reducer.Height, reducer.Width, 3, reducer.ToBytes());
    }

    // No colour space: the numbers in the file are the pixels, as Pillow reads them.
    private static SKImageInfo Plain(SKSizeI size) => new(size.Width, size.Height, SKColorType.Rgba8888, SKAlphaType.Unpremul);

    private static SKEncodedOrigin Origin(Source source, SKCodec codec) => source.Format is ImageFormat.Png or ImageFormat.WebP
        ? ExifOrientation.Find(source.Content, source.Format)
        : codec.EncodedOrigin;

    // Also where transparency, or an animation's first frame, lies around the lossless part.
    private static bool IsLossless(Stream webP)
    {
        Span<byte> start = stackalloc byte[4096];
        webP.Position = 0;
        start = start[..webP.ReadAtLeast(start, start.Length, throwOnEndOfStream: false)];
        return start.IndexOf("VP8L"u8) >= 0;
    }

    private static DataException TooLarge(Source source, SKSizeI size, long most, string of) =>
        new($"{source.Name} has {size.Width}x{size.Height} pixels, more than the {most:N0} that are read{of}; scale it down first.");

    private static DataException Damaged(Source source, SKCodecResult result) => result == SKCodecResult.IncompleteInput
        ? CutShort(source.Name, source.Format)
        : new DataException($"{source.Name} is a damaged {source.Format.Title()} image; get it again, or remove it.");

    private static DataException CutShort(string name, ImageFormat format) =>
        new($"{name} is a {format.Title()} image that is cut short; get it again, or remove it.");

    /// <summary>Room for one file and one image; grows to the largest and stays.</summary>
    internal sealed class Buffers
    {
        public byte[] File { get; set; } = [];

        public byte[] Pixels { get; set; } = [];
    }

    /// <summary>An image file: its name for messages, its content, and how to open a decoder on it.</summary>
    private sealed record Source(string Name, ImageFormat Format, Stream Content, Func<SKCodec?> Open);
}
