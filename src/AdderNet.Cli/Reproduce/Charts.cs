using AdderNet.Models;
using ScottPlot;

namespace AdderNet.Cli.Reproduce;

/// <summary>
/// One line of a figure: what it is called, its colour, and a value for each epoch from the first. Curves of one label (several seeds)
/// share one entry of the legend.
/// </summary>
internal sealed record Curve(string Label, Color Color, IReadOnlyList<double> Values, bool Dashed = false);

/// <summary>The common look of the pictures: colours, sizes of fonts, and the panels they are made of.</summary>
/// <remarks>The colours are those of Okabe and Ito, which people with any kind of colour blindness tell apart, too.</remarks>
internal static class Charts
{
    private const float TitleSize = 16, LabelSize = 14, TickSize = 12;

    private static readonly Color
        Orange = new("#E69F00"), SkyBlue = new("#56B4E9"), Green = new("#009E73"), Yellow = new("#F0E442"),
        Blue = new("#0072B2"), Vermilion = new("#D55E00"), Purple = new("#CC79A7"), Black = new("#000000");

    /// <summary>The first plain typeface that this machine has.</summary>
    public static string FontFamily { get; } =
        new[] { "DejaVu Sans", "Liberation Sans", "Noto Sans", "Helvetica Neue", "Segoe UI", "Arial" }
            .FirstOrDefault(SkiaSharp.SKFontManager.Default.FontFamilies.Contains) ?? Fonts.Default;

    /// <summary>The colours that stand for a network in every picture.</summary>
    public static Color AdderNet => Vermilion;

    /// <inheritdoc cref="AdderNet"/>
    public static Color Cnn => Blue;

    /// <inheritdoc cref="AdderNet"/>
    public static Color Bnn => Green;

    /// <summary>Ten colours for things that have no colour of their own: Okabe and Ito's eight, grey and wine.</summary>
    public static IReadOnlyList<Color> Categories { get; } =
        [Blue, Orange, Green, Purple, SkyBlue, Vermilion, Black, new("#B8A900"), new("#999999"), new("#882255")];

    /// <summary>The colour of a network by its inner layers.</summary>
    public static Color Of(LayerKind layers) => layers switch
    {
        LayerKind.Adder => AdderNet,
        LayerKind.Conv => Cnn,
        LayerKind.Binary => Bnn,
        _ => Purple,
    };

    /// <summary>An empty panel in the common look.</summary>
    public static Plot Panel(string title, string xLabel, string yLabel)
    {
        Plot plot = new();
        plot.Title(title, TitleSize);
        plot.XLabel(xLabel, LabelSize);
        plot.YLabel(yLabel, LabelSize);
        plot.Axes.Title.Label.Bold = false;
        plot.Font.Set(FontFamily);
        foreach (IAxis axis in plot.Axes.GetAxes())
        {
            axis.Label.Bold = false;
            axis.TickLabelStyle.FontSize = TickSize;
        }

        plot.Axes.Top.FrameLineStyle.Width = plot.Axes.Right.FrameLineStyle.Width = 0;
        plot.Grid.MajorLineColor = Black.WithAlpha(.12);
        plot.HideLegend();
        // A panel shares its canvas with others.
        plot.RenderManager.ClearCanvasBeforeEachRender = false;
        return plot;
    }

    /// <summary>Gives panels that are to be compared the same limits: the smallest that hold all of their data.</summary>
    public static void SameLimits(params IReadOnlyList<Plot> panels)
    {
        AxisLimits[] each = [.. panels.Select(p =>
        {
            p.Axes.AutoScale();
            return p.Axes.GetLimits();
        })];
        foreach (Plot panel in panels)
        {
            panel.Axes.SetLimits(each.Min(l => l.Left), each.Max(l => l.Right), each.Min(l => l.Bottom), each.Max(l => l.Top));
        }
    }

    /// <summary>Values by epoch, one line a curve, with the legend below.</summary>
    public static Figure LearningCurves(string title, string yLabel, IReadOnlyList<Curve> curves, int width = 800, int height = 500)
    {
        Plot plot = Panel(title, "epoch", yLabel);
        plot.Axes.Bottom.TickGenerator = new ScottPlot.TickGenerators.NumericAutomatic { IntegerTicksOnly = true };
        foreach (Curve curve in curves.Where(c => c.Values.Count > 0))
        {
            var line = plot.Add.Scatter(Enumerable.Range(1, curve.Values.Count).Select(i => (double)i).ToArray(), curve.Values.ToArray(), curve.Color);
            line.LineWidth = 2;
            line.LinePattern = curve.Dashed ? LinePattern.Dashed : LinePattern.Solid;
            // A single epoch is a point, which a line alone would not show.
            line.MarkerSize = curve.Values.Count == 1 ? 8 : 0;
        }

        return new Figure([plot], 1, width, height, [.. curves
            .DistinctBy(c => c.Label).Select(c => new Key(c.Label, c.Color, c.Dashed ? KeyMark.Dashes : KeyMark.Line))]);
    }
}
