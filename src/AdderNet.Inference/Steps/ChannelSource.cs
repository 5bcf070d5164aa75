using AdderNet.Graph;

namespace AdderNet.Inference.Steps;

/// <summary>Where a channel comes from that a node only arranges.</summary>
/// <param name="Input">Which of the node's inputs.</param>
/// <param name="Channel">The channel there.</param>
/// <param name="Rows">How many rows below itself each pixel reads.</param>
/// <param name="Columns">How many columns to the right of itself each pixel reads.</param>
internal readonly record struct ChannelSource(int Input, int Channel, int Rows = 0, int Columns = 0)
{
    /// <summary>The source of each output channel.</summary>
    public static ChannelSource[] Of(GraphNode node, Value[] inputs) => node switch
    {
        ConcatenateNode => [.. inputs.Index().SelectMany(input =>
            Enumerable.Range(0, input.Item.Shape.Channels).Select(c => new ChannelSource(input.Index, c)))],
        ChannelShuffleNode { Groups: int groups } => [.. Enumerable.Range(0, node.Shape.Channels).Select(c =>
            new ChannelSource(0, c % groups * (node.Shape.Channels / groups) + c / groups))],
        SelectChannelsNode select => [.. select.Channels.Select(c => new ChannelSource(0, c))],
        ShiftNode shift => [.. shift.Rows.Zip(shift.Columns, (rows, columns) => (rows, columns))
            .Select((at, c) => new ChannelSource(0, c, at.rows, at.columns))],
        _ => throw new ArgumentException($"A {node.GetType().Name} does not arrange channels.", nameof(node)),
    };
}
