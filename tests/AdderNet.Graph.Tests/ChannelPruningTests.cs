using AdderNet.Checkpoints;

namespace AdderNet.Graph.Tests;

public class ChannelPruningTests
{
    [Fact]
    public void Taking_out_channels_that_are_always_0_changes_nothing()
    {
        // Channels 1, 4 and 5 of the first layer and 0 of the depthwise one's input are shut by a scale of 0 and a shift below 0.
        Random random = new(1);
        NetworkGraph graph = new(
            [
                InputNode.Of("x", new FeatureShape(3, 8, 8)),
                Graphs.Adder(random, "a", "x", 3, 8, kernel: 3, padding: 1, bias: true),
                Shut(Graphs.Norm(random, "a.bn", "a", 8), 1, 4, 5),
                new ReluNode { Name = "a.relu", Inputs = ["a.bn"] },
                Graphs.Convolution(random, "b", "a.relu", 8, 6, kernel: 3),
                Shut(Graphs.Norm(random, "b.bn", "b", 6), 0),
                new ReluNode { Name = "b.relu", Inputs = ["b.bn"] },
                new MaxPoolNode { Name = "pool", Inputs = ["b.relu"], Window = new WindowGeometry(2, 2, 2, 2) },
                new FlattenNode { Name = "flat", Inputs = ["pool"] },
                new LinearNode { Name = "fc", Inputs = ["flat"], Weight = Graphs.Tensor(random, 4, 54), Bias = Graphs.Tensor(random, 4) },
            ],
            [new GraphOutput("y", "fc")]);

        PrunedChannels pruned = ChannelPruning.Run(graph, 4 / 14.0);

        Assert.Equal([new PrunedLayer("a", 8, 5), new PrunedLayer("b", 6, 5)], pruned.Layers);
        Assert.Equal([5, 3, 3, 3], ((AdderNode)pruned.Graph["a"]).Filters.Shape.ToArray());
        Assert.Equal([4, 45], ((LinearNode)pruned.Graph["fc"]).Weight.Shape.ToArray());
        Dictionary<string, float[]> images = Graphs.Images(graph);
        float[] expected = ReferenceInterpreter.Run(graph, images["x"]), actual = ReferenceInterpreter.Run(pruned.Graph, images["x"]);
        Assert.All(expected.Zip(actual), p => Assert.Equal(p.First, p.Second, 1e-3));
        Assert.Contains("fc", pruned.Kept.Keys);
    }

    [Fact]
    public void A_depthwise_layer_loses_the_channels_that_its_input_loses()
    {
        Random random = new(2);
        NetworkGraph graph = new(
            [
                InputNode.Of("x", new FeatureShape(2, 5, 5)),
                Graphs.Convolution(random, "a", "x", 2, 4),
                Shut(Graphs.Norm(random, "a.bn", "a", 4), 2),
                new ReluNode { Name = "a.relu", Inputs = ["a.bn"] },
                Graphs.Adder(random, "d", "a.relu", 4, 4, kernel: 3, padding: 1, groups: 4),
                Graphs.Convolution(random, "b", "d", 4, 3),
            ],
            [new GraphOutput("y", "b")]);

        PrunedChannels pruned = ChannelPruning.Run(graph, 0.25);

        AdderNode depthwise = (AdderNode)pruned.Graph["d"];
        Assert.Equal((3, 3), (depthwise.Groups, (int)depthwise.Filters.Shape[0]));
        float[] kept = [.. ((AdderNode)graph["d"]).Filters.ToFloats().Chunk(9).Index().Where(f => f.Index != 2).SelectMany(f => f.Item)];
        Assert.Equal(kept, depthwise.Filters.ToFloats());
    }

    [Fact]
    public void Residual_sums_outputs_and_groups_keep_their_channels_and_say_so()
    {
        Random random = new(3);
        NetworkGraph graph = new(
            [
                InputNode.Of("x", new FeatureShape(2, 5, 5)),
                Graphs.Convolution(random, "stem", "x", 2, 4),
                new ReluNode { Name = "stem.relu", Inputs = ["stem"] },
                Graphs.Adder(random, "inner", "stem.relu", 4, 8),
                new ReluNode { Name = "inner.relu", Inputs = ["inner"] },
                Graphs.Adder(random, "last", "inner.relu", 8, 4),
                new AddNode { Name = "sum", Inputs = ["last", "stem.relu"] },
                Graphs.Adder(random, "grouped", "sum", 4, 6, groups: 2),
            ],
            [new GraphOutput("y", "grouped")]);

        PrunedChannels pruned = ChannelPruning.Run(graph, 1);

        // An eighth stays in any case.
        Assert.Equal([new PrunedLayer("inner", 8, 1)], pruned.Layers);
        Assert.Equal(["grouped", "last", "stem"], pruned.Kept.Keys.Order());
        Assert.Contains("residual", pruned.Kept["stem"]);
        Assert.Contains("groups", pruned.Kept["grouped"]);
        Assert.Equal(new FeatureShape(6, 5, 5), pruned.Graph["grouped"].Shape);
    }

    [Fact]
    public void Without_BatchNorm_filters_of_the_smallest_L1_norm_go()
    {
        NetworkGraph graph = new(
            [
                InputNode.Of("x", new FeatureShape(2, 1, 1)),
                new ConvolutionNode
                {
                    Name = "a", Inputs = ["x"], Filters = TensorData.FromFloats([1, -3, .5f, -.5f, 2, 2], 3, 2, 1, 1), Window = new WindowGeometry(1, 1),
                    Bias = TensorData.FromFloats([7, 8, 9], 3),
                },
                Graphs.Convolution(new Random(4), "b", "a", 3, 1),
            ],
            [new GraphOutput("y", "b")]);

        ConvolutionNode pruned = (ConvolutionNode)ChannelPruning.Run(graph, 0.34).Graph["a"];

        Assert.Equal([1, -3, 2, 2], pruned.Filters.ToFloats());
        Assert.Equal([7, 9], pruned.Bias!.ToFloats());
    }

    [Fact]
    public void A_fused_network_is_refused()
    {
        NetworkGraph fused = Graphs.Everything().Fuse();

        Assert.Contains("fused", Assert.Throws<GraphException>(() => ChannelPruning.Run(fused, 0.5)).Message);
    }

    private static BatchNormNode Shut(BatchNormNode norm, params int[] channels)
    {
        float[] gamma = [.. norm.Weight!.ToFloats().Select(g => g < 0 ? g - .1f : g + .1f)], beta = norm.Bias!.ToFloats();
        foreach (int channel in channels)
        {
            (gamma[channel], beta[channel]) = (0, -1);
        }

        return norm with { Weight = TensorData.FromFloats(gamma, gamma.Length), Bias = TensorData.FromFloats(beta, beta.Length) };
    }
}
