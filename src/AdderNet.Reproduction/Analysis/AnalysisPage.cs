using AdderNet.Graph;
using ScottPlot;

namespace AdderNet.Reproduction;

/// <summary>The page of <c>addernet analyze</c>: what one network has learned, or two side by side.</summary>
internal static class AnalysisPage
{
    private static readonly Color InputColor = new("#4D4D4D"), Skipped = new("#009E73"), Plain = new("#56B4E9"), Compared = new("#D55E00"), Second = new("#CC79A7");

    /// <summary>Makes the page.</summary>
    /// <param name="networks">The networks, each with another label.</param>
    /// <param name="title">Its heading.</param>
    /// <param name="subtitle">What was measured with.</param>
    public static Report Of(IReadOnlyList<NetworkAnalysis> networks, string title, string subtitle)
    {
        Report report = new(title, subtitle);
        networks = [.. networks.Select((n, i) => networks.Take(i).Any(other => other.Color == n.Color) ? n with { Color = Second } : n)];
        Costs(report, networks);
        foreach (NetworkAnalysis network in networks.Where(n => n.Layers.Any(l => l.IsAdder)))
        {
            Taps(report, network, networks.Count > 1);
        }

        Distributions(report, networks);
        Fits(report, networks);
        Norms(report, networks);
        Gradients(report, networks);
        return report;
    }

    private static void Costs(Report report, IReadOnlyList<NetworkAnalysis> networks)
    {
        report.Table(
            "costs",
            [
                "network", "parameters", "multiplications", "additions", "without skipped taps", new("energy in float32, µJ", "N1"), new("without skipped", "N1"),
                new("in int8, µJ", "N2"), new("without skipped", "N2"),
            ],
            networks.Select(n => (object?[])
            [
                n.Label, n.Operations.Parameters, n.Operations.Multiplications, n.Operations.Additions, n.Left.Additions,
                OperationEnergy.SinglePrecision.Microjoules(n.Operations), OperationEnergy.SinglePrecision.Microjoules(n.Left),
                OperationEnergy.EightBitIntegers.Microjoules(n.Operations), OperationEnergy.EightBitIntegers.Microjoules(n.Left),
            ]));
        report.Text(
            "For one picture, counted as in the paper's tables: an adder layer's tap is two additions. Without skipped taps, a compared tap is a minimum "
            + "and an addition, a plain one an addition, a skipped one nothing, and the sum of the inputs in each window is taken once for all filters. "
            + $"The energy is that of the arithmetic alone in a 45 nm chip ({OperationEnergy.Source}).");
    }

    private static void Taps(Report report, NetworkAnalysis network, bool several)
    {
        LayerAnalysis[] layers = [.. network.Layers.Where(l => l.IsAdder)];
        report.Title(several ? $"What is left to do in {network.Label}" : "What is left to do");
        report.Text(
            "|x - w| = x + w - 2 min(x, w). Behind a ReLU no input is below 0, so that a tap (one weight of one filter) at or below 0 has min(x, w) = w, a constant, and "
            + "is skipped whatever the input is. A tap at or above the largest input has min(x, w) = x: a plain sum. Only the taps between compare.");
        Plot plot = Charts.Panel("", "% of the layer's taps", "");
        for (int i = 0; i < layers.Length; i++)
        {
            TapStatistics taps = layers[i].Taps!.Value;
            double skipped = 100.0 * taps.Skipped / taps.All, plain = 100.0 * taps.Plain / taps.All;
            Add(0, skipped, Skipped);
            Add(skipped, 100 - plain, Compared);
            Add(100 - plain, 100, Plain);

            void Add(double from, double to, Color color) => plot.Add.Bar(new Bar
            {
                Position = -i,
                ValueBase = from,
                Value = to,
                FillColor = color,
                LineWidth = 0,
                Size = .8,
                Orientation = Orientation.Horizontal,
            });
        }

        plot.Axes.Left.SetTicks([.. layers.Select((_, i) => (double)-i)], [.. layers.Select(l => l.Name)]);
        plot.Axes.SetLimits(0, 100, -layers.Length + .4, .6);
        plot.Grid.YAxisStyle.IsVisible = false;
        report.Figure(
            "taps", "Taps of each adder layer, from the input at the top to the output.",
            new Figure(
                [plot], 1, 900, 130 + 24 * layers.Length,
                new Key("skipped: no work", Skipped, KeyMark.Area), new Key("compared: a minimum and an addition", Compared, KeyMark.Area),
                new Key("plain: an addition", Plain, KeyMark.Area)));
        report.Table(
            "layers",
            [
                "layer", "taps", new("skipped, %", "F1"), new("plain, %", "F1"), new("compared, %", "F1"), new("largest input", "G3"),
                new("filters' deviation", "G3"), new("inputs' deviation", "G3"), "dead channels",
            ],
            layers.Select(l => (object?[])
            [
                l.Name, l.Taps!.Value.All, Share(l.Taps.Value.Skipped, l), Share(l.Taps.Value.Plain, l), Share(l.Taps.Value.Compared, l), l.Inputs.Largest, l.Deviation,
                l.Inputs.Deviation, l.Dead,
            ]));
        report.Text("A dead channel is one that the ReLU behind the layer leaves 0 in every pixel of every image that was looked at.");

        static double Share(long taps, LayerAnalysis layer) => 100.0 * taps / layer.Taps!.Value.All;
    }

