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
        // What is measured rather than learned is no parameter.
        // Bits that are shifted out and a residual's factor are constants of the grids.
        long parameters = node.Tensors.Where(t => t.Key is not ("running_mean" or "running_var" or "mean" or "bits" or "residual_multiplier")).Sum(t => (long)t.Value.Count);
        long terms = node.Shape.Count * (node switch { LayerNode layer => layer.SumLength, QuantizedLayerNode layer => layer.SumLength, _ => 0L });
        return node switch
        {
            AdderNode or QuantizedAdderNode => new(parameters, 0, 2 * terms, 0),
            BinaryConvolutionNode => new(parameters, 0, terms, terms),
            _ => new(parameters, terms, terms, 0),
        };
    }

    /// <summary>What some nodes cost together; a tensor that they share is counted for each of them.</summary>
    public static OperationCounts Of(IEnumerable<GraphNode> nodes) => nodes.Aggregate(new OperationCounts(), (sum, node) => sum + Of(node));

    /// <summary>What both cost together.</summary>
    public static OperationCounts operator +(OperationCounts a, OperationCounts b) => Add(a, b);

    /// <summary>What both cost together.</summary>
    public static OperationCounts Add(OperationCounts a, OperationCounts b) => new(
        a.Parameters + b.Parameters, a.Multiplications + b.Multiplications, a.Additions + b.Additions, a.Xnors + b.Xnors);
}
