using AdderNet.Data.Detection;
using AdderNet.Models;
using AdderNet.Training;
using AdderNet.Training.Detection;
using ScottPlot;

namespace AdderNet.Reproduction;

/// <summary>
/// Detectors of adder layers and of convolutions, and what each finding of the study of detectors is worth on small data: a version
/// for each, beside its partner.
/// </summary>
internal sealed class DetectionExperiment
{
    private const string Adder = DetectionEffects.Adder, Cnn = DetectionEffects.Cnn;

    private static readonly Version[] Versions =
    [
        new(Adder, ""),
        new(Cnn, "") { Layers = LayerKind.Conv },
        new(DetectionEffects.ConvolutionNeck, "-neck-cnn") { Detection = new() { NeckLayers = LayerKind.Conv } },
        new(DetectionEffects.Fpn, "-fpn") { Detection = new() { Neck = Neck.Fpn } },
        new(DetectionEffects.AdderHead, "-head-adder") { Detection = new() { HeadLayers = LayerKind.Adder } },
        new(DetectionEffects.Sign, "-sign") { InputGradient = InputGradient.Sign },
        new(DetectionEffects.GoesOn, "-goes-on") { GoesOn = true },
        new(DetectionEffects.Frozen, "-frozen") { GoesOn = true, Detection = new() { FreezeBatchNorm = true } },
    ];

    /// <summary>Colours that say nothing by themselves.</summary>
    private static readonly Color[] Others = [.. Charts.Categories.Except([Charts.AdderNet, Charts.Cnn, Charts.Formula])];

    private readonly Dictionary<(string Folder, DateTimeOffset Finished), DetectionEvaluationResult> tested = [];

    private DetectionExperiment()
    {
    }

    public static Experiment Create()
    {
        DetectionExperiment experiment = new();
        return new Experiment(
            "detection", "Detectors: AdderNet beside CNN, and the ablations, on digits or on your images with boxes", "ablations",
            Recipes.Find("detection").Recipe.Epochs, Plan, experiment.Write)
        {
            Paper = "“An Empirical Study of Adder Neural Networks for Object Detection” (Chen et al., NeurIPS 2021)",
        };
    }

    private static IReadOnlyList<PlannedRun> Plan(ReproduceOptions options) =>
    [
        .. from seed in Enumerable.Range(1, options.Seeds)
           from version in Versions
           select Run(version, options, seed),
    ];

    private static PlannedRun Run(Version version, ReproduceOptions options, int seed)
    {
        Recipe recipe = Recipes.Find(options.DataDir is null ? "detection" : "detection-short").Recipe;
        string? start = version.GoesOn ? Path.GetFullPath(new RunStore(options.Out).PathOf(Run(Versions[0], options, seed))) : null;
        return PlannedRun.Of(
            (recipe with
            {
                Layers = version.Layers,
                InputGradient = version.InputGradient,
                Detection = version.Detection with { Backbone = start },
                Epochs = options.Epochs,
                WarmupEpochs = Math.Min(recipe.WarmupEpochs, options.Epochs - 1),
                Seed = seed,
            }).WithAugmentation(),
            version.Label, version.Suffix);
    }

    private void Write(Findings findings, Report report)
    {
        Recipe recipe = findings.Runs[0].Plan.Recipe;
        report.Text(
            $"{DetectionModels.Find(recipe.Model).Title} on small data, each version for {recipe.Epochs} epochs of batches of "
            + $"{recipe.BatchSize} by one recipe that differs in what the version's name says alone. What is not said is as the study has "
            + "it: a neck (R-PAFPN) of adder layers, a head of convolutions, BatchNorm trained along, HardTanh in the gradient that adder "
            + "layers hand on.");
        report.Text(
            "The study's own numbers are of ResNet-50 on COCO and on Pascal VOC 2007 and 2012: they are not reproduced here. What can be "
            + "compared is the sign of each effect. Measured on the test images, with the epoch that is best by validation where there are "
            + "validation images; the spread is the standard deviation over seeds.");
        TestedRun[] results = [.. findings.Runs.Select(r => new TestedRun(r, r.Complete ? Test(r, findings) : null))];
        report.Table(
            "map", ["version", new("mAP50, %", "F2"), new("spread", "F2"), new("mAP50-95, %", "F2"), new("spread", "F2"), "seeds"],
            results.GroupBy(r => r.Run.Plan.Label).Select(group => MapRow(group.Key, [.. group])));
        WriteClasses(results, report);
        DetectionEffects.Write(results, report);
        LearningCurves.Draw(
            report, "curves", "mAP50-95 on the images that are measured after each epoch, and training loss, by epoch; a line a seed.",
            findings.Runs, r => Style(r.Plan.Label));
        WritePictures(results, findings, report);
    }

