using System.Xml.Linq;
using ScottPlot;
using SkiaSharp;

namespace AdderNet.Reproduction.Tests;

public class ChartTests
{
    [Fact]
    public void Compared_panels_get_one_pair_of_limits_that_holds_all_data()
    {
        using Plot left = Charts.Panel("left", "x", "y"), right = Charts.Panel("right", "x", "y");
        left.Add.Scatter(new double[] { -3, 1 }, new double[] { 0, 1 });
        right.Add.Scatter(new double[] { 0, 2 }, new double[] { 5, -7 });

        Charts.SameLimits(left, right);

        AxisLimits limits = left.Axes.GetLimits();
        Assert.Equal(limits, right.Axes.GetLimits());
        Assert.True(limits.Left <= -3 && limits.Right >= 2 && limits.Bottom <= -7 && limits.Top >= 5);
    }

    [Fact]
    public void A_figure_is_an_image_and_a_drawing_of_its_size()
    {
        using Figure figure = Curves();

        using SKBitmap image = SKBitmap.Decode(figure.Png());
        XElement drawing = XDocument.Parse(figure.Svg()).Root!;

        Assert.Equal((640, 400), (image.Width, image.Height));
        Assert.Equal(("svg", "640", "400"), (drawing.Name.LocalName, drawing.Attribute("width")!.Value, drawing.Attribute("height")!.Value));
    }

    [Fact]
    public void The_legend_lies_below_the_data()
    {
        using Figure figure = Curves();
        using SKBitmap image = SKBitmap.Decode(figure.Png());
        SKColor color = new(Charts.Cnn.R, Charts.Cnn.G, Charts.Cnn.B);

        int[] rows = [.. Enumerable.Range(0, image.Height).Where(y => Enumerable.Range(0, image.Width).Any(x => image.GetPixel(x, y) == color))];

        // The curve of the CNN, a gap with the axis and its labels, then the CNN's mark.
        int gap = rows.Zip(rows.Skip(1), (a, b) => b - a).Max();
        Assert.True(gap > 40, $"the largest gap is {gap} rows");
        Assert.True(rows[^1] > 360);
        Assert.Single(Texts(figure.Svg()), "CNN");
        Assert.Single(Texts(figure.Svg()), "AdderNet");
    }

    [Fact]
    public void A_wide_legend_takes_several_lines_within_the_image()
    {
        Key[] keys = [.. Enumerable.Range(0, 10).Select(i => new Key($"a rather long label {i}", Charts.Categories[i], KeyMark.Dot))];
        using Figure figure = new([Charts.Panel("t", "x", "y")], 1, 500, 400, keys);

        var labels = XDocument.Parse(figure.Svg()).Descendants().Where(e => e.Name.LocalName == "text" && e.Value.Trim().StartsWith('a')).ToArray();

        Assert.Equal(10, labels.Length);
        Assert.InRange(labels.Select(l => Coordinate(l, "y")).Distinct().Count(), 3, 5);
        Assert.All(labels, l => Assert.InRange(Coordinate(l, "x"), 0, 400));
        Assert.All(labels, l => Assert.InRange(Coordinate(l, "y"), 200, 400));
    }

    [Fact]
    public void The_colours_of_categories_are_all_different() =>
        Assert.Equal(10, Charts.Categories.Append(Charts.Bnn).Distinct().Count());

    private static Figure Curves()
    {
        Plot plot = Charts.Panel("Test accuracy", "epoch", "accuracy, %");
        plot.Add.Scatter(new double[] { 1, 2, 3 }, new double[] { 90, 95, 98 }, Charts.AdderNet);
        plot.Add.Scatter(new double[] { 1, 2, 3 }, new double[] { 92, 97, 99 }, Charts.Cnn);
        return new Figure([plot], 1, 640, 400, new Key("AdderNet", Charts.AdderNet), new Key("CNN", Charts.Cnn));
    }

    private static IEnumerable<string> Texts(string svg) =>
        XDocument.Parse(svg).Descendants().Where(e => e.Name.LocalName == "text").Select(e => e.Value.Trim());

    private static double Coordinate(XElement text, string name) =>
        double.Parse(text.Attribute(name)!.Value.Split(',')[0], System.Globalization.CultureInfo.InvariantCulture);
}
