using System.Text.RegularExpressions;
using AdderNet.Data;
using AdderNet.Data.Detection;
using AdderNet.Training;

namespace AdderNet.Reproduction.Tests;

public class DetectionReportTests
{
    [Fact]
    public void Each_finding_on_detectors_is_a_version_beside_its_partner_and_the_report_has_table_signs_and_pictures()
    {
        using TempFolder folder = new();
        string made = folder["detection"];
        Experiment detection = Experiments.All.Single(e => e.Name == "detection");
        ReproduceOptions options = new(Epochs: 1, Seeds: 1, DataDir: null, Threads: 1, made);
        Display display = new(DigitScenes.Create(train: 4, validation: 1, test: 2));

        Assert.True(new ExperimentRunner(display, detection with { Plan = o => [.. detection.Plan(o).Select(Small)] }, options, "command").Run(default));

        string text = string.Join('\n', display.Lines);
        Assert.Contains("Ablations of “An Empirical Study", text, StringComparison.Ordinal);
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

    /// <summary>A run of small images.</summary>
    private static PlannedRun Small(PlannedRun run) => run with
    {
        Recipe = run.Recipe with
        {
            BatchSize = 2,
            TrainAugmentation = run.Recipe.TrainAugmentation! with { ScaleJitter = new ScaleJitter(32) },
            TestAugmentation = run.Recipe.TestAugmentation! with { ScaleJitter = new ScaleJitter(32) },
        },
    };

    /// <summary>Keeps what is told, and takes all runs for measured.</summary>
    private sealed class Display(DetectionSplits scenes) : IExperimentDisplay
    {
        public List<string> Lines { get; } = [];

        public void WriteLine(string line = "") => Lines.Add(line);

        public Dataset OpenData(string name, bool train, string? dataDir, CancellationToken cancel) => throw new NotSupportedException();

        public DetectionSplits OpenScenes(string name, string? dataDir, CancellationToken cancel) => scenes;

        public void Measure(TimeEstimate estimate, IEnumerable<PlannedRun> runs, CancellationToken cancel)
        {
            foreach (PlannedRun run in runs)
            {
                estimate.Observe(run, Epochs.Of(1, trainLoss: 1, testLoss: 1, testTop1: 1));
            }
        }

        public TrainingResult Train(
            Trainer trainer, IReadOnlyList<EpochMetrics> history, int epochs, Func<TrainingProgress, (double Fraction, string Text)> whole,
            CancellationToken cancel) => trainer.Run(new Told(whole), cancel);

        private sealed class Told(Func<TrainingProgress, (double Fraction, string Text)> whole) : IProgress<TrainingProgress>
        {
            public void Report(TrainingProgress value) => Assert.InRange(whole(value).Fraction, 0, 1);
        }
    }
}