    private static void Distributions(Report report, IReadOnlyList<NetworkAnalysis> networks)
    {
        report.Title("Filters and inputs");
        report.Text(
            "The weights of each layer, and in grey the inputs that it met, both as densities on one axis. In an adder layer the two are compared: where a filter's "
            + "weights lie on one side of the inputs, its distance only adds the inputs up. Inputs that are exactly 0 are left out of the "
            + "grey curve, and the outermost bars hold all weights beyond.");
        foreach (NetworkAnalysis network in networks)
        {
            Plot[] panels = [.. network.Layers.Select(layer => Panel(layer, network.Color))];
            int columns = Math.Min(panels.Length, 4), rows = (panels.Length + columns - 1) / columns;
            report.Figure(
                "filters", $"{network.Label}: weights and inputs of each layer.",
                new Figure(
                    panels, columns, 1160, 215 * rows + 40, new Key("weights", network.Color.WithAlpha(.5), KeyMark.Area), new Key("inputs", InputColor)));
        }
    }

    private static Plot Panel(LayerAnalysis layer, Color color)
    {
        Plot plot = Charts.Panel(layer.Name, "", "");
        plot.Axes.Title.Label.FontSize = 13;
        plot.Axes.Left.TickGenerator = new ScottPlot.TickGenerators.EmptyTickGenerator();
        float[] inputs = [.. layer.Inputs.Sample.Where(v => v != 0)];
        // A few values far out would squeeze all others; they are in the outermost bars.
        double reach = Math.Max(Outermost(layer.Filters, .98), Outermost(inputs, .998)), low = -reach;
        Histogram weights = Histogram.Of(layer.Filters, low, reach, 81), seen = Histogram.Of(inputs, low, reach, 81);
        plot.Add.Bars(weights.Centres.Zip(weights.Densities, (x, y) => new Bar
        {
            Position = x,
            Size = weights.Width,
            Value = Relative(y, weights),
            FillColor = color.WithAlpha(.5),
            LineWidth = 0,
        }).ToArray());
        Charts.Line(plot, weights.Centres, [.. seen.Densities.Select(y => Relative(y, seen))], InputColor, dashed: false);
        plot.Axes.SetLimits(low, reach, 0, 1.08);
        return plot;

        // Heights are not comparable between the two, so that each fills its panel.
        static double Relative(double density, Histogram of) => density / Math.Max(of.Densities.Max(), double.Epsilon);

        static double Outermost(float[] values, double share)
        {
            if (values.Length == 0)
            {
                return 1e-6;
            }

            float[] sorted = [.. values.Select(Math.Abs).Order()];
            return Math.Max(sorted[(int)(share * (sorted.Length - 1))], 1e-6f);
        }
    }

