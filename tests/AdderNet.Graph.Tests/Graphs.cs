using AdderNet.Checkpoints;

namespace AdderNet.Graph.Tests;

/// <summary>Small graphs with random weights.</summary>
internal static class Graphs
{
    /// <summary>A network with a node of every kind, two inputs, two outputs, and two layers that share their filters.</summary>
    public static NetworkGraph Everything(int seed = 1)
    {
        Random random = new(seed);
        AdderNode adder = Adder(random, "adder", "stem.relu", 8, 8, kernel: 3, padding: 1, bias: true);
        return new NetworkGraph(
            [
                InputNode.Of("image", new FeatureShape(3, 8, 6)),
                InputNode.Of("offsets", new FeatureShape(8, 8, 6)),
                Convolution(random, "stem", "image", 3, 8, kernel: 3, padding: 1),
                Norm(random, "stem.bn", "stem", 8),
                new ReluNode { Name = "stem.relu", Inputs = ["stem.bn"] },
                adder,
                Norm(random, "adder.bn", "adder", 8),
                new AddNode { Name = "sum", Inputs = ["adder.bn", "offsets"] },
                new HardTanhNode { Name = "clip", Inputs = ["sum"], Minimum = -1, Maximum = float.PositiveInfinity },
                adder with { Name = "shared", Inputs = ["clip"] },
                Norm(random, "shared.bn", "shared", 8),
                new BinaryConvolutionNode
                {
                    Name = "binary", Inputs = ["shared.bn"], Filters = Tensor(random, 8, 2, 3, 3), Groups = 4,
                    Window = new WindowGeometry(3, 3, StrideH: 2, StrideW: 1, PaddingH: 2, PaddingW: 1, DilationH: 2), Rule = BinarizationRule.DoReFa,
                },
                new MaxPoolNode { Name = "max", Inputs = ["binary"], Window = new WindowGeometry(2, 2, PaddingH: 1) },
                new AveragePoolNode { Name = "average", Inputs = ["binary"], Window = new WindowGeometry(2, 2, PaddingH: 1), CountsPadding = false },
                new ConcatenateNode { Name = "both", Inputs = ["max", "average"] },
                new ChannelShuffleNode { Name = "shuffle", Inputs = ["both"], Groups = 2 },
                new ShiftNode
                {
                    Name = "shift", Inputs = ["shuffle"], Rows = [.. Enumerable.Range(0, 16).Select(i => i % 3 - 1)], Columns = new int[16],
                },
                new SelectChannelsNode { Name = "picked", Inputs = ["shift"], Channels = [.. Enumerable.Range(0, 16).Select(i => i < 3 ? 5 : 15 - i)] },
                new GlobalAveragePoolNode { Name = "squeeze", Inputs = ["picked"] },
                new SigmoidNode { Name = "gate", Inputs = ["squeeze"] },
                new MultiplyNode { Name = "excite", Inputs = ["picked", "gate"] },
                new GlobalAveragePoolNode { Name = "pool", Inputs = ["excite"] },
                new FlattenNode { Name = "flatten", Inputs = ["pool"] },
                new LinearNode { Name = "fc", Inputs = ["flatten"], Weight = Tensor(random, 5, 16), Bias = Tensor(random, 5) },
            ],
            [new GraphOutput("scores", "fc"), new GraphOutput("features", "excite")],
            new NetworkMetadata("everything", "noise", ["a", "b", "ç", "d", "e"], new InputPreparation([.5f], [.25f, .3f, .1f], 8, 6, Pad: 2)));
    }

    public static AdderNode Adder(
        Random random, string name, string input, int inChannels, int outChannels, int kernel = 1, int padding = 0, int groups = 1, bool bias = false) =>
        new()
        {
            Name = name,
            Inputs = [input],
            Filters = Tensor(random, outChannels, inChannels / groups, kernel, kernel),
            Groups = groups,
            Window = new WindowGeometry(kernel, kernel, PaddingH: padding, PaddingW: padding),
            Bias = bias ? Tensor(random, outChannels) : null,
        };

    public static ConvolutionNode Convolution(
        Random random, string name, string input, int inChannels, int outChannels, int kernel = 1, int padding = 0) =>
        new()
        {
            Name = name,
            Inputs = [input],
            Filters = Tensor(random, outChannels, inChannels, kernel, kernel),
            Window = new WindowGeometry(kernel, kernel, PaddingH: padding, PaddingW: padding),
        };

    public static BatchNormNode Norm(Random random, string name, string input, int channels) => new()
    {
        Name = name,
        Inputs = [input],
        Weight = Tensor(random, channels),
        Bias = Tensor(random, channels),
        RunningMean = Tensor(random, channels),
        RunningVariance = TensorData.FromFloats([.. Values(random, channels).Select(v => v * v + .5f)], channels),
        Epsilon = 1e-5,
    };

    public static TensorData Tensor(Random random, params long[] shape) =>
        TensorData.FromFloats(Values(random, (int)shape.Aggregate(1L, (a, b) => a * b)), shape);

    /// <summary>Values between -2 and 2.</summary>
    public static float[] Values(Random random, int count) => [.. Enumerable.Range(0, count).Select(_ => random.NextSingle() * 4 - 2)];

    /// <summary>Random images for all inputs.</summary>
    public static Dictionary<string, float[]> Images(NetworkGraph graph, int seed = 2)
    {
        Random random = new(seed);
        return graph.Inputs.ToDictionary(input => input.Name, input => Values(random, input.Shape.Count));
    }

    public static byte[] Bytes(NetworkGraph graph)
    {
        using MemoryStream stream = new();
        graph.Save(stream);
        return stream.ToArray();
    }
}
