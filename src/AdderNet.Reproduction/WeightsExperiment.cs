using AdderNet.Models;
using AdderNet.Training;
using ScottPlot;
using static TorchSharp.torch;

namespace AdderNet.Reproduction;

/// <summary>The distribution of weights: section 4.4 of the paper.</summary>
internal static class WeightsExperiment
{
    private const string Layer = "conv3";

    public static Experiment Create() => new(
        "weights", "Distribution of the weights of LeNet-5-BN's third layer", "section 4.4", Recipes.Find("mnist").Recipe.Epochs, MnistExperiment.Plan, Write);

    private static void Write(Findings findings, Report report)
    {
        report.Text(
            "The paper observes that the weights of an AdderNet follow a Laplace distribution and those of a CNN a Gaussian one, as the L1 norm and "
            + "the L2 norm are the logarithms of these. Both are fitted here to the weights of the third layer of LeNet-5-BN by maximum likelihood; "
            + "the one with the larger log-likelihood fits better.");
        RunFinding[] ready = [.. findings.Runs.Where(r => r.Complete)];
        Dictionary<RunFinding, float[]> weights = ready.ToDictionary(r => r, r =>
        {
            using TrainedModel model = r.LoadModel();
            return Filters.Of(model.Model, Layer).Values;
        });
        report.Table(
            "likelihood",
            [
                "network", "seed", "weights", new("standard deviation", "G4"), new("Laplace, nats a weight", "F4"), new("Gaussian, nats a weight", "F4"),
                new("Laplace - Gaussian", "+0.0000;-0.0000"), new("excess kurtosis", "F2"), "better fit", "paper",
            ],
            findings.Runs.Select(r => Row(r, weights.GetValueOrDefault(r))));
        if (weights.Count > 0)
        {
            report.Text(
                "The difference of the log-likelihoods doesn't depend on the scale of the weights. The excess kurtosis, of which neither fit knows, is 0 "
                + "for a Gaussian and 3 for a Laplace distribution.");
            report.Figure(
                "weights",
                "Weights of the third layer, in standard deviations from their mean, with both fits. Both panels have the same axes.",
                Draw([.. weights.Where(w => w.Key.Plan.Recipe.Seed == 1).Select(w => (w.Key.Plan.Label, w.Key.Plan.Recipe.Layers, w.Value))]));
        }
    }

    private static object?[] Row(RunFinding run, float[]? weights)
    {
        string paper = run.Plan.Recipe.Layers == LayerKind.Adder ? "Laplace" : "Gaussian";
        if (weights is null)
        {
            return [run.Plan.Label, run.Plan.Recipe.Seed, run.Missing, null, null, null, null, null, null, paper];
        }

        WeightFits fits = WeightFits.Of(weights);
        return
        [
            run.Plan.Label, run.Plan.Recipe.Seed, weights.Length, fits.Gaussian.Scale, fits.Laplace.LogLikelihood, fits.Gaussian.LogLikelihood,
            fits.Difference, fits.ExcessKurtosis, fits.Better.Name, paper,
        ];
    }

    /// <summary>A histogram of the standardized weights of each network, with its fits.</summary>
    internal static Figure Draw(IReadOnlyList<(string Label, LayerKind Layers, float[] Weights)> networks)
    {
        Plot[] panels = [.. networks.Select(n => Panel(n.Label, n.Layers, n.Weights))];
        Charts.SameLimits(panels);
        foreach (Plot panel in panels)
        {
            panel.Axes.SetLimitsY(0, panel.Axes.GetLimits().Top);
        }

        return new Figure(
            panels, panels.Length, 550 * panels.Length, 450,
            [
                .. networks.Select(n => new Key($"{n.Label}'s weights", Charts.Of(n.Layers).WithAlpha(.5), KeyMark.Area)),
                new Key("Laplace fit", Charts.Formula), new Key("Gaussian fit", Charts.Formula, KeyMark.Dashes),
            ]);
    }

    private static Plot Panel(string label, LayerKind layers, float[] weights)
    {
        const int bins = 81;
        const double reach = 5;
        DensityFit raw = DensityFit.Gaussian(weights);
        float[] standardized = [.. weights.Select(w => (float)((w - raw.Location) / raw.Scale))];
        Histogram histogram = Histogram.Of(standardized, -reach, reach, bins);
        Plot plot = Charts.Panel(
            FormattableString.Invariant($"{label} (standard deviation {raw.Scale:G3})"), "weight, in standard deviations from the mean", "density");
        plot.Add.Bars(histogram.Centres.Zip(histogram.Densities, (x, y) => new Bar
        {
            Position = x,
            Size = histogram.Width,
            Value = y,
            FillColor = Charts.Of(layers).WithAlpha(.5),
            LineWidth = 0,
        }).ToArray());
        double[] xs = [.. Enumerable.Range(0, 401).Select(i => -reach + i * reach / 200)];
        Charts.Line(plot, xs, [.. xs.Select(DensityFit.Laplace(standardized).Density)], Charts.Formula, dashed: false);
        Charts.Line(plot, xs, [.. xs.Select(DensityFit.Gaussian(standardized).Density)], Charts.Formula, dashed: true);
        return plot;
    }
}
