using AdderNet.Graph;

namespace AdderNet.Inference;

/// <summary>A layer or sum that reads a value.</summary>
/// <param name="Node">Which; null for an output of the network.</param>
/// <param name="IsResidual">Whether it adds the value to others, or puts it beside them.</param>
/// <param name="Through">What picks values on the way to it: poolings, nodes that make maps larger, and nodes that move or order channels.</param>
internal sealed record ValueReader(GraphNode? Node, bool IsResidual, IReadOnlyList<GraphNode> Through);

/// <summary>Who reads the values of a network.</summary>
/// <param name="fused">The network.</param>
/// <param name="arranged">Nodes before the outputs that count as outputs.</param>
internal sealed class ValueReaders(NetworkGraph fused, IReadOnlySet<string> arranged)
{
    /// <summary>All readers of a node's value.</summary>
    public IEnumerable<ValueReader> Of(string name) => Of(name, []);

    /// <summary>The adder layers that compare it.</summary>
    public IEnumerable<ValueReader> Comparing(string name) => Of(name).Where(reader => reader is { Node: AdderNode, IsResidual: false });

    private IEnumerable<ValueReader> Of(string name, IReadOnlyList<GraphNode> through)
    {
        if (fused.Outputs.Any(output => output.Node == name))
        {
            yield return new ValueReader(null, false, through);
        }

        foreach (GraphNode node in fused.Nodes.Where(node => node.Inputs.Contains(name)))
        {
            IEnumerable<ValueReader> further = node switch
            {
                _ when arranged.Contains(node.Name) => [new ValueReader(null, false, through)],
                MaxPoolNode or UpsampleNode or ChannelShuffleNode or SelectChannelsNode or ShiftNode => Of(node.Name, [.. through, node]),
                FlattenNode => Of(node.Name, through),
                _ => node.Inputs.Index().Where(i => i.Item == name).Select(i => new ValueReader(node, i.Index > 0 || node is AddNode or ConcatenateNode, through)),
            };
            foreach (ValueReader reader in further)
            {
                yield return reader;
            }
        }
    }
}
