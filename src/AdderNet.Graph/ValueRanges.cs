namespace AdderNet.Graph;

/// <summary>What is known of a network's values whatever its input.</summary>
public static class ValueRanges
{
    /// <summary>The nodes that give no value below 0: ReLUs, layers that end in one, and what only arranges, adds or averages such values.</summary>
    /// <param name="graph">The network, fused or not.</param>
    /// <returns>Their names.</returns>
    public static IReadOnlySet<string> NeverNegative(this NetworkGraph graph)
    {
        ArgumentNullException.ThrowIfNull(graph);
        HashSet<string> found = [];
        foreach (GraphNode node in graph.Nodes)
        {
            bool never = node switch
            {
                LayerNode layer => layer.Epilogue?.Minimum >= 0,
                ReluNode or SigmoidNode => true,
                HardTanhNode clip => clip.Minimum >= 0,
                InputNode or BatchNormNode => false,
                _ => node.Inputs.All(found.Contains), // Sums, products, pooling, and other arrangements of the same values.
            };
            if (never)
            {
                found.Add(node.Name);
            }
        }

        return found;
    }
}
