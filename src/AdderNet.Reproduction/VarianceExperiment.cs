using AdderNet.Data;
using AdderNet.Models;
using AdderNet.Training;
using ScottPlot;
using static TorchSharp.torch;
using Module = TorchSharp.torch.nn.Module<TorchSharp.torch.Tensor, TorchSharp.torch.Tensor>;

namespace AdderNet.Reproduction;

/// <summary>The variance of outputs and the size of gradients, layer by layer: section 3.3 and table 1 of the paper.</summary>
internal static class VarianceExperiment
{
    private const int Seed = 1;

    private static readonly LayerKind[] Kinds = [LayerKind.Adder, LayerKind.Conv];

    // Layers 1 to 3 of LeNet-5-BN at the first iteration: the paper's table of gradient norms.
    private static readonly Dictionary<LayerKind, double[]> Paper = new()
    {
        [LayerKind.Adder] = [0.0009, 0.0012, 0.0146],
        [LayerKind.Conv] = [0.2261, 0.2990, 0.4646],
    };

    public static Experiment Create() => new("variance", "Variance of layer outputs and norms of gradients, at the start", "section 3.3, table 1", 0, _ => [], Write);

    private static void Write(Findings findings, Report report)
    {
        report.Text(
            "At the start, a convolution's output has the variance k Var[X] Var[F], which initialization keeps near that of the input; an adder "
            + "layer's has (1 - 2/pi) k (Var[X] + Var[F]), which is large whatever the filters. BatchNorm divides by the standard deviation, and so the "
            + "gradients of adder layers are small. Measured at fresh networks over one training batch.");
        Show(findings, report, "lenet5-bn", "mnist");
        Show(findings, report, "resnet20", "cifar10");
    }

    private static void Show(Findings findings, Report report, string model, string data)
    {
        findings.Cancel.ThrowIfCancellationRequested();
        ModelInfo info = AdderNetModels.Find(model);
        Dataset images = findings.Data.Images(data, train: true, findings.Cancel);
        Recipe recipe = Recipe.For(model, data);
        double eta = recipe.GradientTransforms.OfType<AdaptiveScaling>().Single().Eta;
        report.Title($"{info.Title}, {recipe.BatchSize} images of {images.Info.Title}");
        using DataLoader loader = new(images, recipe.TrainAugmentation!, recipe.BatchSize, shuffle: true, Seed, threads: 0);
        using Batch batch = loader.Epoch(1).First();
        using var scope = NewDisposeScope();
        Tensor x = batch.ImageTensor(), labels = batch.LabelTensor();
        var variances = Kinds.ToDictionary(k => k, k => With(k, m => LayerMeasurements.Variances(m, x)));
        var norms = Kinds.ToDictionary(k => k, k => With(k, m => LayerMeasurements.GradientNorms(m, x, labels, LearningRateScaling.Adaptive(eta))));

        report.Table(
            $"{model}-variance",
            [
                "network", "layer", "kind", "k", new("Var[X]", "G4"), new("Var[F]", "G4"), new("Var[Y] by the formula", "G4"), new("measured", "G4"),
                new("measured / formula", "F2"), new("measured with normal X", "G4"), new("normal X / formula", "F2"),
            ],
            Kinds.SelectMany(k => variances[k].Select(v => (object?[])
            [
                k.Title(), v.Name, v.IsAdder ? "adder" : "convolution", v.Taps, v.Input, v.Filters, v.Expected, v.Output, v.Output / v.Expected,
                v.NormalOutput, v.NormalOutput / v.Expected,
            ])));
        report.Text(
            "The formulas suppose independent inputs of mean zero. Images, and what comes out of a ReLU, are neither, and the distances that an adder layer "
            + "sums up are never negative: what its inputs have in common adds up, and its outputs vary even more than the formula says. The last columns are "
            + "of the same layer over independent normal inputs of the same variance, where only the choice of a few filters is left to differ.");
        report.Figure(
            $"{model}-variance", $"{info.Title}: variance of each layer's output, measured and by the formula. Both panels have the same axes.",
            DrawVariances(variances));

        bool paper = model == "lenet5-bn";
        report.Table(
            $"{model}-gradients",
            [
                "layer", new("AdderNet", "G4"), new("AdderNet, scaled", "G4"), new("CNN", "G4"), new("CNN / AdderNet", "G3"),
                .. paper ? (Column[])[new("AdderNet, paper", "G4"), new("CNN, paper", "G4"), new("CNN / AdderNet, paper", "G3")] : [],
            ],
            norms[LayerKind.Adder].Select((n, i) => (object?[])
            [
                n.Name, n.Norm, n.IsAdder ? n.Scaled : null, norms[LayerKind.Conv][i].Norm, norms[LayerKind.Conv][i].Norm / n.Norm,
                .. paper ? PaperCells(i) : [],
            ]));
        report.Text(
            "Adaptive scaling (equation 12) gives the gradient of an adder layer of k weights the norm eta sqrt(k), "
            + FormattableString.Invariant($"here with eta = {eta}; ordinary layers have none.")
            + (paper
                ? " Absolute norms depend on the initial weights and the loss at the start, of which the paper doesn't tell; how many times smaller the adder "
                    + "layers' are can be compared. The first layer is an ordinary convolution in both networks here."
                : ""));
        report.Figure(
            $"{model}-gradients", $"{info.Title}: Euclidean norms of the gradients of the filters in the first step.", DrawNorms(norms));

        T With<T>(LayerKind kind, Func<Module, T> measure)
        {
            random.manual_seed(Seed);
            using Module fresh = AdderNetModels.Create(model, kind, images.ClassNames.Count, images.Info.Channels);
            return measure(fresh);
        }
    }

