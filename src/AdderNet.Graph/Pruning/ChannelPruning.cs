using AdderNet.Checkpoints;

namespace AdderNet.Graph;

/// <summary>A network with fewer channels, and what was taken from which layer.</summary>
/// <param name="Graph">The network. Statistics of BatchNorms behind layers that have lost inputs are those of before.</param>
/// <param name="Layers">The layers that could lose output channels, in order.</param>
/// <param name="Kept">The layers that could not, and why.</param>
public sealed record PrunedChannels(
    NetworkGraph Graph, IReadOnlyList<PrunedLayer> Layers, IReadOnlyDictionary<string, string> Kept);

/// <summary>The output channels of one layer.</summary>
/// <param name="Layer">Its name.</param>
/// <param name="Before">Channels that it had.</param>
/// <param name="After">Channels that it has.</param>
public sealed record PrunedLayer(string Layer, int Before, int After);

/// <summary>
/// Takes whole channels out of a network: filters, what normalizes their outputs, and what reads them. A channel matters as much as
/// BatchNorm scales it, |gamma|, or where no BatchNorm follows, as the L1 norm of its filter, either relative to the mean over its layer.
/// </summary>
/// <remarks>
/// What is added to something else in a residual sum keeps its channels, and so does what is concatenated, shuffled, multiplied channel by
/// channel or read by layers in groups: there a channel is bound to others.
/// </remarks>
public static class ChannelPruning
{
    /// <summary>The share of its channels that every layer keeps.</summary>
    private const double Least = 0.125;

    /// <summary>Takes the least channels out, over all layers together.</summary>
    /// <param name="graph">A float32 network as it was trained, without epilogues.</param>
    /// <param name="share">The share of the channels that can be taken out, 0 to 1. Every layer keeps an eighth of its channels.</param>
    /// <returns>The smaller network; train it on, or have BatchNorm's statistics averaged anew at least.</returns>
    /// <exception cref="GraphException">The network is fused or quantized.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The share is not between 0 and 1.</exception>
    public static PrunedChannels Run(NetworkGraph graph, double share)
    {
        ArgumentNullException.ThrowIfNull(graph);
        ArgumentOutOfRangeException.ThrowIfNegative(share);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(share, 1);
        if (graph.Nodes.FirstOrDefault(node => node is LayerNode { Epilogue: not null } || node.Grid is not null) is { } made)
        {
            throw new GraphException(
                $"The node '{CheckpointText.Shown(made.Name)}' is {(made.Grid is null ? "fused" : "quantized")}; channels are taken out of networks as they were trained.");
        }

        ChannelSpaces spaces = new(graph);
        Space[] free = [.. spaces.All.Where(space => space.Bound is null)];
        (Space Space, int Channel)[] order =
        [
            .. from space in free
               from channel in space.Scores().Index()
               orderby channel.Item
               select (space, channel.Index),
        ];
        int wanted = (int)Math.Round(share * order.Length);
        foreach ((Space space, int channel) in order)
        {
            if (wanted == 0)
            {
                break;
            }

            if (space.Left.Count > Math.Max(1, Math.Ceiling(Least * space.Channels)))
            {
                space.Left.Remove(channel);
                wanted--;
            }
        }

        NetworkGraph pruned = new(graph.Nodes.Select(node => Smaller(node, spaces) with { Shape = node is InputNode ? node.Shape : default }), graph.Outputs, graph.Metadata);
        return new PrunedChannels(
            pruned, [.. free.Select(space => new PrunedLayer(space.Producer!.Name, space.Channels, space.Left.Count))],
            spaces.All.Where(space => space is { Bound: not null, Producer: not null }).ToDictionary(space => space.Producer!.Name, space => space.Bound!));
    }

    private static GraphNode Smaller(GraphNode node, ChannelSpaces spaces)
    {
        int[] Outputs() => [.. spaces.Of(node.Name).Space.Left];
        int[] Inputs()
        {
            (Space space, int each) = spaces.Of(node.Inputs[0]);
            return [.. space.Left.SelectMany(channel => Enumerable.Range(channel * each, each))];
        }

        return node switch
        {
            FilterNode { Groups: > 1 } layer when spaces.Of(node.Name) == spaces.Of(node.Inputs[0]) => layer with
            {
                Filters = Take(layer.Filters, 0, Outputs()),
                Bias = Taken(layer.Bias, Outputs()),
                Groups = Outputs().Length,
            },
            FilterNode layer => layer with
            {
                Filters = layer.Groups > 1 ? layer.Filters : Take(Take(layer.Filters, 0, Outputs()), 1, Inputs()),
                Bias = Taken(layer.Bias, Outputs()),
            },
            LinearNode layer => layer with
            {
                Weight = Take(Take(layer.Weight, 0, Outputs()), 1, Inputs()),
                Bias = Taken(layer.Bias, Outputs()),
            },
            BatchNormNode norm => norm with
            {
                Weight = Taken(norm.Weight, Inputs()),
                Bias = Taken(norm.Bias, Inputs()),
                RunningMean = Take(norm.RunningMean, 0, Inputs()),
                RunningVariance = Take(norm.RunningVariance, 0, Inputs()),
            },
            _ => node,
        };
    }

    private static TensorData? Taken(TensorData? tensor, int[] kept) => tensor is null ? null : Take(tensor, 0, kept);

    /// <summary>Some places of a dimension of a tensor, in order.</summary>
    private static TensorData Take(TensorData tensor, int dimension, int[] kept)
    {
        long[] shape = tensor.Shape.ToArray();
        if (kept.Length == shape[dimension])
        {
            return tensor;
        }

        int outer = 1, inner = tensor.Data.Length / tensor.Count;
        for (int d = 0; d < shape.Length; d++)
        {
            outer *= d < dimension ? (int)shape[d] : 1;
            inner *= d > dimension ? (int)shape[d] : 1;
        }

        int size = (int)shape[dimension];
        byte[] bytes = new byte[checked(outer * kept.Length * inner)];
        ReadOnlySpan<byte> from = tensor.Data.Span;
        for (int o = 0, to = 0; o < outer; o++)
        {
            foreach (int k in kept)
            {
                from.Slice((o * size + k) * inner, inner).CopyTo(bytes.AsSpan(to, inner));
                to += inner;
            }
        }

        shape[dimension] = kept.Length;
        return new TensorData(tensor.Dtype, shape, bytes);
    }
}
