using System.Globalization;
using AdderNet.Models;
using ScottPlot;

namespace AdderNet.Reproduction;

/// <summary>The common look of the pictures: colours, sizes of fonts, and the panels they are made of.</summary>
/// <remarks>The colours are those of Okabe and Ito, which people with any kind of colour blindness tell apart, too.</remarks>
internal static class Charts
{
    private const float TitleSize = 16, LabelSize = 14, TickSize = 12;

    private static readonly Color
        Orange = new("#E69F00"), SkyBlue = new("#56B4E9"), Green = new("#009E73"),
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

    /// <summary>The colour of what a formula says.</summary>
    public static Color Formula => Black;

    /// <summary>Ten colours for things that have no colour of their own: Okabe and Ito's, their yellow darkened so that it is seen on white, grey and wine.</summary>
    public static IReadOnlyList<Color> Categories { get; } =
        [Blue, Orange, Green, Purple, SkyBlue, Vermilion, Black, new("#B8A900"), new("#999999"), new("#882255")];

    /// <summary>Colours from negative to positive; zero is light grey.</summary>
    public static IColormap Diverging { get; } = new ScottPlot.Colormaps.CustomInterpolated([Blue, SkyBlue, new("#E0E0E0"), Orange, Vermilion]);

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

    /// <summary>Draws a line as all lines look.</summary>
    /// <param name="panel">Where.</param>
    /// <param name="xs">Its points' x.</param>
    /// <param name="ys">Their y.</param>
    /// <param name="colour">Its colour.</param>
    /// <param name="dashed">Whether it is dashed.</param>
    /// <param name="markers">Whether each point is marked, too.</param>
    public static void Line(Plot panel, double[] xs, double[] ys, Color colour, bool dashed, bool markers = false)
    {
        var line = panel.Add.Scatter(xs, ys, colour);
        line.LineWidth = 2;
        line.LinePattern = dashed ? LinePattern.Dashed : LinePattern.Solid;
        line.MarkerSize = markers ? 8 : 0;
    }

    /// <summary>Draws values, the first at 1, in a panel whose y are decimal logarithms; what has none is left out.</summary>
    /// <param name="panel">Where.</param>
    /// <param name="values">The values.</param>
    /// <param name="colour">Their colour.</param>
    /// <param name="dashed">Whether the line is dashed, and without marks.</param>
    public static void LogarithmicLine(Plot panel, IEnumerable<double> values, Color colour, bool dashed)
    {
        (double X, double Y)[] points = [.. values.Select((v, i) => (X: i + 1.0, Y: Math.Log10(v))).Where(p => double.IsFinite(p.Y))];
        Line(panel, [.. points.Select(p => p.X)], [.. points.Select(p => p.Y)], colour, dashed, markers: !dashed);
        WholeX(panel);
    }

    /// <summary>Writes a word into a panel.</summary>
    public static void Text(Plot panel, string text, double x, double y, Alignment alignment)
    {
        var label = panel.Add.Text(text, x, y);
        label.LabelAlignment = alignment;
        label.LabelFontSize = TickSize;
        label.LabelFontName = FontFamily;
    }

    /// <summary>Makes a panel whose x are whole numbers say no others.</summary>
    public static void WholeX(Plot panel) =>
        panel.Axes.Bottom.TickGenerator = new ScottPlot.TickGenerators.NumericAutomatic { IntegerTicksOnly = true };

    /// <summary>Makes a panel whose y are decimal logarithms say the numbers themselves.</summary>
    public static void LogarithmicY(Plot panel) => panel.Axes.Left.TickGenerator = new ScottPlot.TickGenerators.NumericAutomatic
    {
        MinorTickGenerator = new ScottPlot.TickGenerators.LogMinorTickGenerator(),
        IntegerTicksOnly = true,
        LabelFormatter = y => Math.Pow(10, y).ToString(y is >= -4 and <= 4 ? "#,0.####" : "0E+0", CultureInfo.InvariantCulture),
    };

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
}
