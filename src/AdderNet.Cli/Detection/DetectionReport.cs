using System.Globalization;
using System.Net;
using System.Text;
using AdderNet.Checkpoints;
using AdderNet.Data;
using AdderNet.Data.Detection;
using AdderNet.Training.Detection;

namespace AdderNet.Cli.Detection;

/// <summary>
/// A detector's results as one HTML file that needs nothing else: table, curves, confusion matrix, labels beside detections.
/// </summary>
internal static class DetectionReport
{
    private const int MostPictures = 16, PictureWidth = 420;

    /// <summary>Colours that can be told apart, one a class, over and over.</summary>
    private static readonly string[] Colors =
    [
        "#e6194b", "#3cb44b", "#4363d8", "#f58231", "#911eb4", "#0aa5a5", "#d62fc0", "#8a9a00", "#9a6324", "#800000", "#2f7f5f", "#808000",
        "#000075", "#5f5f5f",
    ];

    /// <summary>Writes the report.</summary>
    /// <param name="path">The file; an older report is replaced.</param>
    /// <param name="model">The detector.</param>
    /// <param name="data">What it was measured on.</param>
    /// <param name="result">What it reached.</param>
    /// <returns>The file.</returns>
    public static string Write(string path, LoadedModel model, DetectionDataset data, DetectionEvaluationResult result)
    {
        // The most useful operating point: detections that are surer than at the best F1 of most classes.
        PrecisionRecall[] curves = [.. Enumerable.Range(0, data.ClassNames.Count).Select(result.Meter.Curve)];
        float[] best = [.. curves.Where(c => c.BestF1 is not null).Select(c => c.BestF1!.Value.Score).Order()];
        float least = best.Length == 0 ? 0.5f : best[best.Length / 2];
        ConfusionMatrix matrix = new(data.ClassNames.Count, least);
        for (int i = 0; i < data.Count; i++)
        {
            matrix.Add(data.Images[i].Objects, result.Found[i]);
        }

        StringBuilder html = new();
        html.Append(CultureInfo.InvariantCulture, $$"""
            <!DOCTYPE html>
            <html lang="en"><head><meta charset="utf-8"><title>{{Text(model.Title)}} on {{Text(data.Info.Title)}}</title>
            <style>
            body { font: 15px/1.4 sans-serif; margin: 2em auto; max-width: 60em; color: #222; }
            table { border-collapse: collapse; } td, th { padding: .2em .7em; text-align: right; border-bottom: 1px solid #ddd; }
            td:first-child, th:first-child { text-align: left; } .pair { display: flex; gap: 1em; margin: 1em 0; flex-wrap: wrap; }
            figure { margin: 0; } figcaption { color: #666; font-size: 13px; } svg text { font: 12px sans-serif; }
            </style></head><body>
            <h1>{{Text(model.Title)}} on {{Text(data.Info.Title)}}</h1>
            <p>{{data.Count:N0}} images, weights {{Text(model.Source)}}. Precision and recall are those of each class's best F1 at an IoU of
            0.5.</p>

            """);
        Table(html, DetectionTable.Headings, result.Scores.Classes.Prepend(result.Scores.All).Select(DetectionTable.Row));
        string lines = string.Join("<br>", DetectionTable.Lines(result.Scores).Select(Text));
        html.Append(CultureInfo.InvariantCulture, $"<p>{lines}</p>\n<h2>Precision and recall</h2>\n");
        Curves(html, data.ClassNames, curves);
        html.Append(
            CultureInfo.InvariantCulture,
            $"""
            <h2>Confusion matrix</h2>
            <p>Rows are what is there, columns what it was taken for, with scores of at least {least:F2} and an IoU of at least 0.5.</p>

            """);
        string[] names = [.. data.ClassNames];
        IEnumerable<string[]> rows = names.Append("background").Select((name, t) => (string[])
        [
            name,
            .. Enumerable.Range(0, names.Length + 1).Select(f =>
                t == names.Length && f == names.Length ? "" : matrix[t, f].ToString("N0", CultureInfo.InvariantCulture)),
        ]);
        Table(html, ["", .. names, "missed"], rows);
        int pictures = Math.Min(MostPictures, data.Count);
        html.Append(
            CultureInfo.InvariantCulture,
            $"""
            <h2>Labels beside detections</h2>
            <p>The first {pictures} images; detections with scores of at least {least:F2}. Dashed boxes count for nothing.</p>

            """);
        for (int i = 0; i < pictures; i++)
        {
            LabelledImage image = data.Images[i];
            string source = $"data:image/png;base64,{Convert.ToBase64String(ImageWriter.Png(Smaller(data.Read(i))))}";
            html.Append("<div class=\"pair\">");
            string labels = $"{Path.GetFileName(image.Name)}: labels";
            Picture(html, image, source, labels, image.Objects.Select(o => (o.Class, o.Box, data.ClassNames[o.Class], o.IsIgnored)));
            Picture(html, image, source, "detections", result.Found[i].Where(f => f.Score >= least).Select(
                f => (f.Class, f.Box, FormattableString.Invariant($"{data.ClassNames[f.Class]} {f.Score:F2}"), false)));
            html.Append("</div>\n");
        }

        html.Append("</body></html>\n");
        AtomicFile.Write(path, stream => stream.Write(Encoding.UTF8.GetBytes(html.ToString())));
        return path;
    }

