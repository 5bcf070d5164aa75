using AdderNet.Graph;
using AdderNet.Models;
using ScottPlot;

namespace AdderNet.Reproduction;

/// <summary>Operations and energy of every model: the counts of tables 2 and 3 of the paper, and what they mean in a chip.</summary>
internal static class CostExperiment
{
    /// <summary>
    /// The paper's counts: a CNN's multiplications, of which it has as many additions, an AdderNet's additions, and whether there is a binary
    /// network, with the CNN's number of XNORs and of additions.
    /// </summary>
    private static readonly Dictionary<string, (double Products, double AdderAdditions, bool Binary)> Paper = new()
    {
        ["lenet5-bn"] = (435e3, 870e3, false),
        ["vgg-small"] = (0.65e9, 1.30e9, true),
        ["resnet20"] = (41.17e6, 82.34e6, true),
        ["resnet32"] = (69.12e6, 138.24e6, true),
        ["resnet18"] = (1.8e9, 3.6e9, true),
        ["resnet50"] = (3.9e9, 7.7e9, true),
    };

    /// <summary>The experiment.</summary>
    public static Experiment Create() => new(
        "cost", "Operations and energy of every model as AdderNet, CNN and binary network", "tables 2 and 3", 0,
        _ => [], (findings, report) => Write(report, AdderNetModels.All.Where(m => m.Kinds.Contains(LayerKind.Binary)).SelectMany(m =>
        {
            findings.Cancel.ThrowIfCancellationRequested();
            return NetworkCost.Of(m).Select(cost => cost.WithRun(new RunStore(findings.Options.Out)));
        })));

    /// <summary>Writes the report of some networks.</summary>
    internal static void Write(Report report, IEnumerable<NetworkCost> networks)
    {
        NetworkCost[] costs = [.. networks];
        report.Text(
            "What one picture costs, counted over every layer. The first convolution and the classifier (and the embedding of LeNet++) are ordinary in all "
            + "versions and multiply in all of them; the paper's AdderNets and binary networks are counted as if they did not. BatchNorm, ReLU, pooling and "
            + "residual sums are not counted: they are the same in all versions, and small. DoReFa-Nets cost what the binary networks cost.");
        report.Title("Energy");
        report.Figure(
            "energy", "Energy of a picture's arithmetic, the CNN of the same model being 100 %. The dark part of a bar is the first and the last layers, which are ordinary in every version.",
            Draw(costs));
        report.Table("energy", EnergyColumns, costs.Select(c => EnergyRow(c, Cnn(costs, c))));
        report.Text(
            $"Energy is the number of operations times what one takes in a 45 nm chip: a 32-bit floating-point multiplication {OperationEnergy.SinglePrecision.Multiply} pJ and an addition "
            + $"{OperationEnergy.SinglePrecision.Add} pJ, an 8-bit integer multiplication {OperationEnergy.EightBitIntegers.Multiply} pJ and an addition {OperationEnergy.EightBitIntegers.Add} pJ ({OperationEnergy.Source}).");
        report.Text(
            "There is no published figure for an XNOR of two bits. It is counted at its upper bound of 0.03 / 16 = 0.0019 pJ in both columns: an 8-bit addition is at least eight full adders of "
            + "two such gates each. So XNORs are next to nothing, and a binary network costs its additions. They are counted as full additions of the column, as the paper counts them. "
            + "Its sums are of single bits, though, and a chip made for it would count them with a few gates: read its energy as an upper bound.");
        report.Text(
            "Read all of it as a comparison of arithmetic alone. Moving data often takes more energy than computing with it (64 bits from DRAM take 1,300 pJ or more in the same source): as much for an "
            + "AdderNet as for a CNN, and less for a binary network. And the int8 columns take every addition for one of 8 bits. Sums of 8-bit values need more: kept in 32 bits, at 0.1 pJ an addition, "
            + "an element would take an AdderNet 0.03 + 0.1 = 0.13 pJ and a CNN 0.2 + 0.1 = 0.3 pJ, 43 % instead of 26 %.");
        report.Text(
            "Without skipped taps: behind a ReLU a filter element at or below 0 needs no work, whatever the input is (|x - w| = x + w - 2 min(x, w), and min(x, w) = w). How many there are only "
            + "trained weights tell: those columns are of a run that another experiment has trained to the end in a folder beside this one. The others take a minimum, counted as an addition, and "
            + "an addition; the sum of the inputs in each window is taken once for all filters.");
        report.Title("Operations");
        report.Table("operations", OperationColumns, costs.Select(OperationRow));
        report.Text(
            "The paper counts a multiply-accumulate of the CNN as one multiplication and one addition, of the AdderNet as two additions, and of the binary network as one XNOR and one addition. "
            + "ResNet-32's and ResNet-18's numbers are the paper's. No one count gives the paper's numbers for both ResNet-20 and ResNet-32; ResNet-50 has its strides where the official code has them, in the 3x3 layers; LeNet-5-BN and VGG-small "
            + "are not itemized in the paper, which has no numbers for LeNet++ and for a binary LeNet-5-BN.");
    }

