using SkiaSharp;

namespace AdderNet.Data;

/// <summary>Writes images.</summary>
internal static class ImageWriter
{
    /// <summary>An image as the content of a PNG file.</summary>
    public static byte[] Png(RawImage image)
    {
        using SKBitmap bitmap = ToBitmap(image);
        using SKData data = bitmap.Encode(SKEncodedImageFormat.Png, 100);
        return data.ToArray();
    }

    /// <summary>An image that can be drawn on.</summary>
    public static SKBitmap ToBitmap(RawImage image)
    {
        SKBitmap bitmap = new(image.Width, image.Height, image.Channels == 1 ? SKColorType.Gray8 : SKColorType.Rgba8888, SKAlphaType.Opaque);
        Span<byte> to = bitmap.GetPixelSpan();
        ReadOnlySpan<byte> from = image.Pixels.Span;
        int bytes = image.Channels == 1 ? 1 : 4;
        for (int y = 0; y < image.Height; y++)
        {
            Span<byte> row = to[(y * bitmap.RowBytes)..];
            for (int x = 0; x < image.Width; x++)
            {
                for (int c = 0; c < bytes; c++)
                {
                    row[x * bytes + c] = c == 3 ? (byte)255 : from[(y * image.Width + x) * image.Channels + c];
                }
            }
        }

        return bitmap;
    }
}
