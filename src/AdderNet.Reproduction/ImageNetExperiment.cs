using System.Globalization;
using AdderNet.Models;
using AdderNet.Training;

namespace AdderNet.Reproduction;

/// <summary>ResNet-18 and ResNet-50 on ImageNet, AdderNet beside CNN: table 3 of the paper. Any image folder will do.</summary>
internal static class ImageNetExperiment
{
    private static readonly Dictionary<(string Model, LayerKind Layers), (double Top1, double Top5)> Paper = new()
    {
        [("resnet18", LayerKind.Adder)] = (67.0, 87.6),
        [("resnet18", LayerKind.Conv)] = (69.8, 89.1),
        [("resnet50", LayerKind.Adder)] = (74.9, 91.7),
        [("resnet50", LayerKind.Conv)] = (76.2, 92.9),
    };

    private static readonly int[] Machines = [1, 8, 64];

    private static Recipe PaperRecipe => Recipes.Find("imagenet").Recipe;

    public static Experiment Create() => new(
        "imagenet", "ResNet-18 and ResNet-50 on ImageNet: AdderNet beside CNN", "table 3", PaperRecipe.Epochs, Plan, Write)
    {
        Preface = Preface,
    };

    private static IReadOnlyList<PlannedRun> Plan(ReproduceOptions options) =>
    [
        .. from key in Paper.Keys
           from seed in Enumerable.Range(1, options.Seeds)
           select PlannedRun.Of(
               // A batch in eight pieces, as eight devices would share it, takes an eighth of the memory.
               (PaperRecipe with { Model = key.Model, Layers = key.Layers, Epochs = options.Epochs, Seed = seed, MicroBatches = 8 }).WithAugmentation(),
               PlannedRun.Title(key.Layers, key.Model)),
    ];

    private static IEnumerable<string> Preface(TimeEstimate estimate, IReadOnlyList<PlannedRun> runs)
    {
        yield return $"The paper's {PaperRecipe.Epochs} epochs of ImageNet ({TimeEstimate.ImageNetTrain:N0} images), extrapolated from what was measured here:";
        foreach (PlannedRun run in runs.DistinctBy(r => r.Label))
        {
            ImageCost cost = estimate.Cost(run);
            string times = string.Join(", ", Machines.Select(n => $"{Duration.Words(FullRun(cost) / n)} on {Count(n)}"));
            yield return FormattableString.Invariant($"  {run.Label}: {1 / cost.Train:N1} images/s; {times}");
        }

        yield return "(Several machines like this one, each with its share of every batch, and without the time they need to exchange gradients.)";
    }

    private static string Count(int machines) => machines == 1 ? "this machine" : $"{machines} machines";

    private static TimeSpan FullRun(ImageCost cost) =>
        PaperRecipe.Epochs * TimeSpan.FromSeconds(TimeEstimate.ImageNetTrain * cost.Train + TimeEstimate.ImageNetTest * cost.Test);

    private static void Write(Findings findings, Report report)
    {
        report.Text(
            "The paper's ImageNet recipe: random resized crops to 224 and flips, batches of 256 images (here in eight pieces of 32, whose gradients are summed), "
            + $"{PaperRecipe.Epochs} epochs. It runs on any image folder (DIR/train/CLASS/*.jpg, DIR/val/CLASS/*.jpg); the paper's accuracies are those of ImageNet's 1000 classes "
            + "and say nothing about other images. Accuracy is that of the last epoch.");
        report.Table(
            "accuracy",
            ["network", new("top-1, %", "F2"), new("top-5, %", "F2"), new("paper's top-1, %", "F1"), new("paper's top-5, %", "F1")],
            findings.Runs.GroupBy(r => r.Plan.Label).Select(runs => Accuracies([.. runs])));
        RunFinding[] begun = [.. findings.Runs.Where(r => r.History.Count > 0).DistinctBy(r => r.Plan.Label)];
        if (begun.Length > 0)
        {
            report.Title("The time of a full run");
            report.Text(
                $"{PaperRecipe.Epochs} epochs of ImageNet's {TimeEstimate.ImageNetTrain.ToString("N0", CultureInfo.InvariantCulture)} training images at the pace of the runs here, "
                + "on one machine like this one and on several, each with its share of every batch and without the time they need to exchange gradients.");
            report.Table(
                "time", ["network", new("images/s", "N1"), .. Machines.Select(n => (Column)$"on {Count(n)}")],
                begun.Select(r =>
                {
                    double rate = r.History.Average(e => e.ImagesPerSecond);
                    // Testing takes about a third of learning, and there are few test images.
                    TimeSpan full = FullRun(new ImageCost(1 / rate, 1 / rate / 3));
                    return (object?[])[r.Plan.Label, rate, .. Machines.Select(n => Duration.Words(full / n))];
                }));
        }

        foreach (IGrouping<string, RunFinding> runs in findings.Runs.GroupBy(r => r.Plan.Recipe.Model))
        {
            LearningCurves.Draw(
                report, $"curves-{runs.Key}", $"{AdderNetModels.Find(runs.Key).Title}: top-1 accuracy on the test images and training loss by epoch.", [.. runs],
                r => (Charts.Of(r.Plan.Recipe.Layers), false));
        }
    }

    private static object?[] Accuracies(IReadOnlyList<RunFinding> runs)
    {
        Recipe recipe = runs[0].Plan.Recipe;
        (double top1, double top5) = Paper[(recipe.Model, recipe.Layers)];
        return runs.Any(r => r.Complete)
            ? [runs[0].Plan.Label, SeedTable.Percentages(runs, e => e.TestTop1).Average(), SeedTable.Percentages(runs, e => e.TestTop5).Average(), top1, top5]
            : [runs[0].Plan.Label, runs[0].Missing, runs[0].Missing, top1, top5];
    }
}
