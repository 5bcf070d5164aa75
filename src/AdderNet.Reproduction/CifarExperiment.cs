using System.Globalization;
using AdderNet.Data;
using AdderNet.Graph;
using AdderNet.Models;
using AdderNet.Training;

namespace AdderNet.Reproduction;

/// <summary>VGG-small, ResNet-20 and ResNet-32 as AdderNet, CNN and binary networks on CIFAR: table 2 of the paper.</summary>
internal static class CifarExperiment
{
    /// <summary>Below this a run has too few steps for the paper's recipe, an AdderNet before all.</summary>
    private const int ShortRun = 100;

    /// <summary>The paper's accuracies, %, on CIFAR-10 and CIFAR-100.</summary>
    private static readonly Dictionary<(string Model, LayerKind Layers), (double Cifar10, double Cifar100)> Paper = new()
    {
        [("resnet20", LayerKind.Adder)] = (91.84, 67.60),
        [("resnet20", LayerKind.Conv)] = (92.25, 68.14),
        [("resnet20", LayerKind.Binary)] = (84.87, 54.14),
        [("resnet32", LayerKind.Adder)] = (93.01, 69.02),
        [("resnet32", LayerKind.Conv)] = (93.29, 69.74),
        [("resnet32", LayerKind.Binary)] = (86.74, 56.21),
        [("vgg-small", LayerKind.Adder)] = (93.72, 72.64),
        [("vgg-small", LayerKind.Conv)] = (93.80, 72.73),
        [("vgg-small", LayerKind.Binary)] = (89.80, 65.41),
    };

    private static Recipe PaperRecipe => Recipes.Find("cifar").Recipe;

    private static Recipe ShortRecipe => Recipes.Find("cifar-short").Recipe;

    private static readonly string[] Models = ["resnet20", "resnet32", "vgg-small"];

    private static readonly LayerKind[] Versions = [LayerKind.Adder, LayerKind.Conv, LayerKind.Binary, LayerKind.DoReFa];

    /// <summary>The experiment on one of the two data sets.</summary>
    /// <param name="dataset">cifar10 or cifar100.</param>
    public static Experiment Create(string dataset) => new(
        dataset, $"AdderNet, CNN and binary networks on {Datasets.Find(dataset).Title}", "table 2", PaperRecipe.Epochs,
        options => Plan(dataset, options), (findings, report) => Write(dataset, findings, report));

    private static IReadOnlyList<PlannedRun> Plan(string dataset, ReproduceOptions options) =>
    [
        .. from model in Models
           from layers in Versions
           from seed in Enumerable.Range(1, options.Seeds)
           select PlannedRun.Of(Recipe(dataset, model, layers, options.Epochs, seed), PlannedRun.Title(layers, model)),
    ];

    private static Recipe Recipe(string dataset, string model, LayerKind layers, int epochs, int seed) =>
        ((epochs < ShortRun ? ShortRecipe : PaperRecipe).WithDataset(dataset) with { Model = model, Layers = layers, Epochs = epochs, Seed = seed })
        .WithAugmentation();

    private static void Write(string dataset, Findings findings, Report report)
    {
        report.Text(
            "Each network in four versions that differ in their inner layers alone: adder layers, convolutions, XNOR-style binary layers and DoReFa's one-bit layers. "
            + "The first convolution and the classifier are ordinary in all of them and are counted, too, which is why an AdderNet has some multiplications left; "
            + "the paper leaves them out. Accuracy is that of the last epoch; the spread is the standard deviation over seeds.");
        int epochs = findings.Options.Epochs;
        if (epochs != PaperRecipe.Epochs)
        {
            report.Text(
                $"This is a run of {epochs} epochs with the whole cosine instead of the paper's {PaperRecipe.Epochs}, the same for every version: compare the versions with each other, "
                + "and expect all of them below the paper."
                + (epochs < ShortRun ? ShortRunText : ""));
        }

        report.Table("accuracy", Columns, findings.Runs.GroupBy(r => r.Plan.Label).Select(runs => Row(dataset, [.. runs])));
        foreach (IGrouping<string, RunFinding> runs in findings.Runs.GroupBy(r => r.Plan.Recipe.Model))
        {
            LearningCurves.Draw(
                report, $"curves-{runs.Key}", $"{AdderNetModels.Find(runs.Key).Title}: test accuracy and training loss by epoch.", [.. runs],
                r => (Charts.Of(r.Plan.Recipe.Layers), false));
        }
    }

    private static string ShortRunText => string.Create(
        CultureInfo.InvariantCulture,
        $" Below {ShortRun} epochs the recipe is cifar-short: batches of {ShortRecipe.BatchSize} images instead of {PaperRecipe.BatchSize}, which gives twice the steps, "
        + $"a weight decay of {ShortRecipe.WeightDecay} instead of {PaperRecipe.WeightDecay}, eta = {Eta(ShortRecipe)} instead of {Eta(PaperRecipe)}, "
        + $"crops that move images by {ShortRecipe.TrainAugmentation!.Pad} pixels instead of {PaperRecipe.WithAugmentation().TrainAugmentation!.Pad}, "
        + $"and gradient centralization, which takes the mean from the gradient of each filter, whatever its layer.");

    private static double Eta(Recipe recipe) => recipe.GradientTransforms.OfType<AdaptiveScaling>().Single().Eta;

    private static IReadOnlyList<Column> Columns
    {
        get
        {
            const string millions = "0,,.00' M';-0;0";
            return
            [
                "network", new("multiplications", millions), new("additions", millions), new("XNORs", millions),
                .. SeedTable.Columns("").Skip(1),
            ];
        }
    }

    private static object?[] Row(string dataset, IReadOnlyList<RunFinding> runs)
    {
        Recipe recipe = runs[0].Plan.Recipe;
        OperationCounts operations = OperationCounts.Of(AdderNetModels.Graph(recipe.Model, recipe.Layers, Datasets.Find(dataset).Classes).Nodes);
        double? paper = Paper.TryGetValue((recipe.Model, recipe.Layers), out var both) ? dataset == "cifar10" ? both.Cifar10 : both.Cifar100 : null;
        return
        [
            runs[0].Plan.Label, operations.Multiplications, operations.Additions, operations.Xnors, .. SeedTable.Row("", runs, paper).Skip(1),
        ];
    }
}
