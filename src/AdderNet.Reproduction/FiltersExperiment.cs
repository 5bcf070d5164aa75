using AdderNet.Models;
using AdderNet.Training;
using ScottPlot;

namespace AdderNet.Reproduction;

/// <summary>What filters look like: figure 2 of the paper.</summary>
internal static class FiltersExperiment
{
    public static Experiment Create() => new(
        "filters", "Filters of LeNet-5-BN on MNIST", "figure 2", Recipes.Find("mnist").Recipe.Epochs, MnistExperiment.Plan, Write);

    private static void Write(Findings findings, Report report)
    {
        report.Text(
            "The paper shows that the filters of an AdderNet look alike to those of a CNN, although they are compared with the image by a distance. "
            + "The first layer is an ordinary convolution in both networks; it is the one that sees the image. The second is the first adder "
            + "layer of the AdderNet.");
        RunFinding[] ready = [.. findings.Runs.Where(r => r.Complete && r.Plan.Recipe.Seed == 1)];
        if (ready.Length == 0)
        {
            report.Text("No run is complete yet.");
            return;
        }

        var (first, second) = (new List<(string, Filters)>(), new List<(string, Filters)>());
        foreach (RunFinding run in ready)
        {
            using TrainedModel model = run.LoadModel();
            first.Add((run.Plan.Label, Filters.Of(model.Model, "conv1")));
            second.Add((run.Plan.Label, Filters.Of(model.Model, "conv2")));
        }

        report.Figure("first-layer", "The six filters of the first layer. Colours are in units of the root mean square of the panel's weights, the same in both.", Draw(first, 3, 420));
        report.Figure("second-layer", "The second layer: a row for each of its 16 filters, a column for each of the 6 channels it sees. Colours as above.", Draw(second, 6, 900));
    }

    /// <summary>A panel for each network, in one scale of colours that is the same to both sides of zero.</summary>
    internal static Figure Draw(IReadOnlyList<(string Label, Filters Filters)> networks, int tilesInRow, int height)
    {
        const double reach = 3;
        Plot[] panels = [.. networks.Select(n =>
        {
            Plot plot = Charts.Panel(FormattableString.Invariant($"{n.Label} (root mean square {n.Filters.Rms:G3})"), "", "");
            var image = plot.Add.Heatmap(n.Filters.Grid(tilesInRow, zoom: 12));
            image.Colormap = Charts.Diverging;
            image.ManualRange = new ScottPlot.Range(-reach, reach);
            image.NaNCellColor = Colors.White;
            var bar = plot.Add.ColorBar(image);
            bar.Axis.TickGenerator = new ScottPlot.TickGenerators.NumericFixedInterval(1);
            bar.Axis.TickLabelStyle.FontName = Charts.FontFamily;
            foreach (IAxis axis in (IAxis[])[plot.Axes.Left, plot.Axes.Bottom])
            {
                axis.TickGenerator = new ScottPlot.TickGenerators.EmptyTickGenerator();
                axis.FrameLineStyle.Width = 0;
            }

            plot.HideGrid();
            plot.Axes.Margins(.02, .02);
            plot.Axes.SquareUnits();
            return plot;
        })];
        return new Figure(panels, panels.Length, 480 * panels.Length, height);
    }
}
