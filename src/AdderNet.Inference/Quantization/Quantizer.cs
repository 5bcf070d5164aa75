using AdderNet.Checkpoints;
using AdderNet.Graph;

namespace AdderNet.Inference;

/// <summary>
/// Makes a trained float32 AdderNet a network on integer codes, with the help of some images. Inputs and filters of an adder layer share one
/// grid, on which filters are clamped without an error (see docs/quantization.md); the grid of each is chosen for the least error in the
/// sums of the layers that read it; and BatchNorm is fitted again to the sums that come out. Layers are done in order, each on the codes
/// that the ones before it give.
/// </summary>
public static class Quantizer
{
    /// <summary>The fewest and the most bits of adder layers' codes.</summary>
    public const int FewestBits = 4, MostBits = 8;

    /// <summary>Quantizes a network.</summary>
    /// <param name="graph">A float32 network of one input: ordinary convolutions and fully connected layers, adder layers that read what a
    /// ReLU gives, BatchNorm, ReLU, sums, max-pooling, global average pooling, nearest upsampling, concatenations of maps, and what shifts or orders channels.</param>
    /// <param name="images">Images of the kind that it is made for, [N, C, H, W], prepared as for the float network; some hundred.</param>
    /// <param name="bits">Bits of adder layers' inputs and filters, 4 to 8. What is only added or multiplied keeps 8.</param>
    /// <param name="trained">Where adder layers were trained with inputs and filters rounded to a grid: the largest value of each layer's grid, by
    /// its name. It is kept, and what the layer gives with rounded inputs is what the integers are fitted to. A layer whose inputs were all 0 has no
    /// such grid.</param>
    /// <returns>The network and how its layers came out.</returns>
    /// <exception cref="InferenceException">There are no images, bits are not 4 to 8, or the network has a node that cannot be quantized or no
    /// adder layer.</exception>
    public static QuantizedNetwork Quantize(
        NetworkGraph graph, float[] images, int bits = MostBits, IReadOnlyDictionary<string, double>? trained = null)
    {
        ArgumentNullException.ThrowIfNull(graph);
        ArgumentNullException.ThrowIfNull(images);
        if (bits is < FewestBits or > MostBits)
        {
            throw new InferenceException($"Networks are quantized to {FewestBits} to {MostBits} bits, not {bits}.");
        }

        NetworkGraph fused = graph.Fuse();
        if (fused.Inputs is not [InputNode input])
        {
            throw new InferenceException($"The network has {fused.Inputs.Count} inputs; only networks of one are quantized.");
        }

        if (input.Shape.IsVector)
        {
            throw new InferenceException("The network reads a vector; only networks of images are quantized.");
        }

        if (images.Length == 0 || images.Length % input.Shape.Count != 0)
        {
            throw new InferenceException(images.Length == 0
                ? "There are no calibration images; quantization needs some to measure the layers' values with."
                : $"The calibration images have {images.Length} values; images of {input.Shape} have {input.Shape.Count} each.");
        }

        HashSet<string> arranged = Arranged(fused);
        Check(fused, arranged);
        Dictionary<string, double> grids = new((trained ?? new Dictionary<string, double>()).Where(range => range.Value > 0));
        return new Calibration(fused, input, images, bits, grids, arranged).Run();
    }

    /// <summary>
    /// Concatenations, and what is flattened for them, of which nothing but the outputs is made: they arrange values, as the codes of what
    /// they join are on different grids.
    /// </summary>
    private static HashSet<string> Arranged(NetworkGraph fused)
    {
        HashSet<string> arranged = [];
        foreach (GraphNode node in fused.Nodes.Reverse())
        {
            bool isOutput = fused.Outputs.Any(output => output.Node == node.Name);
            if ((node is ConcatenateNode || (node is FlattenNode && !isOutput))
                && fused.Nodes.Where(reader => reader.Inputs.Contains(node.Name)).All(reader => arranged.Contains(reader.Name)))
            {
                arranged.Add(node.Name);
            }
        }

        return arranged;
    }

    /// <summary>The ReLU that is all that reads a sum; null for none.</summary>
    internal static ReluNode? Rectified(this NetworkGraph fused, AddNode add) =>
        fused.Nodes.Where(reader => reader.Inputs.Contains(add.Name)).ToArray() is [ReluNode relu]
        && !fused.Outputs.Any(output => output.Node == add.Name) ? relu : null;

    private static void Check(NetworkGraph fused, HashSet<string> arranged)
    {
        if (fused.Nodes.Any(node => node.Grid is not null))
        {
            throw new InferenceException("The network is quantized already.");
        }

        if (!fused.Nodes.Any(node => node is AdderNode))
        {
            throw new InferenceException("The network has no adder layer; only AdderNets are quantized.");
        }

        IReadOnlySet<string> neverNegative = fused.NeverNegative();
        foreach (GraphNode node in fused.Nodes)
        {
            string? problem = node switch
            {
                InputNode or MaxPoolNode or GlobalAveragePoolNode or FlattenNode or UpsampleNode or AddNode => null,
                ReluNode when fused.Nodes.OfType<AddNode>().Any(add => fused.Rectified(add) == node) => null,
                ChannelShuffleNode or SelectChannelsNode or ShiftNode or ConcatenateNode { Shape.IsVector: false } => null,
                _ when arranged.Contains(node.Name) => null,
                LayerNode { Epilogue.Maximum: not null } => "it has an upper bound",
                LayerNode { Epilogue.Minimum: not (null or 0) } => "it has a lower bound other than 0",
                AdderNode adder when !neverNegative.Contains(adder.Inputs[0]) =>
                    "it is an adder layer that reads what may be negative, and needs a ReLU before it",
                AdderNode or ConvolutionNode or LinearNode => null,
                _ => $"a {node.GetType().Name[..^"Node".Length]} has no integer form",
            };
            if (problem is not null)
            {
                throw new InferenceException($"The node '{node.Name}' cannot be quantized: {problem}.");
            }
        }
    }
}
