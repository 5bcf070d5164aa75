namespace AdderNet.Graph;

/// <summary>max(x, 0).</summary>
public sealed record ReluNode : GraphNode
{
    private protected override FeatureShape ShapeOf(IReadOnlyList<FeatureShape> inputs) => Single(inputs);
}

/// <summary>min(max(x, Minimum), Maximum); ReLU6 is one from 0 to 6.</summary>
public sealed record HardTanhNode : GraphNode
{
    /// <summary>The smallest value it gives.</summary>
    public required float Minimum { get; init; }

    /// <summary>The largest value it gives.</summary>
    public required float Maximum { get; init; }

    private protected override FeatureShape ShapeOf(IReadOnlyList<FeatureShape> inputs) =>
        Minimum <= Maximum ? Single(inputs) : throw new GraphException($"its outputs cannot lie between {Minimum} and {Maximum}");
}

/// <summary>1 / (1 + exp(-x)).</summary>
public sealed record SigmoidNode : GraphNode
{
    private protected override FeatureShape ShapeOf(IReadOnlyList<FeatureShape> inputs) => Single(inputs);
}

/// <summary>The sum of two or more inputs of one shape, such as a layer's output and a shortcut.</summary>
public sealed record AddNode : GraphNode
{
    private protected override FeatureShape ShapeOf(IReadOnlyList<FeatureShape> inputs) =>
        inputs.Count >= 2 && inputs.All(input => input == inputs[0])
            ? inputs[0]
            : throw new GraphException($"it adds two or more inputs of one shape, not {(inputs.Count == 0 ? "none" : string.Join(", ", inputs))}");
}

/// <summary>The product of a map and, as in squeeze-and-excitation, one factor a channel [C, 1, 1] or [C]; or one factor an element.</summary>
public sealed record MultiplyNode : GraphNode
{
    private protected override FeatureShape ShapeOf(IReadOnlyList<FeatureShape> inputs) =>
        inputs is [FeatureShape map, FeatureShape factors] && map.Channels == factors.Channels && (factors == map || factors.Pixels == 1)
            ? map
            : throw new GraphException($"it multiplies a map by one factor a channel or an element, not {string.Join(" by ", inputs)}");
}