    private static IReadOnlyList<Column> EnergyColumns { get; } =
    [
        "network", new("float32, µJ", "N3"), new("of the CNN's, %", "F1"), new("first and last layers, %", "F1"),
        new("int8, µJ", "N4"), new("of the CNN's, %", "F1"), new("first and last layers, %", "F1"),
        new("float32 without skipped taps, µJ", "N3"), new("int8 without skipped taps, µJ", "N4"),
    ];

    private static object?[] EnergyRow(NetworkCost cost, NetworkCost cnn) =>
    [
        Name(cost),
        .. ((OperationEnergy[])[OperationEnergy.SinglePrecision, OperationEnergy.EightBitIntegers]).SelectMany(e => (object?[])
            [cost.Microjoules(e), cost.Microjoules(e) / cnn.Microjoules(e) * 100, 100 * cost.OrdinaryShare(e)]),
        .. ((OperationEnergy[])[OperationEnergy.SinglePrecision, OperationEnergy.EightBitIntegers]).Select(e => OfRun(cost, left => e.Microjoules(left))),
    ];

    /// <summary>A cell about a trained run; only AdderNets have taps to skip.</summary>
    private static object? OfRun(NetworkCost cost, Func<OperationCounts, object> value) =>
        cost.Left is { } left ? value(left) : cost.Layers == LayerKind.Adder ? Absent.NotRunYet : null;

    private static IReadOnlyList<Column> OperationColumns { get; } =
    [
        "network", "parameters", "multiplications", "additions", "XNORs",
        new("paper's multiplications", "N0"), new("paper's additions", "N0"), new("paper's XNORs", "N0"), "additions without skipped taps", "run",
    ];

    private static object?[] OperationRow(NetworkCost cost)
    {
        OperationCounts all = cost.Operations;
        return [Name(cost), all.Parameters, all.Multiplications, all.Additions, all.Xnors, .. PaperCells(cost), OfRun(cost, left => left.Additions), cost.Run];
    }

    private static object?[] PaperCells(NetworkCost cost) => Paper.TryGetValue(cost.Model.Name, out var paper)
        ? cost.Layers switch
        {
            LayerKind.Adder => [0.0, paper.AdderAdditions, 0.0],
            LayerKind.Conv => [paper.Products, paper.Products, 0.0],
            _ when paper.Binary => [0.0, paper.Products, paper.Products],
            _ => [null, null, null],
        }
        : [null, null, null];

    private static string Name(NetworkCost cost) => PlannedRun.Title(cost.Layers, cost.Model.Name);

    private static NetworkCost Cnn(NetworkCost[] costs, NetworkCost of) => costs.First(c => c.Model == of.Model && c.Layers == LayerKind.Conv);

    /// <summary>Bars by model and version, in two panels.</summary>
    private static Figure Draw(NetworkCost[] costs)
    {
        Plot[] panels = [Panel("float32", OperationEnergy.SinglePrecision), Panel("int8", OperationEnergy.EightBitIntegers)];
        Charts.SameLimits(panels);
        foreach (Plot panel in panels)
        {
            panel.Axes.SetLimitsY(0, 112);
        }

        return new Figure(panels, 1, 1000, 760,
            [.. costs.Select(c => c.Layers).Distinct().Select(k => new Key(k.Title(), Charts.Of(k), KeyMark.Area)), new Key("first and last layers", FirstAndLast, KeyMark.Area)]);

        Plot Panel(string title, OperationEnergy energy)
        {
            const int slots = 4; // three bars a model and a gap
            Plot plot = Charts.Panel(title, "", "% of the CNN's energy");
            NetworkCost[][] models = [.. costs.GroupBy(c => c.Model).Select(g => g.ToArray())];
            for (int m = 0; m < models.Length; m++)
            {
                for (int v = 0; v < models[m].Length; v++)
                {
                    NetworkCost cost = models[m][v];
                    double whole = cost.Microjoules(energy) / Cnn(costs, cost).Microjoules(energy) * 100, ordinary = whole * cost.OrdinaryShare(energy), x = slots * m + v;
                    Add(x, 0, ordinary, FirstAndLast);
                    Add(x, ordinary, whole, Charts.Of(cost.Layers));
                    Charts.Text(plot, FormattableString.Invariant($"{whole:F0}"), x, whole, Alignment.LowerCenter);
                }
            }

            plot.Axes.Bottom.SetTicks([.. models.Select((_, m) => slots * m + 1.0)], [.. models.Select(m => m[0].Model.Title)]);
            plot.Grid.XAxisStyle.IsVisible = false;
            return plot;

            void Add(double x, double from, double to, Color color) =>
                plot.Add.Bar(new Bar { Position = x, ValueBase = from, Value = to, FillColor = color, LineWidth = 0, Size = .85 });
        }
    }

    private static Color FirstAndLast { get; } = new("#4D4D4D");
}
