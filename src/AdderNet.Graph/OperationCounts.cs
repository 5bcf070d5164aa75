using AdderNet.Checkpoints;

namespace AdderNet.Graph;

/// <summary>
/// What a network or a node costs for one image, counted as the paper's tables do: a convolution's output element costs k multiplications and
/// k additions, an adder layer's 2k additions, a binary layer's k XNORs and k additions, where k is the elements of a filter (padding included,
/// biases not). BatchNorm, activations, pooling and sums of maps are not counted: they are the same whatever the layers are, and small.
/// </summary>
/// <param name="Parameters">Learned values.</param>
/// <param name="Multiplications">Multiplications of the layers' sums.</param>
/// <param name="Additions">Additions and subtractions of the layers' sums.</param>
/// <param name="Xnors">XNORs of the layers' sums: the products of binary layers.</param>
public readonly record struct OperationCounts(long Parameters, long Multiplications, long Additions, long Xnors)
{
    /// <summary>What one node costs.</summary>
    public static OperationCounts Of(GraphNode node)
    {
        ArgumentNullException.ThrowIfNull(node);
        long parameters = Learned(node).Sum(t => (long)t.Count);
        long terms = node.Shape.Count * (node switch { LayerNode layer => layer.SumLength, QuantizedLayerNode layer => layer.SumLength, _ => 0L });
        return node switch
        {
            AdderNode or QuantizedAdderNode => new(parameters, 0, 2 * terms, 0),
            BinaryConvolutionNode => new(parameters, 0, terms, terms),
            _ => new(parameters, terms, terms, 0),
        };
    }

    /// <summary>What some nodes cost together; a tensor that they share is one.</summary>
    public static OperationCounts Of(IEnumerable<GraphNode> nodes)
    {
        HashSet<object> seen = new(ReferenceEqualityComparer.Instance);
        return nodes.Aggregate(
            new OperationCounts(), (sum, node) => sum + (Of(node) with { Parameters = Learned(node).Where(seen.Add).Sum(t => (long)t.Count) }));
    }

    // What is measured rather than learned is no parameter; bits that are shifted out and a residual's factor are constants of the grids.
    private static IEnumerable<TensorData> Learned(GraphNode node) => node.Tensors
        .Where(t => t.Key is not ("running_mean" or "running_var" or "mean" or "bits" or "residual_multiplier")).Select(t => t.Value)
        .Where(t => node is not FilterNode { PartOf: not null } part || t != part.Filters);

    /// <summary>What both cost together.</summary>
    public static OperationCounts operator +(OperationCounts a, OperationCounts b) => Add(a, b);

    /// <summary>What both cost together.</summary>
    public static OperationCounts Add(OperationCounts a, OperationCounts b) => new(
        a.Parameters + b.Parameters, a.Multiplications + b.Multiplications, a.Additions + b.Additions, a.Xnors + b.Xnors);
}
