using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace AdderNet.Bench;

/// <summary>A way to deploy a network.</summary>
/// <param name="Network">What it is.</param>
/// <param name="Accuracy">Its accuracy on the test images in percent; null where it was not measured.</param>
/// <param name="One">Milliseconds for a single image.</param>
/// <param name="Many">Milliseconds for an image, 256 at a time.</param>
/// <param name="Kilobytes">Its file.</param>
internal sealed record ShipRow(string Network, double? Accuracy, double One, double Many, long Kilobytes);

/// <summary>What a network costs and reaches as one would ship it; a section of the README, which nothing else writes.</summary>
/// <param name="Network">The network's name.</param>
/// <param name="Data">The data set's title.</param>
/// <param name="Images">Test images.</param>
/// <param name="Threads">Threads of every way.</param>
/// <param name="Where">Processor, date and versions.</param>
/// <param name="Command">The command that measured it.</param>
/// <param name="Rows">The ways.</param>
internal sealed partial record ShipTable(
    string Network, string Data, int Images, int Threads, string Where, string Command, IReadOnlyList<ShipRow> Rows)
{
    private const string End = "<!-- end -->", NotMeasured = "not measured";

    /// <summary>The section, markers included.</summary>
    public string ToMarkdown()
    {
        StringBuilder text = new();
        text.Append(CultureInfo.InvariantCulture, $"{Begin(Network)}\n{Network}, {Images:N0} test images of {Data}, ");
        text.Append(CultureInfo.InvariantCulture, $"{Threads} thread(s); {Where}; `{Command}`:\n\n");
        text.Append("| | accuracy | ms, one image | ms an image, 256 at a time | file, KB |\n|---|---|---|---|---|\n");
        foreach (ShipRow row in Rows)
        {
            string accuracy = row.Accuracy is { } percent ? FormattableString.Invariant($"{percent:F2} %") : NotMeasured;
            text.Append(CultureInfo.InvariantCulture, $"| {row.Network} | {accuracy} | {row.One:F3} | {row.Many:F4} | {row.Kilobytes} |\n");
        }

        return text.Append(End).ToString();
    }

    /// <summary>Puts the section in the place of the one that a document has.</summary>
    public string InsteadOfThatIn(string document)
    {
        (int from, int to) = Find(document, Network);
        return string.Concat(document.AsSpan(0, from), ToMarkdown(), document.AsSpan(to));
    }

    /// <summary>Makes sure that a document has a place for a network's section.</summary>
    /// <exception cref="FormatException">It has none.</exception>
    public static void RequireSection(string document, string network) => Find(document, network);

    /// <summary>A network's section of a document.</summary>
    /// <exception cref="FormatException">It has none, or somebody wrote it by hand.</exception>
    public static ShipTable In(string document, string network)
    {
        (int from, int to) = Find(document, network);
        Match heading = Heading().Match(document[from..to]);
        ShipRow[] rows =
        [
            .. Row().Matches(document[from..to]).Select(m => new ShipRow(
                m.Groups[1].Value, m.Groups[2].Value == NotMeasured ? null : Number(m.Groups[2].Value.TrimEnd('%', ' ')),
                Number(m.Groups[3].Value), Number(m.Groups[4].Value), (long)Number(m.Groups[5].Value))),
        ];
        return heading.Success
            ? new ShipTable(
                heading.Groups[1].Value, heading.Groups[3].Value, (int)Number(heading.Groups[2].Value),
                (int)Number(heading.Groups[4].Value), heading.Groups[5].Value, heading.Groups[6].Value, rows)
            : throw new FormatException("The section's first line is not what the bench writes.");

        static double Number(string text) =>
            double.Parse(text, NumberStyles.Float | NumberStyles.AllowThousands, CultureInfo.InvariantCulture);
    }

    private static string Begin(string network) => $"<!-- written by bench/run ship: {network} -->";

    private static (int From, int To) Find(string document, string network)
    {
        int from = document.IndexOf(Begin(network), StringComparison.Ordinal);
        int to = from < 0 ? -1 : document.IndexOf(End, from, StringComparison.Ordinal);
        return to >= 0
            ? (from, to + End.Length)
            : throw new FormatException($"The README has no section between {Begin(network)} and {End}; put these two lines into it.");
    }

    [GeneratedRegex("^(.+), ([0-9,]+) test images of (.+), ([0-9]+) thread\\(s\\); (.+); `(.+)`:$", RegexOptions.Multiline)]
    private static partial Regex Heading();

    [GeneratedRegex(@"^\| (.+?) \| ([0-9.]+ %|not measured) \| ([0-9.]+) \| ([0-9.]+) \| ([0-9]+) \|$", RegexOptions.Multiline)]
    private static partial Regex Row();
}
