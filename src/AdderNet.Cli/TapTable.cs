using AdderNet.Graph;
using AdderNet.Inference;

namespace AdderNet.Cli;

/// <summary>What is left to do for the taps of a network's adder layers, as a table.</summary>
/// <param name="Layers">The adder layers, in order.</param>
/// <param name="Total">The whole network.</param>
internal sealed record TapTable(IReadOnlyList<TapTable.Row> Layers, TapTable.Sum Total)
{
    /// <summary>One layer.</summary>
    /// <param name="Name">Its name.</param>
    /// <param name="Largest">The largest input that was met, or the largest that its codes can stand for.</param>
    /// <param name="AfterRelu">Whether no input can be below 0.</param>
    /// <param name="Taps">Its taps.</param>
    /// <param name="Additions">Additions for one image, with those of taps that need no work not counted.</param>
    /// <param name="AllAdditions">All of them, as the paper counts.</param>
    internal sealed record Row(string Name, double Largest, bool AfterRelu, TapStatistics Taps, long Additions, long AllAdditions)
    {
        /// <summary>The share of the additions that is left.</summary>
        public double WorkLeft => (double)Additions / AllAdditions;
    }

    /// <summary>All layers, ordinary ones too.</summary>
    /// <param name="Taps">The taps of the adder layers.</param>
    /// <param name="Additions">Additions for one image, with those of taps that need no work not counted.</param>
    /// <param name="AllAdditions">All of them, as the paper counts.</param>
    /// <param name="Multiplications">Multiplications for one image.</param>
    internal sealed record Sum(TapStatistics Taps, long Additions, long AllAdditions, long Multiplications);

    /// <summary>The table of a network.</summary>
    /// <param name="graph">The network.</param>
    /// <param name="images">Images [N, C, H, W] that float32 layers' inputs are measured with.</param>
    /// <param name="threads">Threads to measure with; null for one a processor.</param>
    public static TapTable Of(NetworkGraph graph, float[] images, int? threads)
    {
        IReadOnlyDictionary<string, double> largest = Inspection.LargestInputs(graph, images, threads);
        IReadOnlySet<string> neverNegative = graph.NeverNegative();
        TapWork work = new(graph, largest);
        OperationCounts left = work.Operations, all = OperationCounts.Of(graph.Nodes);
        return new TapTable(
            [
                .. from layer in work.Layers
                   let node = graph[layer.Key]
                   select new Row(
                       layer.Key, node is QuantizedAdderNode codes ? codes.InputGrid.Value(codes.InputGrid.Top) : largest[layer.Key],
                       node is QuantizedAdderNode || neverNegative.Contains(node.Inputs[0]), layer.Value, work.Of(node).Additions,
                       OperationCounts.Of(node).Additions),
            ],
            new Sum(work.All, left.Additions, all.Additions, all.Multiplications));
    }

    /// <summary>Writes it.</summary>
    public void Write(TextWriter writer)
    {
        if (Layers.Count == 0)
        {
            writer.WriteLine("The network has no adder layer, whose taps could cost nothing; --channels, --svd and --frequencies make it smaller.");
            return;
        }

        int name = Math.Max("adder layer".Length, Layers.Max(layer => layer.Name.Length));
        writer.WriteLine($"{"adder layer".PadRight(name)}       taps        inputs  skipped   plain  compared  work left");
        foreach (Row row in Layers)
        {
            string inputs = row.AfterRelu ? FormattableString.Invariant($"0 to {row.Largest:G3}") : FormattableString.Invariant($"to {row.Largest:G3}");
            writer.WriteLine(FormattableString.Invariant(
                $"{row.Name.PadRight(name)} {row.Taps.All,10:N0} {inputs,13} {Shares(row.Taps)} {100 * row.WorkLeft,9:F1}%"));
        }

        writer.WriteLine(FormattableString.Invariant(
            $"{"all".PadRight(name)} {Total.Taps.All,10:N0} {"",13} {Shares(Total.Taps)} {100.0 * Total.Additions / Total.AllAdditions,9:F1}%"));
        writer.WriteLine(FormattableString.Invariant(
            $"Additions for a picture: {Total.AllAdditions:N0}, without those of skipped taps {Total.Additions:N0}."));
    }

    private static string Shares(TapStatistics taps) => FormattableString.Invariant(
        $"{100.0 * taps.Skipped / taps.All,7:F1}% {100.0 * taps.Plain / taps.All,6:F1}% {100.0 * taps.Compared / taps.All,8:F1}%");
}
