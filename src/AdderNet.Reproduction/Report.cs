using System.Globalization;
using System.Net;
using System.Text;
using AdderNet.Checkpoints;

namespace AdderNet.Reproduction;

/// <summary>A column of a table: its heading, and the .NET format of its numbers (CSV files have ten digits).</summary>
internal sealed record Column(string Heading, string Format = "")
{
    public static implicit operator Column(string heading) => new(heading);
}

/// <summary>A cell without a value, and why: words in the report, nothing in the CSV.</summary>
internal sealed record Absent(string Why)
{
    public static readonly Absent NotRunYet = new("not run yet");
}

/// <summary>
/// A report in the making: report.html, which holds all it shows and needs no other file, and beside it each table as NAME.csv and each
/// figure as NAME.png and NAME.svg.
/// </summary>
internal sealed class Report(string title, string subtitle)
{
    private readonly StringBuilder body = new();
    private readonly List<(string Name, byte[] Content)> files = [];

    /// <summary>Begins a section.</summary>
    public void Title(string heading) => Add($"<h2>{Encode(heading)}</h2>");

    /// <summary>A paragraph.</summary>
    public void Text(string paragraph) => Add($"<p>{Encode(paragraph)}</p>");

    /// <summary>A table.</summary>
    /// <param name="name">Its file's name without .csv.</param>
    /// <param name="columns">Headings; the first column is of words.</param>
    /// <param name="rows">A cell a column: numbers, words, null where there can be no value, or <see cref="Absent"/> where it's missing.</param>
    public void Table(string name, IReadOnlyList<Column> columns, IEnumerable<IReadOnlyList<object?>> rows)
    {
        StringBuilder csv = new(), html = new();
        IReadOnlyList<object?>[] all = [.. rows];
        if (all.FirstOrDefault(row => row.Count != columns.Count) is { } odd)
        {
            throw new ArgumentException($"A row of {name} has {odd.Count} cells instead of {columns.Count}.", nameof(rows));
        }

        string[] kinds = [.. columns.Select((c, i) => c.Format.Length > 0 || all.Any(row => row[i] is not (null or string or Absent)) ? " class=\"number\"" : "")];
        csv.AppendJoin(',', columns.Select(c => Quote(c.Heading))).Append('\n');
        html.Append("<div class=\"wide\"><table><thead><tr>");
        html.AppendJoin("", columns.Select((c, i) => $"<th scope=\"col\"{kinds[i]}>{Encode(c.Heading)}</th>")).Append("</tr></thead>\n<tbody>\n");
        foreach (IReadOnlyList<object?> row in all)
        {
            csv.AppendJoin(',', row.Select(c => Quote(Exact(c)))).Append('\n');
            html.Append("<tr>").AppendJoin("", row.Select((c, i) => $"<td{kinds[i]}>{Cell(c, columns[i].Format)}</td>")).Append("</tr>\n");
        }

        files.Add(($"{name}.csv", Encoding.UTF8.GetBytes(csv.ToString())));
        Add(html.Append("</tbody></table></div>").ToString());
    }

    /// <summary>A figure.</summary>
    /// <param name="name">Its files' name without .png and .svg.</param>
    /// <param name="caption">What it shows.</param>
    /// <param name="figure">The figure; the report disposes it.</param>
    // As an image, a drawing keeps its names to itself: those of two drawings in one page would clash.
    public void Figure(string name, string caption, Figure figure)
    {
        using Figure drawn = figure;
        byte[] png = drawn.Png(), svg = Encoding.UTF8.GetBytes(drawn.Svg());
        files.Add(($"{name}.png", png));
        files.Add(($"{name}.svg", svg));
        // Drawings of many thousands of points are larger than their pictures.
        string data = svg.Length <= 4 * png.Length
            ? $"data:image/svg+xml;base64,{Convert.ToBase64String(svg)}"
            : $"data:image/png;base64,{Convert.ToBase64String(png)}";
        Add($"<figure><div class=\"wide\"><img src=\"{data}\" width=\"{drawn.Width}\" height=\"{drawn.Height}\" alt=\"{Encode(caption)}\"></div>"
            + $"<figcaption>{Encode(caption)}</figcaption></figure>");
    }