    private static object?[] MapRow(string label, TestedRun[] results)
    {
        double[] map50 = [.. results.Select(r => r.Map50).OfType<double>()], map = [.. results.Select(r => r.Map).OfType<double>()];
        return map.Length == 0
            ? [label, results[0].Run.Missing, null, results[0].Run.Missing, null, 0]
            : [label, map50.Average(), SeedTable.StandardDeviation(map50), map.Average(), SeedTable.StandardDeviation(map), map.Length];
    }

    private static void WriteClasses(TestedRun[] results, Report report)
    {
        var tested = results.Where(r => r.Test is not null).GroupBy(r => r.Run.Plan.Label).ToArray();
        if (tested.Length == 0)
        {
            return;
        }

        string[] names = [.. tested[0].First().Test!.Scores.Classes.Select(c => c.Name)];
        report.Text("mAP50 of each class, in percent:");
        report.Table(
            "classes", ["version", .. names.Select(n => new Column(n, "F1"))],
            tested.Select(group => (object?[])
            [
                group.Key, .. names.Select((_, c) => (object?)(100 * group.Average(r => r.Test!.Scores.Classes[c].Map50))),
            ]));
    }

    private static void WritePictures(TestedRun[] results, Findings findings, Report report)
    {
        TestedRun[] drawn =
        [
            .. ((string[])[Cnn, Adder])
                .Select(label => results.FirstOrDefault(r => r.Test is not null && r.Run.Plan.Label == label)).OfType<TestedRun>(),
        ];
        if (drawn.Length > 0)
        {
            string names = string.Join(" and ", drawn.Select(d => d.Run.Plan.Label));
            report.Picture(
                "found",
                FormattableString.Invariant(
                    $"The first test images: labels, then what {names} find with a score of at least {DetectionPictures.LeastScore}."),
                DetectionPictures.Draw(TestImages(drawn[0].Run, findings), [.. drawn.Select(d => (d.Run.Plan.Label, d.Test!))]));
        }
    }

    private DetectionEvaluationResult Test(RunFinding run, Findings findings)
    {
        (string, DateTimeOffset) key = (run.Folder, run.History[^1].Finished);
        if (!tested.TryGetValue(key, out DetectionEvaluationResult? result))
        {
            using TrainedModel best = TrainedModel.Load(run.Folder);
            DetectionDataset images = TestImages(run, findings).WithClasses(best.ClassNames);
            using DetectionLoader loader = new(images, best.Preparation, run.Plan.Recipe.BatchSize, shuffle: false, seed: 0);
            result = DetectionEvaluation.Run(best.Model, DetectionModels.Find(run.Plan.Recipe.Model).Levels, loader, cancel: findings.Cancel);
            tested.Add(key, result);
        }

        return result;
    }

    private static DetectionDataset TestImages(RunFinding run, Findings findings)
    {
        DetectionSplits data = findings.Data.Scenes(run.Plan.Recipe.Dataset, findings.Cancel);
        return data.Test ?? data.Measured;
    }

    private static (Color Colour, bool Dashed) Style(string label) => label switch
    {
        Adder => (Charts.AdderNet, false),
        Cnn => (Charts.Cnn, false),
        DetectionEffects.GoesOn => (Charts.AdderNet, true),
        DetectionEffects.Frozen => (Charts.Formula, true),
        _ => (Others[Array.FindIndex(Versions, v => v.Label == label)], false),
    };

    /// <summary>A version of the detector.</summary>
    /// <param name="Label">What tables call it.</param>
    /// <param name="Suffix">What its runs' names say beyond the kind of layers.</param>
    private sealed record Version(string Label, string Suffix)
    {
        public LayerKind Layers { get; init; } = LayerKind.Adder;

        public InputGradient InputGradient { get; init; } = InputGradient.Clipped;

        public DetectionRecipe Detection { get; init; } = new();

        /// <summary>Whether its backbone starts with what the first version's has learned with the same seed.</summary>
        public bool GoesOn { get; init; }
    }
}
