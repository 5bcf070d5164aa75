using AdderNet.Checkpoints;

namespace AdderNet.Graph.Tests;

/// <summary>Numbers worked out by hand. That layers, BatchNorm and pooling are PyTorch's is tested where TorchSharp is.</summary>
public class InterpreterTests
{
    private static readonly float[] Numbers = [1, 2, 3, 4, -1, -2, -3, -4];

    [Fact]
    public void Adder_layer_is_minus_the_L1_distance_and_padding_counts_as_zero() =>
        Assert.Equal(
            [-2, 0, -3, -5],
            Run([1, 2, 4], new FeatureShape(1, 1, 3), new AdderNode
            {
                Name = "y",
                Inputs = ["x"],
                Filters = TensorData.FromFloats([1, 2], 1, 1, 1, 2),
                Window = new WindowGeometry(1, 2, PaddingW: 1),
            }));

    [Fact]
    public void Channels_are_shuffled_as_ShuffleNet_does()
    {
        float[] channels = [0, 1, 2, 3, 4, 5];

        Assert.Equal(
            [0, 3, 1, 4, 2, 5], Run(channels, new FeatureShape(6, 1, 1), new ChannelShuffleNode { Name = "y", Inputs = ["x"], Groups = 2 }));
    }

    [Fact]
    public void Each_pixel_of_a_larger_map_is_its_nearest_one() =>
        Assert.Equal(
            [1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4],
            Run([1, 2, 3, 4], new FeatureShape(1, 2, 2), new UpsampleNode { Name = "y", Inputs = ["x"], Factor = 2 }));

    [Fact]
    public void Channels_are_shifted_and_what_comes_from_outside_is_zero() =>
        Assert.Equal(
            [3, 4, 0, 0, 0, -1, 0, -3],
            Run(Numbers, new FeatureShape(2, 2, 2), new ShiftNode { Name = "y", Inputs = ["x"], Rows = [1, 0], Columns = [0, -1] }));

    [Fact]
    public void Channels_are_picked_in_any_order()
    {
        float[] two = Run(Numbers, new FeatureShape(2, 2, 2), new SelectChannelsNode { Name = "y", Inputs = ["x"], Channels = [1, 1, 0] });

        Assert.Equal([.. Numbers[4..], .. Numbers[4..], .. Numbers[..4]], two);
    }

    [Fact]
    public void A_map_is_multiplied_by_one_factor_a_channel()
    {
        NetworkGraph graph = new(
            [
                InputNode.Of("x", new FeatureShape(2, 2, 2)),
                InputNode.Of("f", FeatureShape.Vector(2)),
                new MultiplyNode { Name = "y", Inputs = ["x", "f"] },
            ],
            [new GraphOutput("y", "y")]);

        Assert.Equal(
            [2, 4, 6, 8, -3, -6, -9, -12], ReferenceInterpreter.Run(graph, new Dictionary<string, float[]> { ["x"] = Numbers, ["f"] = [2, 3] })["y"]);
    }

    [Fact]
    public void Epilogue_takes_the_mean_scales_shifts_adds_and_clips_in_this_order()
    {
        NetworkGraph graph = new(
            [
                InputNode.Of("x", new FeatureShape(1, 1, 4)),
                InputNode.Of("r", new FeatureShape(1, 1, 4)),
                new ConvolutionNode
                {
                    Name = "y", Inputs = ["x", "r"], Filters = TensorData.FromFloats([2], 1, 1, 1, 1), Window = new WindowGeometry(1, 1),
                    Epilogue = new Epilogue
                    {
                        Mean = TensorData.FromFloats([1], 1), Scale = TensorData.FromFloats([10], 1), Shift = TensorData.FromFloats([5], 1),
                        AddsResidual = true, Minimum = 0, Maximum = 60,
                    },
                },
            ],
            [new GraphOutput("y", "y")]);

        float[] y = ReferenceInterpreter.Run(graph, new Dictionary<string, float[]> { ["x"] = [0, 1, 2, 4], ["r"] = [1, 2, 3, 0] })["y"];

        // (2x - 1) * 10 + 5 + r
        Assert.Equal([0, 17, 38, 60], y);
    }

    [Fact]
    public void Pooling_takes_what_lies_inside()
    {
        FeatureShape shape = new(2, 2, 2);
        WindowGeometry window = new(2, 2, StrideH: 2, StrideW: 2, PaddingH: 1, PaddingW: 1);

        Assert.Equal(Numbers, Run(Numbers, shape, new MaxPoolNode { Name = "y", Inputs = ["x"], Window = window }));
        Assert.Equal(Numbers, Run(Numbers, shape, new AveragePoolNode { Name = "y", Inputs = ["x"], Window = window, CountsPadding = false }));
        Assert.Equal(
            Numbers.Select(v => v / 4), Run(Numbers, shape, new AveragePoolNode { Name = "y", Inputs = ["x"], Window = window, CountsPadding = true }));
    }

    [Fact]
    public void Sigmoid_and_binarization_are_those_of_their_formulas()
    {
        Assert.Equal([0.5f, 0.731058579f], Run([0, 1], FeatureShape.Vector(2), new SigmoidNode { Name = "y", Inputs = ["x"] }));
        BinaryConvolutionNode binary = new()
        {
            Name = "y",
            Inputs = ["x"],
            Filters = TensorData.FromFloats([1, -3, 0, 8], 2, 2, 1, 1),
            Window = new WindowGeometry(1, 1),
            Rule = BinarizationRule.XnorNet,
        };
        Assert.Equal([2, -2, 4, 4], binary.BinaryFilters());
        Assert.Equal([3, -3, 3, 3], (binary with { Rule = BinarizationRule.DoReFa }).BinaryFilters());
        Assert.Equal([4, 0], Run([0, -.1f], new FeatureShape(2, 1, 1), binary));
    }

    private static float[] Run(float[] x, FeatureShape shape, GraphNode node) =>
        ReferenceInterpreter.Run(new NetworkGraph([InputNode.Of("x", shape), node], [new GraphOutput("y", "y")]), x);
}
