using AdderNet.Training;

namespace AdderNet.Reproduction.Tests;

public class CifarTests
{
    private static Experiment Cifar10 => Named("cifar10");

    [Fact]
    public void The_plan_begins_with_ResNet20_in_all_versions()
    {
        Assert.Equal(
            ["resnet20-adder-seed1", "resnet20-cnn-seed1", "resnet20-bnn-seed1", "resnet20-dorefa-seed1", "resnet32-adder-seed1"],
            Cifar10.Plan(Options(400)).Take(5).Select(r => r.Name));
        Assert.Equal(12, Cifar10.Plan(Options(400)).Select(r => r.Name).Distinct().Count());
    }

    [Fact]
    public void The_report_counts_operations_and_says_what_is_missing()
    {
        using TempFolder folder = new();
        ReproduceOptions options = Options(2) with { Out = folder.Path };
        RunFinding[] runs = [.. Cifar10.Plan(options).Select((plan, i) => new RunFinding(plan, "", History(2 - Math.Min(i, 2), 0.5 + i / 10.0)))];
        Report report = new("title", "subtitle");
        Cifar10.Write(new Findings(options, runs, new ExperimentData(null!, null), default), report);
        string html = File.ReadAllText(report.Save(folder.Path));

        string[] rows = File.ReadAllLines(folder["accuracy.csv"]);
        Assert.Equal(13, rows.Length);
        Assert.Equal("AdderNet ResNet-20,443008,81183360,0,60,,1,91.84,", rows[1][..rows[1].LastIndexOf('-')]);
        Assert.Equal("CNN ResNet-20,40813184,40813184,0,,,0,92.25,", rows[2]);
        Assert.Equal("BNN ResNet-20,443008,40813184,40370176,,,0,84.87,", rows[3]);
        Assert.EndsWith(",,,0,,", rows[4]);
        Assert.Contains("81.18 M", html);
        Assert.Contains("epoch 1 of 2", html);
        Assert.Contains("not run yet", html);
        Assert.Contains("128 images instead of 256", html);
        Assert.Contains("decay of 0.002 instead of 0.0005, eta = 0.3 instead of 0.2, crops that move images by 2 pixels instead of 4, and gradient centralization", html);
        Assert.True(File.Exists(folder["curves-resnet20.png"]));
        Assert.False(File.Exists(folder["curves-resnet32.png"]));
    }

    private static Experiment Named(string name) => Experiments.All.Single(e => e.Name == name);

    private static ReproduceOptions Options(int epochs) => new(epochs, 1, null, 1, "");

    private static EpochMetrics[] History(int epochs, double accuracy) =>
    [
        .. Enumerable.Range(1, epochs).Select(e => Epochs.Of(e, trainLoss: 2.0 / e, testLoss: 2.0 / e, testTop1: accuracy + (e - 1) / 10.0)),
    ];
}
