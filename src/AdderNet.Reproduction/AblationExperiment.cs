using AdderNet.Models;
using AdderNet.Training;
using ScottPlot;

namespace AdderNet.Reproduction;

/// <summary>What the full-precision gradient and the adaptive learning rate are each worth: the ablation of section 4.4.</summary>
internal static class AblationExperiment
{
    private sealed record Variant(string Label, string Name, WeightGradient Gradient, GradientTransform Scaling, double Paper);

    private static readonly Variant[] Variants =
    [
        new("full precision, ALR", "", WeightGradient.FullPrecision, new AdaptiveScaling(), 99.40),
        new("full precision, ILR", "-full-ilr", WeightGradient.FullPrecision, new IncreasedScaling(), 98.99),
        new("sign, ALR", "-sign-alr", WeightGradient.Sign, new AdaptiveScaling(), 97.99),
        new("sign, ILR", "-sign-ilr", WeightGradient.Sign, new IncreasedScaling(), 97.72),
    ];

    public static Experiment Create() => new(
        "ablation", "Gradients and learning rates of AdderNet on MNIST", "section 4.4", Recipes.Find("mnist").Recipe.Epochs, Plan, Write);

    private static IReadOnlyList<PlannedRun> Plan(ReproduceOptions options) =>
    [
        .. from seed in Enumerable.Range(1, options.Seeds)
           from run in RunsOf(options.Epochs, seed)
           select run,
    ];

    private static IEnumerable<PlannedRun> RunsOf(int epochs, int seed) =>
    [
        PlannedRun.Of(MnistExperiment.Recipe(LayerKind.Conv, epochs, seed), "CNN"),
        .. Variants.Select(v => PlannedRun.Of(
            (MnistExperiment.Recipe(LayerKind.Adder, epochs, seed) with { WeightGradient = v.Gradient }).WithScaling(v.Scaling), $"AdderNet, {v.Label}", v.Name)),
    ];

    private static void Write(Findings findings, Report report)
    {
        report.Text(
            "An adder filter's gradient can be the sign of X − F, the true derivative of the L1 distance, or the full-precision X − F. Since adder layers have small "
            + "gradients, the paper raises their learning rate, either by one fixed factor (increased learning rate, ILR; here 100) or layer by layer "
            + "(adaptive learning rate, ALR). Accuracy here is that of the last epoch; the spread is the standard deviation over seeds.");
        report.Table("accuracy", SeedTable.Columns("version"), findings.Runs.GroupBy(r => r.Plan.Label).Select(runs =>
            SeedTable.Row(runs.Key, [.. runs], Variants.FirstOrDefault(v => $"AdderNet, {v.Label}" == runs.Key)?.Paper ?? MnistExperiment.Paper)));
        LearningCurves.Draw(
            report, "curves", "Test accuracy and training loss by epoch. Colour is the gradient, a dashed line the fixed factor (ILR).",
            findings.Runs, r => Style(r.Plan.Recipe));
    }

    private static (Color Colour, bool Dashed) Style(Recipe recipe) => (
        recipe.Layers == LayerKind.Adder && recipe.WeightGradient == WeightGradient.Sign ? Charts.Categories[2] : Charts.Of(recipe.Layers),
        recipe.GradientTransforms.Any(t => t is IncreasedScaling));
}
