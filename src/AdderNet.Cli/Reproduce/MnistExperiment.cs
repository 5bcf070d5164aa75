using AdderNet.Models;
using AdderNet.Training;

namespace AdderNet.Cli.Reproduce;

/// <summary>LeNet-5-BN on MNIST, AdderNet beside CNN: section 4.1 of the paper.</summary>
internal static class MnistExperiment
{
    private const double Paper = 99.40;

    public static Experiment Create() => new(
        "mnist", "LeNet-5-BN on MNIST: AdderNet beside CNN", "section 4.1", Recipes.Find("mnist").Recipe.Epochs, Plan, Write);

    /// <summary>The recipe of one version; the ablation starts from the same.</summary>
    public static Recipe Recipe(LayerKind layers, int epochs, int seed) =>
        (Recipes.Find("mnist").Recipe with { Layers = layers, Epochs = epochs, Seed = seed }).WithAugmentation();

    /// <summary>Both versions, seed by seed; filters and weights look at the same runs.</summary>
    public static IReadOnlyList<PlannedRun> Plan(ReproduceOptions options) =>
    [
        .. from seed in Enumerable.Range(1, options.Seeds)
           from kind in (LayerKind[])[LayerKind.Adder, LayerKind.Conv]
           select new PlannedRun(
               $"lenet5-bn-{(kind == LayerKind.Adder ? "adder" : "cnn")}-seed{seed}", kind == LayerKind.Adder ? "AdderNet" : "CNN",
               Recipe(kind, options.Epochs, seed)),
    ];

    private static void Write(Findings findings, Report report)
    {
        report.Text(
            "The paper trains LeNet-5 with BatchNorm on MNIST for 50 epochs and reaches 99.40 % both with convolutions and with adder layers, "
            + "which need no multiplication between the first layer and the classifier. Accuracy here is that of the last epoch.");
        report.Table(
            "accuracy",
            ["version", new("accuracy, %", "F2"), new("spread over seeds", "F2"), "seeds", new("paper, %", "F2"), new("difference", "+0.00;-0.00;0.00")],
            findings.Runs.GroupBy(r => r.Plan.Label).Select(runs => Row(runs.Key, [.. runs])));
        LearningCurves.Draw(
            report, "curves", "Test accuracy and training loss by epoch; a line a seed.", findings.Runs, r => (Charts.Of(r.Plan.Recipe.Layers), false));
    }

    private static object?[] Row(string version, IReadOnlyList<RunFinding> runs)
    {
        double[] reached = [.. runs.Select(r => r.Result).OfType<EpochMetrics>().Select(e => 100 * e.TestTop1)];
        return reached.Length == 0
            ? [version, runs[0].Missing, null, 0, Paper, null]
            : [version, reached.Average(), Statistics.StandardDeviation(reached), reached.Length, Paper, reached.Average() - Paper];
    }
}