    private static void Fits(Report report, IReadOnlyList<NetworkAnalysis> networks)
    {
        report.Title("Shape of the weights");
        report.Text(
            "The paper finds a Laplace distribution in AdderNets' weights and a Gaussian one in CNNs'. Both are fitted by maximum likelihood; a positive difference "
            + "says that Laplace fits better. The excess kurtosis is 0 for a Gaussian and 3 for a Laplace distribution.");
        bool several = networks.Count > 1;
        string[] names = [.. networks.SelectMany(n => n.Layers).Where(layer => layer.Deviation > 0).Select(layer => layer.Name).Distinct()];
        report.Table(
            "fits",
            [
                "layer",
                .. networks.SelectMany(n => (Column[])
                [
                    new(Named("standard deviation", n), "G3"), new(Named("Laplace - Gaussian, nats a weight", n), "+0.000;-0.000"),
                    new(Named("excess kurtosis", n), "F1"),
                ]),
            ],
            names.Select(name => (object?[])[name, .. networks.SelectMany(n => Cells(n.Layers.FirstOrDefault(layer => layer.Name == name)))]));

        string Named(string what, NetworkAnalysis network) => several ? $"{what}: {network.Label}" : what;

        static object?[] Cells(LayerAnalysis? layer)
        {
            if (layer is not { Deviation: > 0 })
            {
                return [null, null, null];
            }

            WeightFits fits = WeightFits.Of(layer.Filters);
            return [fits.Gaussian.Scale, fits.Difference, fits.ExcessKurtosis];
        }
    }

    private static void Norms(Report report, IReadOnlyList<NetworkAnalysis> networks)
    {
        if (networks.All(n => n.Layers.All(l => l.Scales is null)))
        {
            return;
        }

        report.Title("BatchNorm's scales");
        report.Text(
            "|gamma| of the channels behind each layer: the least, the median and the largest. A channel of a small scale says little to the next layer; "
            + "'prune --channels' takes those out.");
        Plot plot = Charts.Panel("", "layer, from the input", "|gamma|");
        foreach (NetworkAnalysis network in networks)
        {
            Add(network, scales => scales.Min(), dashed: true);
            Add(network, scales => scales.Order().ElementAt(scales.Length / 2), dashed: false);
            Add(network, scales => scales.Max(), dashed: true);
        }

        ByLayer(
            report, "scales", "Scales of BatchNorm by layer.", plot,
            networks.SelectMany(n => (Key[])[new($"{n.Label}, median", n.Color), new($"{n.Label}, least and largest", n.Color, KeyMark.Dashes)]));

        void Add(NetworkAnalysis network, Func<float[], float> of, bool dashed) =>
            Charts.LogarithmicLine(plot, network.Layers.Select(layer => layer.Scales is { } scales ? of(scales) : double.NaN), network.Color, dashed);
    }

    private static void Gradients(Report report, IReadOnlyList<NetworkAnalysis> networks)
    {
        NetworkAnalysis[] trainable = [.. networks.Where(n => n.Gradients.Count > 0)];
        if (trainable.Length == 0)
        {
            return;
        }

        report.Title("Gradients");
        report.Text(
            "Euclidean norms of the gradient of the mean cross-entropy at each layer's filters, over 64 of the images, in training mode. Adaptive scaling "
            + "(equation 12 of the paper) gives adder layers of k weights the norm eta sqrt(k).");
        Plot plot = Charts.Panel("", "layer, from the input", "norm of the gradient");
        foreach (NetworkAnalysis network in trainable)
        {
            Charts.LogarithmicLine(plot, network.Gradients.Select(g => g.Norm), network.Color, dashed: false);
            Charts.LogarithmicLine(plot, network.Gradients.Select(g => g.IsAdder ? g.Scaled : double.NaN), network.Color, dashed: true);
        }

        ByLayer(
            report, "gradients", "Norms of the gradients of one step by layer.", plot,
            [
                .. trainable.Select(n => new Key(n.Label, n.Color)),
                .. trainable.Where(n => n.Gradients.Any(g => g.IsAdder)).Select(n => new Key($"{n.Label}, scaled", n.Color, KeyMark.Dashes)),
            ]);
    }

    /// <summary>A figure of one panel with logarithmic lines over all layers.</summary>
    private static void ByLayer(Report report, string name, string caption, Plot plot, IEnumerable<Key> keys)
    {
        Charts.LogarithmicY(plot);
        report.Figure(name, caption, new Figure([plot], 1, 900, 420, [.. keys]));
    }
}
