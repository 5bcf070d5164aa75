using AdderNet.Training;
using ScottPlot;

namespace AdderNet.Reproduction;

/// <summary>How runs learned: the metric that decides and the training loss by epoch, side by side.</summary>
internal static class LearningCurves
{
    /// <summary>Draws the runs that have at least one epoch; nothing where none has.</summary>
    /// <param name="report">Where the figure goes.</param>
    /// <param name="name">Its files' name.</param>
    /// <param name="caption">What it shows.</param>
    /// <param name="runs">The runs; those of one label share one entry of the legend.</param>
    /// <param name="style">Each run's colour, and whether its line is dashed.</param>
    public static void Draw(
        Report report, string name, string caption, IReadOnlyList<RunFinding> runs, Func<RunFinding, (Color Color, bool Dashed)> style)
    {
        RunFinding[] begun = [.. runs.Where(r => r.History.Count > 0)];
        if (begun.Length == 0)
        {
            return;
        }

        Recipe recipe = begun[0].Plan.Recipe;
        Metric deciding = recipe.Metrics.Single(m => m.Best is not null);
        string measured = begun[0].History[0].Validation is null ? "Test" : "Validation";
        Plot accuracy = Panel($"{measured} {deciding.Title}", $"{deciding.Title}, %", e => 100 * e.Measured[deciding.Name]);
        Plot loss = Panel("Training loss", recipe.Detection is not null ? "FCOS's loss" : "cross-entropy", e => e.Train["loss"]);
        report.Figure(name, caption, new Figure([accuracy, loss], 2, 1100, 480, [.. begun.DistinctBy(r => r.Plan.Label).Select(r =>
            new Key(r.Plan.Label, style(r).Color, style(r).Dashed ? KeyMark.Dashes : KeyMark.Line))]));

        Plot Panel(string title, string yLabel, Func<EpochMetrics, double> value)
        {
            Plot plot = Charts.Panel(title, "epoch", yLabel);
            Charts.WholeX(plot);
            foreach (RunFinding run in begun)
            {
                (Color colour, bool dashed) = style(run);
                // A single epoch is a point, which a line alone would not show.
                Charts.Line(plot, [.. run.History.Select(e => (double)e.Epoch)], [.. run.History.Select(value)], colour, dashed, markers: run.History.Count == 1);
            }

            return plot;
        }
    }
}
