namespace AdderNet.Graph;

/// <summary>The memory that a network needs at least, in bytes, if each step writes into memory of its own.</summary>
/// <param name="Weights">All tensors: layers' weights at the width asked for, the rest (biases, BatchNorm) in 32 bits; integers as they are.</param>
/// <param name="Activations">What one image's values take where most of them are needed at once.</param>
public sealed record MemoryEstimate(long Weights, long Activations)
{
    /// <summary>What a network needs at a width.</summary>
    /// <param name="graph">The network.</param>
    /// <param name="bits">Bits of a weight and of an activation: 32 for float32. Binary layers' weights take one bit whatever it is, and what is
    /// quantized already takes what it has.</param>
    /// <exception cref="ArgumentOutOfRangeException">Bits are not between 1 and 64.</exception>
    public static MemoryEstimate Of(NetworkGraph graph, int bits = 32)
    {
        ArgumentNullException.ThrowIfNull(graph);
        ArgumentOutOfRangeException.ThrowIfLessThan(bits, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(bits, 64);
        HashSet<object> counted = new(ReferenceEqualityComparer.Instance);
        long weights = 0;
        foreach (GraphNode node in graph.Nodes)
        {
            foreach (var tensor in node.Tensors.Select(t => t.Value).Where(counted.Add))
            {
                int width = node is not LayerNode layer || tensor != layer.Weights ? 32 : node is BinaryConvolutionNode ? 1 : bits;
                weights += node.Grid is null ? Bytes(tensor.Count, width) : tensor.Data.Length;
            }
        }

        return new MemoryEstimate(weights, PeakOfActivations(graph, bits));
    }

    private static long PeakOfActivations(NetworkGraph graph, int bits)
    {
        HashSet<string> kept = [.. graph.Outputs.Select(output => output.Node)];
        Dictionary<string, int> readers = graph.Nodes.SelectMany(node => node.Inputs.Distinct()).CountBy(name => name).ToDictionary();
        long live = 0, peak = 0;
        foreach (GraphNode node in graph.Nodes)
        {
            live += Bytes(node.Shape.Count, Width(node, bits));
            peak = Math.Max(peak, live);
            foreach (string input in node.Inputs.Distinct().Where(input => --readers[input] == 0 && !kept.Contains(input)))
            {
                live -= Bytes(graph[input].Shape.Count, Width(graph[input], bits));
            }
        }

        return peak;
    }

    private static int Width(GraphNode node, int bits) => node.Grid is { } grid ? 8 * grid.CodeBytes : bits;

    private static long Bytes(long elements, int bits) => (elements * bits + 7) / 8;
}
