using System.Buffers.Binary;
using SkiaSharp;

namespace AdderNet.Data;

/// <summary>The EXIF tag by which a camera says how it was held.</summary>
internal static class ExifOrientation
{
    private const int Tag = 0x0112;

    /// <summary>The orientation of a PNG or WebP file, which Skia leaves to its caller.</summary>
    public static SKEncodedOrigin Find(Stream file, ImageFormat format)
    {
        // PNG: length, type, content, checksum, after 8 bytes. WebP: type, length, content to an even length, after 12 bytes.
        bool png = format == ImageFormat.Png;
        Span<byte> header = stackalloc byte[8];
        for (file.Position = png ? 8 : 12; file.ReadAtLeast(header, 8, throwOnEndOfStream: false) == 8;)
        {
            long length = png ? BinaryPrimitives.ReadUInt32BigEndian(header) : BinaryPrimitives.ReadUInt32LittleEndian(header[4..]);
            if (header[(png ? 4 : 0)..].StartsWith(png ? "eXIf"u8 : "EXIF"u8))
            {
                byte[] exif = new byte[Math.Min(length, 1 << 16)];
                return Parse(exif.AsSpan(0, file.ReadAtLeast(exif, exif.Length, throwOnEndOfStream: false)));
            }

            if (length > file.Length - file.Position)
            {
                break;
            }

            file.Position += length + (png ? 4 : length & 1);
        }

        return SKEncodedOrigin.TopLeft;
    }

    /// <summary>The orientation that a block of EXIF (a TIFF structure) tells; top-left where it tells none or is damaged.</summary>
    public static SKEncodedOrigin Parse(ReadOnlySpan<byte> tiff)
    {
        // The same block as in a JPEG, where some programs leave its name in front.
        tiff = tiff.StartsWith("Exif\0\0"u8) ? tiff[6..] : tiff;
        bool little = tiff.StartsWith<byte>([(byte)'I', (byte)'I', 42, 0]);
        if (tiff.Length < 8 || (!little && !tiff.StartsWith<byte>([(byte)'M', (byte)'M', 0, 42])))
        {
            return SKEncodedOrigin.TopLeft;
        }

        uint start = little ? BinaryPrimitives.ReadUInt32LittleEndian(tiff[4..]) : BinaryPrimitives.ReadUInt32BigEndian(tiff[4..]);
        if (start > tiff.Length - 2)
        {
            return SKEncodedOrigin.TopLeft;
        }

        ReadOnlySpan<byte> entries = tiff[((int)start + 2)..];
        for (int left = Short(tiff[(int)start..]); left > 0 && entries.Length >= 12; left--, entries = entries[12..])
        {
            if (Short(entries) == Tag)
            {
                return Short(entries[8..]) is >= 1 and <= 8 and var value ? (SKEncodedOrigin)value : SKEncodedOrigin.TopLeft;
            }
        }

        return SKEncodedOrigin.TopLeft;

        int Short(ReadOnlySpan<byte> at) => little ? BinaryPrimitives.ReadUInt16LittleEndian(at) : BinaryPrimitives.ReadUInt16BigEndian(at);
    }

    /// <summary>The image upright, as its viewers show it; in memory of its own unless it is upright already.</summary>
    public static RawImage Upright(this RawImage image, SKEncodedOrigin origin)
    {
        if (origin is SKEncodedOrigin.TopLeft)
        {
            return image;
        }

        // Where the stored image's row 0 and column 0 lie: the names of the origins say it.
        (bool bottom, bool right, bool swap) = origin switch
        {
            SKEncodedOrigin.TopRight => (false, true, false),
            SKEncodedOrigin.BottomRight => (true, true, false),
            SKEncodedOrigin.BottomLeft => (true, false, false),
            SKEncodedOrigin.LeftTop => (false, false, true),
            SKEncodedOrigin.RightTop => (false, true, true),
            SKEncodedOrigin.RightBottom => (true, true, true),
            _ => (true, false, true),
        };
        (int height, int width) = swap ? (image.Width, image.Height) : (image.Height, image.Width);
        ReadOnlySpan<byte> from = image.Pixels.Span;
        byte[] to = new byte[from.Length];
        for (int y = 0, o = 0; y < height; y++)
        {
            int a = bottom ? height - 1 - y : y;
            for (int x = 0; x < width; x++)
            {
                int b = right ? width - 1 - x : x;
                int i = image.Channels * (swap ? b * image.Width + a : a * image.Width + b);
                for (int c = 0; c < image.Channels; c++)
                {
                    to[o++] = from[i + c];
                }
            }
        }

        return new RawImage(height, width, image.Channels, to);
    }
}
