namespace AdderNet.Cli.Tests.Reproduce;

public sealed class FigureFileTests : IDisposable
{
    private readonly TempFolder folder = new();

    [Fact]
    public void Weights_and_filters_are_of_the_same_runs()
    {
        string data = TinyData.Write(folder["data"], train: 40, test: 20);

        Run("weights", data);
        string text = Run("filters", data);

        Assert.Contains("lenet5-bn-adder-seed1 is copied from", text);
        Assert.DoesNotContain("Run 1 of", text);
        string[] table = Table("weights", "likelihood");
        Assert.StartsWith("AdderNet,1,48000,", table[1]);
        Assert.StartsWith("CNN,1,48000,", table[2]);
        // A single step leaves an AdderNet's filters much as they were drawn.
        Assert.EndsWith(",Gaussian,Laplace", table[1]);
        Assert.EndsWith(",Gaussian", table[2]);
        IsImage("weights", "weights");
        IsImage("filters", "first-layer");
        IsImage("filters", "second-layer");
    }

    [Fact]
    public void Features_are_measured_and_drawn()
    {
        Run("features", TinyData.Write(folder["data"], train: 32, test: 20));

        string[] table = Table("features", "features");
        Assert.Equal(["AdderNet", "CNN"], table[1..].Select(l => l.Split(',')[0]));
        Assert.All(table[1..], l => Assert.All(l.Split(',')[2..5], v => Assert.InRange(double.Parse(v, System.Globalization.CultureInfo.InvariantCulture), 0, 100)));
        IsImage("features", "features");
    }

    public void Dispose() => folder.Dispose();

    private string Run(string name, string data) =>
        Addernet.Run("reproduce", name, "--epochs", "1", "--data-dir", data, "--out", folder[$"reproduction/{name}"]).Succeeds();

    private string[] Table(string experiment, string name) => File.ReadAllLines(folder[$"reproduction/{experiment}/{name}.csv"]);

    private void IsImage(string experiment, string name)
    {
        Assert.Equal([0x89, (byte)'P', (byte)'N', (byte)'G'], File.ReadAllBytes(folder[$"reproduction/{experiment}/{name}.png"])[..4]);
        Assert.EndsWith("</svg>", File.ReadAllText(folder[$"reproduction/{experiment}/{name}.svg"]).TrimEnd());
    }
}
