using System.Text.Json.Serialization;
using AdderNet.Checkpoints;
using static AdderNet.Checkpoints.CheckpointText;

namespace AdderNet.Graph;

/// <summary>
/// One step of a network, as it is done for one image. The kinds are the sealed records derived from it, and no others: a program that
/// handles graphs says with a <c>switch</c> what it knows.
/// </summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "kind")]
[JsonDerivedType(typeof(InputNode), "input")]
[JsonDerivedType(typeof(AdderNode), "adder")]
[JsonDerivedType(typeof(ConvolutionNode), "convolution")]
[JsonDerivedType(typeof(BinaryConvolutionNode), "binary-convolution")]
[JsonDerivedType(typeof(LinearNode), "linear")]
[JsonDerivedType(typeof(BatchNormNode), "batch-norm")]
[JsonDerivedType(typeof(ReluNode), "relu")]
[JsonDerivedType(typeof(HardTanhNode), "hard-tanh")]
[JsonDerivedType(typeof(SigmoidNode), "sigmoid")]
[JsonDerivedType(typeof(AddNode), "add")]
[JsonDerivedType(typeof(MultiplyNode), "multiply")]
[JsonDerivedType(typeof(MaxPoolNode), "max-pool")]
[JsonDerivedType(typeof(AveragePoolNode), "average-pool")]
[JsonDerivedType(typeof(GlobalAveragePoolNode), "global-average-pool")]
[JsonDerivedType(typeof(ConcatenateNode), "concatenate")]
[JsonDerivedType(typeof(FlattenNode), "flatten")]
[JsonDerivedType(typeof(UpsampleNode), "upsample")]
[JsonDerivedType(typeof(ChannelShuffleNode), "channel-shuffle")]
[JsonDerivedType(typeof(SelectChannelsNode), "select-channels")]
[JsonDerivedType(typeof(ShiftNode), "shift")]
[JsonDerivedType(typeof(QuantizeNode), "quantize")]
[JsonDerivedType(typeof(QuantizedConvolutionNode), "quantized-convolution")]
[JsonDerivedType(typeof(QuantizedAdderNode), "quantized-adder")]
[JsonDerivedType(typeof(QuantizedAddNode), "quantized-add")]
[JsonDerivedType(typeof(RequantizeNode), "requantize")]
[JsonDerivedType(typeof(GlobalSumNode), "global-sum")]
[JsonDerivedType(typeof(DequantizeNode), "dequantize")]
public abstract record GraphNode
{
    private protected GraphNode()
    {
    }

    /// <summary>Its name, which no other node of the graph has; a layer's is the one its weights have in the state_dict.</summary>
    public required string Name { get; init; }

    /// <summary>The names of the nodes it reads.</summary>
    public IReadOnlyList<string> Inputs { get; init; } = [];

    /// <summary>The size of what it gives. <see cref="NetworkGraph"/> works it out.</summary>
    public FeatureShape Shape { get; init; }

    /// <summary>
    /// What its integer codes stand for; null where it gives float32 values. A node that makes codes says it, for others
    /// <see cref="NetworkGraph"/> works it out.
    /// </summary>
    public Grid? Grid { get; init; }

    /// <summary>Its tensors by the names that follow its own in a state_dict, such as <c>weight</c>.</summary>
    [JsonIgnore]
    public virtual IEnumerable<KeyValuePair<string, TensorData>> Tensors => [];

    /// <summary>The shape of what it gives, of its inputs' shapes.</summary>
    /// <exception cref="GraphException">Inputs, attributes or tensors do not fit; the message is the end of a sentence about the node.</exception>
    private protected abstract FeatureShape ShapeOf(IReadOnlyList<FeatureShape> inputs);

    /// <summary>The grid of what it gives, of its inputs' grids, as many as <see cref="ShapeOf"/> has agreed to.</summary>
    /// <exception cref="GraphException">It does not take codes of such grids; the message is the end of a sentence about the node.</exception>
    private protected virtual Grid? GridOf(IReadOnlyList<Grid?> inputs) => inputs.All(input => input is null)
        ? null
        : throw new GraphException("it computes with values, and an input has codes; put a dequantization between them");

    internal GraphNode WithShape(IReadOnlyDictionary<string, GraphNode> known)
    {
        if (string.IsNullOrEmpty(Name) || Inputs is null)
        {
            throw new GraphException("A node has no name or no list of inputs.");
        }

        if (Inputs.FirstOrDefault(input => input is null || !known.ContainsKey(input)) is { } missing)
        {
            throw new GraphException($"The node '{Shown(Name)}' reads '{Shown(missing)}', which does not stand before it.");
        }

        try
        {
            FeatureShape shape = ShapeOf([.. Inputs.Select(input => known[input].Shape)]);
            if (!shape.IsValid)
            {
                throw new GraphException($"its output of {shape} is empty or too large");
            }

            Grid? grid = GridOf([.. Inputs.Select(input => known[input].Grid)]);
            return (Shape == default || Shape == shape) && (Grid is null || Grid == grid)
                ? this with { Shape = shape, Grid = grid }
                : throw new GraphException($"it gives {shape}{(grid is null ? "" : $" on {grid}")}, not {Shape}{(Grid is null ? "" : $" on {Grid}")}");
        }
        catch (Exception e) when (e is GraphException or OverflowException)
        {
            throw new GraphException($"The node '{Shown(Name)}' does not fit: {(e is GraphException ? e.Message : "its sizes are too large")}.", e);
        }
    }

    internal static void Check(TensorData tensor, string name, params ReadOnlySpan<long> shape)
    {
        if (!tensor.Shape.SequenceEqual(shape))
        {
            throw new GraphException($"its {name} is {tensor}, not [{string.Join(", ", shape.ToArray())}]");
        }
    }

    private protected static FeatureShape Single(IReadOnlyList<FeatureShape> inputs) =>
        inputs is [FeatureShape input] ? input : throw new GraphException($"it takes one input, not {inputs.Count}");
}

/// <summary>Stands for what the network is given.</summary>
public sealed record InputNode : GraphNode
{
    /// <summary>An input of a shape.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="shape">Its size for one image.</param>
    public static InputNode Of(string name, FeatureShape shape) => new() { Name = name, Shape = shape };

    private protected override FeatureShape ShapeOf(IReadOnlyList<FeatureShape> inputs) =>
        inputs.Count == 0 ? Shape : throw new GraphException("it is an input and reads nothing");
}
