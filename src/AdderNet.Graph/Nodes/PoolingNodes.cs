namespace AdderNet.Graph;

/// <summary>The maximum of each channel's window; padding never wins.</summary>
public sealed record MaxPoolNode : GraphNode
{
    /// <summary>How the window walks.</summary>
    public required WindowGeometry Window { get; init; }

    private protected override FeatureShape ShapeOf(IReadOnlyList<FeatureShape> inputs)
    {
        (int height, int width) = Window.Over(Single(inputs));
        return Window.PaddingH > Window.KernelH / 2 || Window.PaddingW > Window.KernelW / 2
            ? throw new GraphException("its padding is more than half of its window")
            : new FeatureShape(inputs[0].Channels, height, width);
    }

    private protected override Grid? GridOf(IReadOnlyList<Grid?> inputs) => Grid.Common(inputs);
}

/// <summary>The mean of each channel's window.</summary>
public sealed record AveragePoolNode : GraphNode
{
    /// <summary>How the window walks; it has no dilation.</summary>
    public required WindowGeometry Window { get; init; }

    /// <summary>Whether the zeros of the padding count, as PyTorch's <c>count_include_pad</c> says; else the mean is of what is inside.</summary>
    public bool CountsPadding { get; init; } = true;

    private protected override FeatureShape ShapeOf(IReadOnlyList<FeatureShape> inputs)
    {
        (int height, int width) = Window.Over(Single(inputs));
        return Window is not { DilationH: 1, DilationW: 1 } || Window.PaddingH > Window.KernelH / 2 || Window.PaddingW > Window.KernelW / 2
            ? throw new GraphException("its window has a dilation or its padding is more than half of it")
            : new FeatureShape(inputs[0].Channels, height, width);
    }
}

/// <summary>The mean of each channel: a map [C, H, W] to [C, 1, 1].</summary>
public sealed record GlobalAveragePoolNode : GraphNode
{
    private protected override FeatureShape ShapeOf(IReadOnlyList<FeatureShape> inputs) =>
        Single(inputs) is { IsVector: false } map
            ? new FeatureShape(map.Channels, 1, 1)
            : throw new GraphException($"it takes the mean of maps [C, H, W], not of {inputs[0]}");
}
