using System.Text.RegularExpressions;

namespace AdderNet.Cli.Tests.Reproduce;

public class DetectionReportTests
{
    [Fact]
    public void Each_finding_on_detectors_is_a_version_beside_its_partner_and_the_report_has_table_signs_and_pictures()
    {
        using TempFolder folder = new();
        string data = folder["data"], made = folder["detection"];
        Addernet.Run("datasets", "--write", "voc", "--out", data, "--images", "8").Succeeds();

        string text = Addernet.Run("reproduce", "detection", "--epochs", "1", "--data-dir", data, "--threads", "1", "--out", made).Succeeds();

        Assert.Contains("ablations of the paper", text, StringComparison.Ordinal);
        Assert.InRange(text.IndexOf("on this machine", StringComparison.Ordinal), 1, text.IndexOf("Run 1 of 8", StringComparison.Ordinal));
        Assert.Contains("Run 8 of 8: AdderNet, goes on, BatchNorm frozen (fcos-resnet20-adder-frozen-seed1)", text, StringComparison.Ordinal);
        string[] map = File.ReadAllLines(Path.Combine(made, "map.csv")), effects = File.ReadAllLines(Path.Combine(made, "effects.csv"));
        Assert.Equal(9, map.Length);
        Assert.All(map[1..], row => Assert.EndsWith(",1", row));
        Assert.Equal(7, effects.Length);
        Assert.All(effects[1..], row => Assert.Matches(",(gains|loses|changes nothing),", row));
        Assert.Contains("fcos-resnet20-cnn-seed1,1,", File.ReadAllText(Path.Combine(made, "runs.csv")), StringComparison.Ordinal);
        string html = File.ReadAllText(Path.Combine(made, "report.html"));
        Assert.Contains("Ablations of “An Empirical Study", html, StringComparison.Ordinal);
        Assert.Contains("points of mAP50-95", html, StringComparison.Ordinal);
        Assert.Equal(2, Regex.Count(html, "<figure>"));
        using SkiaSharp.SKBitmap picture = SkiaSharp.SKBitmap.Decode(Path.Combine(made, "found.png"));
        Assert.Equal(3 * 320 + 2 * 8, picture.Width);
        Assert.True(File.Exists(Path.Combine(made, "curves.svg")));
    }
}