    private static RawImage Smaller(RawImage image) => image.Width <= PictureWidth
        ? image
        : image.Resize(Math.Max(1, image.Height * PictureWidth / image.Width), PictureWidth);

    private static void Table(StringBuilder html, IEnumerable<string> headings, IEnumerable<string[]> rows)
    {
        html.Append("<table><tr>").AppendJoin("", headings.Select(h => $"<th>{Text(h)}</th>")).Append("</tr>\n");
        foreach (string[] row in rows)
        {
            html.Append("<tr>").AppendJoin("", row.Select(c => $"<td>{Text(c)}</td>")).Append("</tr>\n");
        }

        html.Append("</table>\n");
    }

    /// <summary>A curve a class, precision upwards over recall.</summary>
    private static void Curves(StringBuilder html, IReadOnlyList<string> names, PrecisionRecall[] curves)
    {
        const int size = 360, margin = 40;
        html.Append(
            CultureInfo.InvariantCulture,
            $"<svg width=\"{size + 260}\" height=\"{Math.Max(size + 2 * margin, 20 * names.Count + 2 * margin)}\">");
        for (int i = 0; i <= 5; i++)
        {
            double at = i / 5.0;
            html.Append(
                CultureInfo.InvariantCulture,
                $"<line x1=\"{X(at)}\" y1=\"{Y(0)}\" x2=\"{X(at)}\" y2=\"{Y(1)}\" stroke=\"#ddd\"/>"
                + $"<line x1=\"{X(0)}\" y1=\"{Y(at)}\" x2=\"{X(1)}\" y2=\"{Y(at)}\" stroke=\"#ddd\"/>");
            html.Append(
                CultureInfo.InvariantCulture,
                $"<text x=\"{X(at) - 9}\" y=\"{Y(0) + 16}\">{at:F1}</text>"
                + $"<text x=\"{margin - 26}\" y=\"{Y(at) + 4}\">{at:F1}</text>");
        }

        html.Append(
            CultureInfo.InvariantCulture,
            $"<text x=\"{X(0.45)}\" y=\"{Y(0) + 34}\">recall</text><text x=\"{margin}\" y=\"{margin - 12}\">precision</text>");
        foreach (var (c, curve) in curves.Index().Where(c => c.Item.Positives > 0))
        {
            string line = string.Join(' ', curve.Curve.Select(p => FormattableString.Invariant($"{X(p.Recall):F1},{Y(p.Precision):F1}")));
            html.Append(
                CultureInfo.InvariantCulture,
                $"<polyline fill=\"none\" stroke=\"{Color(c)}\" stroke-width=\"1.6\" points=\"{line}\"/>");
            html.Append(
                CultureInfo.InvariantCulture,
                $"<text x=\"{size + margin + 24}\" y=\"{margin + 20 * c + 10}\" fill=\"{Color(c)}\">"
                + $"{Text(names[c])}: AP50 {DetectionTable.Share(curve.HundredAndOnePoints)}</text>");
        }

        html.Append("</svg>\n");

        static double X(double recall) => margin + size * recall;
        static double Y(double precision) => margin + size * (1 - precision);
    }

    private static void Picture(
        StringBuilder html, LabelledImage image, string source, string caption,
        IEnumerable<(int Class, Box Box, string Label, bool Dashed)> boxes)
    {
        double scale = (double)PictureWidth / image.Width;
        int height = (int)Math.Round(image.Height * scale);
        html.Append(
            CultureInfo.InvariantCulture,
            $"<figure><svg width=\"{PictureWidth}\" height=\"{height}\">"
            + $"<image href=\"{source}\" width=\"{PictureWidth}\" height=\"{height}\"/>");
        foreach (var (label, box, text, dashed) in boxes)
        {
            (double x, double y) = (box.X0 * scale, box.Y0 * scale);
            html.Append(
                CultureInfo.InvariantCulture,
                $"<rect x=\"{x:F1}\" y=\"{y:F1}\" width=\"{box.Width * scale:F1}\" height=\"{box.Height * scale:F1}\" "
                + $"fill=\"none\" stroke=\"{Color(label)}\" stroke-width=\"2\""
                + $"{(dashed ? " stroke-dasharray=\"5 4\"" : "")}/>");
            html.Append(
                CultureInfo.InvariantCulture,
                $"<text x=\"{x + 2:F1}\" y=\"{Math.Max(11, y - 3):F1}\" fill=\"{Color(label)}\" "
                + $"stroke=\"white\" stroke-width=\"2.5\" paint-order=\"stroke\">{Text(text)}</text>");
        }

        html.Append(CultureInfo.InvariantCulture, $"</svg><figcaption>{Text(caption)}</figcaption></figure>");
    }

    /// <summary>The colour of a class.</summary>
    internal static string Color(int label) => Colors[label % Colors.Length];

    private static string Text(string text) => WebUtility.HtmlEncode(text);
}