    private static object?[] PaperCells(int layer) =>
        layer < Paper[LayerKind.Adder].Length && (Paper[LayerKind.Adder][layer], Paper[LayerKind.Conv][layer]) is var (adder, conv)
            ? [adder, conv, conv / adder]
            : [null, null, null];

    internal static Figure DrawVariances(IReadOnlyDictionary<LayerKind, IReadOnlyList<LayerVariance>> variances)
    {
        Plot[] panels = [.. Kinds.Select(k =>
        {
            Plot plot = Charts.Panel(k.Title(), "layer, from the input", "variance of the output");
            Charts.LogarithmicLine(plot, variances[k].Select(v => v.Expected), Charts.Formula, dashed: true);
            Charts.LogarithmicLine(plot, variances[k].Select(v => v.Output), Charts.Of(k), dashed: false);
            Charts.LogarithmicY(plot);
            return plot;
        })];
        Charts.SameLimits(panels);
        return new Figure(
            panels, 2, 1100, 450,
            [.. Kinds.Select(k => new Key($"{k.Title()}, measured", Charts.Of(k))), new Key("formula", Charts.Formula, KeyMark.Dashes)]);
    }

    internal static Figure DrawNorms(IReadOnlyDictionary<LayerKind, IReadOnlyList<GradientNorm>> norms)
    {
        Plot plot = Charts.Panel("Gradient norms at the first iteration", "layer, from the input", "norm");
        Charts.LogarithmicLine(plot, norms[LayerKind.Conv].Select(n => n.Norm), Charts.Cnn, dashed: false);
        Charts.LogarithmicLine(plot, norms[LayerKind.Adder].Select(n => n.Norm), Charts.AdderNet, dashed: false);
        Charts.LogarithmicLine(plot, norms[LayerKind.Adder].Select(n => n.IsAdder ? n.Scaled : double.NaN), Charts.AdderNet, dashed: true);
        Charts.LogarithmicY(plot);
        return new Figure(
            [plot], 1, 800, 450, new Key("CNN", Charts.Cnn), new Key("AdderNet", Charts.AdderNet), new Key("AdderNet, scaled", Charts.AdderNet, KeyMark.Dashes));
    }
}
