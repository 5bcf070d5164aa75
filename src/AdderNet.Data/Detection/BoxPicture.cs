using SkiaSharp;

namespace AdderNet.Data.Detection;

/// <summary>A box to be drawn.</summary>
/// <param name="Box">Where, in pixels of the image.</param>
/// <param name="Label">What is written on it.</param>
/// <param name="Color">Its colour, as #rrggbb.</param>
internal sealed record DrawnBox(Box Box, string Label, string Color);

/// <summary>Draws boxes with their labels onto images.</summary>
internal static class BoxPicture
{
    /// <summary>An image with boxes, as the content of a PNG file.</summary>
    /// <param name="image">The image.</param>
    /// <param name="boxes">The boxes; later ones lie above earlier ones.</param>
    public static byte[] Png(RawImage image, IEnumerable<DrawnBox> boxes)
    {
        using SKBitmap bitmap = Draw(image, boxes);
        using SKData data = bitmap.Encode(SKEncodedImageFormat.Png, 100);
        return data.ToArray();
    }

    /// <summary>An image with boxes.</summary>
    /// <param name="image">The image.</param>
    /// <param name="boxes">The boxes; later ones lie above earlier ones.</param>
    public static SKBitmap Draw(RawImage image, IEnumerable<DrawnBox> boxes)
    {
        ArgumentNullException.ThrowIfNull(boxes);
        SKBitmap bitmap = ImageWriter.ToBitmap(image.WithChannels(3));
        using SKCanvas canvas = new(bitmap);
        float size = Math.Clamp(Math.Min(image.Width, image.Height) / 30f, 11, 40);
        using SKFont font = new(SKTypeface.Default, size);
        foreach (DrawnBox drawn in boxes)
        {
            Box box = drawn.Box;
            SKColor color = SKColor.Parse(drawn.Color);
            using SKPaint line = new() { Color = color, IsStroke = true, StrokeWidth = Math.Max(1, size / 8) };
            using SKPaint fill = new() { Color = color }, text = new() { Color = SKColors.White, IsAntialias = true };
            canvas.DrawRect(new SKRect(box.X0, box.Y0, box.X1, box.Y1), line);
            float width = font.MeasureText(drawn.Label) + size / 3, height = size * 1.2f, top = box.Y0 >= height ? box.Y0 - height : box.Y0;
            canvas.DrawRect(SKRect.Create(box.X0, top, width, height), fill);
            canvas.DrawText(drawn.Label, box.X0 + size / 6, top + size * 0.95f, SKTextAlign.Left, font, text);
        }

        canvas.Flush();
        return bitmap;
    }
}
