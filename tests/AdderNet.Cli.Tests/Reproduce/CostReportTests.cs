using System.Globalization;
using AdderNet.Models;

namespace AdderNet.Cli.Tests.Reproduce;

public class CostReportTests
{
    [Fact]
    public void Every_model_is_in_the_report_in_every_version_without_training()
    {
        using TempFolder folder = new();

        string text = Addernet.Run("reproduce", "cost", "--out", folder["cost"]).Succeeds();

        Assert.Contains("Nothing has to be trained.", text, StringComparison.Ordinal);
        string[][] operations = Csv(folder["cost/operations.csv"]), energy = Csv(folder["cost/energy.csv"]);
        string[] networks = [.. AdderNetModels.All.Where(m => m.Kinds.Contains(LayerKind.Binary)).SelectMany(m => ((string[])["AdderNet", "CNN", "BNN"]).Select(v => $"{v} {m.Title}"))];
        Assert.Equal(networks, operations.Select(r => r[0]));
        Assert.Equal(networks, energy.Select(r => r[0]));
        // ResNet-32's counts are the paper's; its ordinary layers' multiplications are shown, which the paper leaves out.
        string[] cnn = operations[Array.IndexOf(networks, "CNN ResNet-32")], bnn = operations[Array.IndexOf(networks, "BNN ResNet-32")];
        Assert.Equal(["69124736", "69124736", "0", "69120000", "69120000", "0"], cnn[2..8]);
        Assert.Equal(["443008", "69124736", "68681728", "0", "69120000", "69120000"], bnn[2..8]);
        Assert.All(energy.Where(r => r[0].StartsWith("CNN", StringComparison.Ordinal)), r => Assert.Equal(100, double.Parse(r[2], CultureInfo.InvariantCulture), 1e-9));
        Assert.All(energy.Where(r => r[0].StartsWith("AdderNet", StringComparison.Ordinal)), r =>
        {
            // Between the price of additions alone, (0.9 + 0.9) / (3.7 + 0.9), and that of the CNN.
            Assert.InRange(double.Parse(r[2], CultureInfo.InvariantCulture), 39.1, 99);
            Assert.InRange(double.Parse(r[5], CultureInfo.InvariantCulture), 26.0, 99);
        });
        string html = File.ReadAllText(folder["cost/report.html"]);
        Assert.All((string[])["Horowitz", "ISSCC 2014", "3.7 pJ", "0.9 pJ", "0.2 pJ", "0.03 pJ", "XNOR"], word => Assert.Contains(word, html, StringComparison.Ordinal));
        // What to type to repeat it names the threads, which nobody asked for: the default is another number elsewhere.
        Assert.Contains($"reproduce cost --threads {Environment.ProcessorCount} --out {folder["cost"]}", html, StringComparison.Ordinal);
        Assert.True(File.Exists(folder["cost/energy.png"]) && File.Exists(folder["cost/energy.svg"]));
    }

    private static string[][] Csv(string path) => [.. File.ReadAllLines(path).Skip(1).Select(l => l.Split(','))];
}
