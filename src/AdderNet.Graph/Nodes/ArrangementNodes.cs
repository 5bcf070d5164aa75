namespace AdderNet.Graph;

/// <summary>The channels of all inputs one after another; rows and columns are alike.</summary>
public sealed record ConcatenateNode : GraphNode
{
    private protected override FeatureShape ShapeOf(IReadOnlyList<FeatureShape> inputs)
    {
        if (inputs.Count == 0 || inputs.Any(i => (i.Height, i.Width, i.IsVector) != (inputs[0].Height, inputs[0].Width, inputs[0].IsVector)))
        {
            throw new GraphException($"inputs of {(inputs.Count == 0 ? "nothing" : string.Join(", ", inputs))} cannot be put behind each other");
        }

        int channels = inputs.Sum(i => i.Channels);
        return inputs[0].IsVector ? FeatureShape.Vector(channels) : inputs[0] with { Channels = channels };
    }

    private protected override Grid? GridOf(IReadOnlyList<Grid?> inputs) => Grid.Common(inputs);
}

/// <summary>Each pixel as a square of <see cref="Factor"/> x <see cref="Factor"/> (nearest neighbour).</summary>
public sealed record UpsampleNode : GraphNode
{
    /// <summary>Rows and columns for each one.</summary>
    public required int Factor { get; init; }

    private protected override FeatureShape ShapeOf(IReadOnlyList<FeatureShape> inputs) => Single(inputs) is { IsVector: false } map && Factor is >= 1 and <= 64
        ? map with { Height = checked(map.Height * Factor), Width = checked(map.Width * Factor) }
        : throw new GraphException($"it makes maps larger by 1 to 64, not {inputs[0]} by {Factor}");

    private protected override Grid? GridOf(IReadOnlyList<Grid?> inputs) => Grid.Common(inputs);
}

/// <summary>A map [C, H, W] as a vector of C * H * W, in that order.</summary>
public sealed record FlattenNode : GraphNode
{
    private protected override FeatureShape ShapeOf(IReadOnlyList<FeatureShape> inputs) => FeatureShape.Vector(Single(inputs).Count);

    private protected override Grid? GridOf(IReadOnlyList<Grid?> inputs) => Grid.Common(inputs);
}

/// <summary>
/// ShuffleNet's order of channels: C channels as a table of <see cref="Groups"/> rows, read by columns; output channel i * Groups + g is
/// input channel g * (C / Groups) + i.
/// </summary>
public sealed record ChannelShuffleNode : GraphNode
{
    /// <summary>Rows of the table.</summary>
    public required int Groups { get; init; }

    private protected override FeatureShape ShapeOf(IReadOnlyList<FeatureShape> inputs) =>
        Groups >= 1 && Single(inputs).Channels % Groups == 0
            ? inputs[0]
            : throw new GraphException($"{Single(inputs).Channels} channels are no multiple of its {Groups} groups");

    private protected override Grid? GridOf(IReadOnlyList<Grid?> inputs) => Grid.Common(inputs);
}

/// <summary>Some channels, in any order: output channel c is input channel Channels[c].</summary>
public sealed record SelectChannelsNode : GraphNode
{
    /// <summary>The input channel of each output channel.</summary>
    public required IReadOnlyList<int> Channels { get; init; }

    private protected override FeatureShape ShapeOf(IReadOnlyList<FeatureShape> inputs)
    {
        FeatureShape input = Single(inputs);
        return Channels.Count > 0 && Channels.All(c => c >= 0 && c < input.Channels)
            ? input with { Channels = Channels.Count }
            : throw new GraphException($"it picks channels that {input} does not have, or none");
    }

    private protected override Grid? GridOf(IReadOnlyList<Grid?> inputs) => Grid.Common(inputs);
}

/// <summary>
/// Each channel moved by some rows and columns: output[c, y, x] = input[c, y + Rows[c], x + Columns[c]], and 0 where that lies outside
/// (in codes, the code of 0).
/// </summary>
public sealed record ShiftNode : GraphNode
{
    /// <summary>Rows for each channel [C].</summary>
    public required IReadOnlyList<int> Rows { get; init; }

    /// <summary>Columns for each channel [C].</summary>
    public required IReadOnlyList<int> Columns { get; init; }

    private protected override FeatureShape ShapeOf(IReadOnlyList<FeatureShape> inputs) =>
        Single(inputs) is { IsVector: false } map && Rows.Count == map.Channels && Columns.Count == map.Channels
            ? map
            : throw new GraphException($"it shifts maps of {Rows.Count} channels, not {inputs[0]}");

    private protected override Grid? GridOf(IReadOnlyList<Grid?> inputs) => Grid.Common(inputs);
}
