using AdderNet.Checkpoints;

namespace AdderNet.Graph;

/// <summary>
/// What a network costs for one image when taps that need no work are not counted (see <see cref="TapStatistics"/>). An adder layer then
/// takes the sum of each window once for all filters, one addition for a plain tap, and two for a compared one: a minimum is counted as an
/// addition, as the subtraction in |x - w| is in <see cref="OperationCounts"/>.
/// </summary>
public sealed class TapWork
{
    private readonly NetworkGraph graph;

    /// <summary>Counts a network's taps.</summary>
    /// <param name="graph">The network, in float32 or in codes.</param>
    /// <param name="largest">The largest input of float32 adder layers by their names, as it was measured; null or without an entry where
    /// it is not known, and then no tap is plain.</param>
    public TapWork(NetworkGraph graph, IReadOnlyDictionary<string, double>? largest = null)
    {
        ArgumentNullException.ThrowIfNull(graph);
        this.graph = graph;
        IReadOnlySet<string> neverNegative = graph.NeverNegative();
        OrderedDictionary<string, TapStatistics> layers = [];
        foreach (GraphNode node in graph.Nodes)
        {
            if (node is QuantizedAdderNode codes)
            {
                layers.Add(node.Name, TapStatistics.Of(codes));
            }
            else if (node is AdderNode layer)
            {
                layers.Add(node.Name, TapStatistics.Of(
                    layer, neverNegative.Contains(layer.Inputs[0]) ? 0 : double.NegativeInfinity,
                    largest is not null && largest.TryGetValue(layer.Name, out double most) ? Math.Max(most, 0) : double.PositiveInfinity));
            }
        }

        Layers = layers;
    }

    /// <summary>The taps of each adder layer, by name and in order.</summary>
    public IReadOnlyDictionary<string, TapStatistics> Layers { get; }

    /// <summary>
    /// The taps of all adder layers. Filters that layers share count for each of them: what is left of a tap depends on the layer's inputs, and
    /// its work is done in each.
    /// </summary>
    public TapStatistics All => Layers.Values.Aggregate(new TapStatistics(), TapStatistics.Add);

    /// <summary>What one node of the network costs.</summary>
    /// <param name="node">The node.</param>
    public OperationCounts Of(GraphNode node)
    {
        ArgumentNullException.ThrowIfNull(node);
        OperationCounts counts = OperationCounts.Of(node);
        return Layers.TryGetValue(node.Name, out TapStatistics taps) ? counts with { Additions = Additions(node, taps) } : counts;
    }

    /// <summary>What the network costs. Work is that of every node; of the parameters, a tensor that nodes share is one.</summary>
    public OperationCounts Operations
    {
        get
        {
            OperationCounts all = OperationCounts.Of(graph.Nodes);
            return all with { Additions = graph.Nodes.Sum(node => Of(node).Additions) };
        }
    }

    private long Additions(GraphNode node, TapStatistics taps)
    {
        (TensorData filters, int groups) = node switch
        {
            AdderNode layer => (layer.Filters, layer.Groups),
            _ => (((QuantizedAdderNode)node).Filters, ((QuantizedAdderNode)node).Groups),
        };
        // Channels are added up at each input pixel, then the windows; a group has windows of its own.
        long window = graph[node.Inputs[0]].Shape.Count + node.Shape.Pixels * groups * filters.Shape[2] * filters.Shape[3];
        return window + node.Shape.Pixels * (taps.Plain + 2 * taps.Compared);
    }
}
