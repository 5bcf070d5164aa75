using AdderNet.Data;
using AdderNet.Data.Detection;
using AdderNet.Training.Detection;
using SkiaSharp;

namespace AdderNet.Reproduction;

/// <summary>Images with their labels beside what detectors find in them, in one picture: a row an image.</summary>
internal static class DetectionPictures
{
    /// <summary>Detections that are less sure are not drawn.</summary>
    public const float LeastScore = 0.5f;

    private const int Rows = 4, Side = 320, Gap = 8, Heading = 28;

    /// <summary>The content of a PNG file with the first images.</summary>
    /// <param name="data">The images with their labels.</param>
    /// <param name="detectors">What the detectors are called, and what they find in these images.</param>
    public static byte[] Draw(DetectionDataset data, IReadOnlyList<(string Title, DetectionEvaluationResult Result)> detectors)
    {
        int rows = Math.Min(Rows, data.Count), columns = 1 + detectors.Count;
        RawImage[] images = [.. Enumerable.Range(0, rows).Select(i => Fitted(data.Read(i)))];
        int[] tops = [.. images.Select((_, i) => Heading + images.Take(i).Sum(before => before.Height + Gap))];
        using SKBitmap bitmap = new(columns * (Side + Gap) - Gap, tops[^1] + images[^1].Height);
        using SKCanvas canvas = new(bitmap);
        canvas.Clear(SKColors.White);
        using SKFont font = new(SKTypeface.Default, 16);
        using SKPaint black = new() { Color = SKColors.Black, IsAntialias = true };
        foreach (var (column, title) in detectors.Select(d => d.Title).Prepend("labels").Index())
        {
            canvas.DrawText(title, column * (Side + Gap), Heading - 9, SKTextAlign.Left, font, black);
        }

        foreach (var (i, image) in images.Index())
        {
            Place(0, data.Images[i].Objects.Select(o => (o.Class, o.Box, data.ClassNames[o.Class])));
            foreach (var (d, (_, result)) in detectors.Index())
            {
                Place(d + 1, result.Found[i].Where(f => f.Score >= LeastScore).Reverse()
                    .Select(f => (f.Class, f.Box, FormattableString.Invariant($"{data.ClassNames[f.Class]} {f.Score:F2}"))));
            }

            void Place(int column, IEnumerable<(int Class, Box Box, string Label)> boxes)
            {
                Placement placement = Placement.Identity.Scale(
                    (double)image.Width / data.Images[i].Width, (double)image.Height / data.Images[i].Height);
                using SKBitmap drawn =
                    BoxPicture.Draw(image, boxes.Select(b => new DrawnBox(placement.Apply(b.Box), b.Label, Colour(b.Class))));
                canvas.DrawBitmap(drawn, column * (Side + Gap), tops[i]);
            }
        }

        using SKData encoded = bitmap.Encode(SKEncodedImageFormat.Png, 100);
        return encoded.ToArray();
    }

    private static string Colour(int label) => Charts.Categories[label % Charts.Categories.Count].ToSKColor().ToString();

    private static RawImage Fitted(RawImage image)
    {
        double scale = (double)Side / Math.Max(image.Width, image.Height);
        return image.Resize(Math.Max(1, (int)(image.Height * scale)), Math.Max(1, (int)(image.Width * scale)));
    }
}
