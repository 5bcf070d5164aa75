using AdderNet.Training.Detection;
using Spectre.Console;

namespace AdderNet.Cli.Detection;

/// <summary>What a detector reaches, as a table and in a few lines.</summary>
internal static class DetectionTable
{
    public static readonly string[] Headings = ["Class", "Images", "Instances", "Precision", "Recall", "mAP50", "mAP50-95"];

    /// <summary>A row of a class; "-" where there is nothing to find.</summary>
    public static string[] Row(ClassScores c) =>
        [
            c.Name, FormattableString.Invariant($"{c.Images:N0}"), FormattableString.Invariant($"{c.Instances:N0}"),
            Share(c.Precision), Share(c.Recall), Share(c.Map50), Share(c.Map),
        ];

    /// <summary>A share of 1 with three digits, as is customary here.</summary>
    public static string Share(double? value) => value is { } v ? FormattableString.Invariant($"{v:F3}") : "-";

    /// <summary>Average precisions in the ways of COCO and Pascal VOC.</summary>
    public static IEnumerable<string> Lines(DetectionScores scores) =>
    [
        $"COCO: AP {Share(scores.All.Map)}, AP50 {Share(scores.All.Map50)}, AP75 {Share(scores.Map75)}, "
            + $"{string.Join(", ", scores.BySize.Select(s => $"{s.Size} {Share(s.Map)}"))}, AR100 {Share(scores.Recall100)}",
        $"Pascal VOC: mAP {Share(scores.VocArea)} by area, {Share(scores.Voc11Points)} by 11 points",
    ];

    public static void Write(Host host, DetectionScores scores)
    {
        Table table = new Table().Border(TableBorder.Horizontal);
        foreach (var (i, heading) in Headings.Index())
        {
            TableColumn column = new(heading);
            table.AddColumn(i == 0 ? column : column.RightAligned());
        }

        foreach (ClassScores row in scores.Classes.Prepend(scores.All))
        {
            table.AddRow([.. Row(row).Select(Markup.Escape)]);
        }

        host.Tables.Write(table);
        foreach (string line in Lines(scores))
        {
            host.Out.WriteLine(line);
        }
    }
}
