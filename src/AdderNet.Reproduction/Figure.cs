using System.Text;
using ScottPlot;
using SkiaSharp;

namespace AdderNet.Reproduction;

/// <summary>How an entry of the legend is drawn.</summary>
internal enum KeyMark
{
    Line,
    Dashes,
    Dot,
    Area,
}

/// <summary>An entry of a legend.</summary>
internal sealed record Key(string Label, Color Color, KeyMark Mark = KeyMark.Line);

/// <summary>A picture: panels in a grid, row by row, and one legend for all of them below, where it covers no data.</summary>
/// <param name="panels">The panels, row by row; they belong to the figure.</param>
/// <param name="columns">Panels in a row.</param>
/// <param name="width">Of the whole picture, in pixels.</param>
/// <param name="height">Of the whole picture, in pixels.</param>
/// <param name="legend">The entries of the legend; none draws no legend.</param>
internal sealed class Figure(IReadOnlyList<Plot> panels, int columns, int width, int height, params IReadOnlyList<Key> legend) : IDisposable
{
    private const float FontSize = 14, LineHeight = 24, MarkWidth = 24, Gap = 8, Margin = 10;

    public int Width => width;

    public int Height => height;

    public byte[] Png()
    {
        using SKSurface surface = SKSurface.Create(new SKImageInfo(width, height));
        Draw(surface.Canvas);
        using SKImage image = surface.Snapshot();
        using SKData data = image.Encode(SKEncodedImageFormat.Png, 100);
        return data.ToArray();
    }

    public string Svg()
    {
        using MemoryStream stream = new();
        using (SKCanvas canvas = SKSvgCanvas.Create(SKRect.Create(width, height), stream))
        {
            Draw(canvas);
        }

        // Where the reader's machine lacks the typeface, its plain one is to stand in.
        return Encoding.UTF8.GetString(stream.ToArray())
            .Replace($"font-family=\"{Charts.FontFamily}\"", $"font-family=\"{Charts.FontFamily}, sans-serif\"", StringComparison.Ordinal);
    }

    public void Dispose()
    {
        foreach (Plot panel in panels)
        {
            panel.Dispose();
        }
    }

    private void Draw(SKCanvas canvas)
    {
        canvas.Clear(SKColors.White);
        using SKFont font = new(Fonts.GetTypeface(Charts.FontFamily, false, false), FontSize);
        List<List<Key>> lines = Wrapped(font);
        float bottom = height - lines.Count * LineHeight - (lines.Count > 0 ? Margin : 0);
        int rows = (panels.Count + columns - 1) / columns;
        for (int i = 0; i < panels.Count; i++)
        {
            var (row, column) = (i / columns, i % columns);
            panels[i].Render(canvas, new PixelRect(
                (float)width * column / columns, (float)width * (column + 1) / columns, bottom * (row + 1) / rows, bottom * row / rows));
        }

        for (int i = 0; i < lines.Count; i++)
        {
            DrawKeys(canvas, font, lines[i], bottom + (i + .5f) * LineHeight);
        }
    }

    private List<List<Key>> Wrapped(SKFont font)
    {
        List<List<Key>> lines = [];
        float used = float.PositiveInfinity;
        foreach (Key key in legend)
        {
            if (used + WidthOf(key, font) > width)
            {
                lines.Add([]);
                used = 0;
            }

            lines[^1].Add(key);
            used += WidthOf(key, font);
        }

        return lines;
    }

    private void DrawKeys(SKCanvas canvas, SKFont font, List<Key> keys, float y)
    {
        using SKPaint text = new() { Color = SKColors.Black, IsAntialias = true };
        float x = (width - keys.Sum(k => WidthOf(k, font))) / 2 + Gap;
        foreach (Key key in keys)
        {
            using SKPaint paint = new() { Color = key.Color.ToSKColor(), IsAntialias = true, StrokeWidth = 3 };
            switch (key.Mark)
            {
                case KeyMark.Dot:
                    canvas.DrawCircle(x + MarkWidth / 2, y, 6, paint);
                    break;
                case KeyMark.Area:
                    canvas.DrawRect(x, y - 7, MarkWidth, 14, paint);
                    break;
                case KeyMark.Dashes:
                    canvas.DrawLine(x, y, x + MarkWidth * .4f, y, paint);
                    canvas.DrawLine(x + MarkWidth * .6f, y, x + MarkWidth, y, paint);
                    break;
                default:
                    canvas.DrawLine(x, y, x + MarkWidth, y, paint);
                    break;
            }

            canvas.DrawText(key.Label, x + MarkWidth + Gap, y + FontSize * .36f, SKTextAlign.Left, font, text);
            x += WidthOf(key, font);
        }
    }

    private static float WidthOf(Key key, SKFont font) => MarkWidth + 3 * Gap + font.MeasureText(key.Label);
}