    /// <summary>A picture that is no drawing.</summary>
    /// <param name="name">Its file's name without .png.</param>
    /// <param name="caption">What it shows.</param>
    /// <param name="png">The content of a PNG file.</param>
    public void Picture(string name, string caption, byte[] png)
    {
        files.Add(($"{name}.png", png));
        Add($"<figure><div class=\"wide\"><img src=\"data:image/png;base64,{Convert.ToBase64String(png)}\" alt=\"{Encode(caption)}\"></div>"
            + $"<figcaption>{Encode(caption)}</figcaption></figure>");
    }

    /// <summary>Facts at the end, in small print.</summary>
    public void Footer(IEnumerable<(string Name, string Value)> facts)
    {
        Add("<footer><dl>");
        foreach (var (name, value) in facts)
        {
            Add($"<dt>{Encode(name)}</dt><dd>{Encode(value)}</dd>");
        }

        Add("</dl></footer>");
    }

    /// <summary>Writes every file, each whole or not at all, and returns the path of report.html.</summary>
    public string Save(string folder)
    {
        Directory.CreateDirectory(folder);
        foreach (var (name, content) in files)
        {
            AtomicFile.Write(Path.Combine(folder, name), s => s.Write(content));
        }

        string path = Path.Combine(folder, "report.html");
        SavePage(path);
        return path;
    }

    /// <summary>Writes the page alone, whole or not at all.</summary>
    public void SavePage(string path) => AtomicFile.Write(path, s => s.Write(Encoding.UTF8.GetBytes(Html())));

    private void Add(string html) => body.Append(html).Append('\n');

    private string Html() => $"""
        <!DOCTYPE html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <title>{Encode(title)}</title>
        <style>
        {Style}
        </style>
        </head>
        <body>
        <h1>{Encode(title)}</h1>
        <p class="source">{Encode(subtitle)}</p>
        {body}</body>
        </html>

        """;

    private const string Style = """
        :root { color-scheme: light dark; --text: #1b1b1f; --muted: #5f6368; --line: #d5d8dc; --page: #ffffff; }
        @media (prefers-color-scheme: dark) { :root { --text: #e8e8ea; --muted: #a3a7ad; --line: #45494f; --page: #17181b; } }
        body { margin: 0 auto; padding: 1.5rem 1rem 3rem; max-width: 72rem; background: var(--page); color: var(--text); font: 1rem/1.55 system-ui, sans-serif; }
        h1 { margin: 0; font-size: 1.7rem; line-height: 1.25; }
        h2 { margin: 2.2rem 0 .6rem; font-size: 1.25rem; }
        p { max-width: 46rem; }
        .source, figcaption, footer, td i { color: var(--muted); }
        .source { margin: .3rem 0 1.5rem; }
        .wide { overflow-x: auto; }
        table { border-collapse: collapse; margin: .8rem 0; font-variant-numeric: tabular-nums; }
        th, td { padding: .35rem .8rem; border-bottom: 1px solid var(--line); text-align: left; }
        th { border-bottom-width: 2px; vertical-align: bottom; }
        td { white-space: nowrap; }
        .number { text-align: right; }
        figure { margin: 1.5rem 0; }
        img { display: block; width: 100%; min-width: 36rem; height: auto; border-radius: 6px; background: #ffffff; }
        figcaption { margin-top: .5rem; font-size: .92rem; max-width: 46rem; }
        footer { margin-top: 2.5rem; padding-top: .8rem; border-top: 1px solid var(--line); font-size: .88rem; overflow-wrap: anywhere; }
        dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem; margin: 0; }
        dd { margin: 0; }
        """;

    private static string Cell(object? value, string format) => value switch
    {
        null => "–",
        Absent absent => $"<i>{Encode(absent.Why)}</i>",
        int or long when format.Length == 0 => Format(value, "N0"),
        _ => Encode(Format(value, format)),
    };

    // Ten digits are more than was measured, and fewer than show that 98.96 is no binary fraction.
    private static string Exact(object? value) => value is null or Absent ? "" : Format(value, value is double ? "G10" : "");

    private static string Format(object value, string format) =>
        value is IFormattable number ? number.ToString(format, CultureInfo.InvariantCulture) : value.ToString()!;

    private static string Quote(string field) =>
        field.AsSpan().ContainsAny(",\"\r\n") ? $"\"{field.Replace("\"", "\"\"", StringComparison.Ordinal)}\"" : field;

    private static string Encode(string text) => WebUtility.HtmlEncode(text);
}
