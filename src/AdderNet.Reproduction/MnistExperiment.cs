using AdderNet.Models;
using AdderNet.Training;

namespace AdderNet.Reproduction;

/// <summary>LeNet-5-BN on MNIST, AdderNet beside CNN: section 4.1 of the paper.</summary>
internal static class MnistExperiment
{
    /// <summary>The paper's accuracy, of both.</summary>
    public const double Paper = 99.40;

    public static Experiment Create() => new(
        "mnist", "LeNet-5-BN on MNIST: AdderNet beside CNN", "section 4.1", Recipes.Find("mnist").Recipe.Epochs, Plan, Write);

    /// <summary>The recipe of one version; the ablation starts from the same.</summary>
    public static Recipe Recipe(LayerKind layers, int epochs, int seed) =>
        (Recipes.Find("mnist").Recipe with { Layers = layers, Epochs = epochs, Seed = seed }).WithAugmentation();

    /// <summary>Both versions, seed by seed; filters and weights look at the same runs.</summary>
    public static IReadOnlyList<PlannedRun> Plan(ReproduceOptions options) =>
    [
        .. from seed in Enumerable.Range(1, options.Seeds)
           from layers in (LayerKind[])[LayerKind.Adder, LayerKind.Conv]
           select PlannedRun.Of(Recipe(layers, options.Epochs, seed), layers.Title()),
    ];

    private static void Write(Findings findings, Report report)
    {
        report.Text(
            "The paper trains LeNet-5 with BatchNorm on MNIST for 50 epochs and reaches 99.40 % both with convolutions and with adder layers, "
            + "which need no multiplication between the first layer and the classifier. Accuracy here is that of the last epoch; the spread is the standard deviation over seeds.");
        report.Table(
            "accuracy", SeedTable.Columns("version"), findings.Runs.GroupBy(r => r.Plan.Label).Select(runs => SeedTable.Row(runs.Key, [.. runs], Paper)));
        LearningCurves.Draw(
            report, "curves", "Test accuracy and training loss by epoch; a line a seed.", findings.Runs, r => (Charts.Of(r.Plan.Recipe.Layers), false));
    }
}
