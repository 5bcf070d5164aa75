namespace AdderNet.Graph.Tests;

public class FusionTests
{
    [Fact]
    public void A_residual_block_becomes_its_layers()
    {
        NetworkGraph graph = Block(), fused = graph.Fuse();

        Assert.Equal(["x", "conv1", "down", "conv2"], fused.Nodes.Select(n => n.Name));
        Assert.Equal(["conv1", "down"], fused["conv2"].Inputs);
        Assert.True(((LayerNode)fused["conv1"]).Epilogue!.IsRelu);
        Assert.True(((LayerNode)fused["conv2"]).Epilogue is { AddsResidual: true, IsRelu: true });
        Assert.False(((LayerNode)fused["down"]).Epilogue is null or { AddsResidual: true } or { IsRelu: true });
        Assert.Equal(new GraphOutput("y", "conv2"), Assert.Single(fused.Outputs));
    }

    [Fact]
    public void Fusing_changes_no_value_but_by_rounding()
    {
        foreach (NetworkGraph graph in (NetworkGraph[])[Block(), Graphs.Everything()])
        {
            Dictionary<string, float[]> images = Graphs.Images(graph);

            var expected = ReferenceInterpreter.Run(graph, images);
            var actual = ReferenceInterpreter.Run(graph.Fuse(), images);

            Assert.Equal(expected.Keys, actual.Keys);
            Assert.All(expected, output => Assert.All(
                output.Value.Zip(actual[output.Key]), pair => Assert.Equal(pair.First, pair.Second, 1e-4 * (1 + Math.Abs(pair.First)))));
        }
    }

    [Fact]
    public void A_value_that_something_else_reads_stays()
    {
        Random random = new(1);
        NetworkGraph graph = new(
            [
                InputNode.Of("x", new FeatureShape(2, 3, 3)),
                Graphs.Adder(random, "layer", "x", 2, 2),
                Graphs.Norm(random, "norm", "layer", 2),
                new ReluNode { Name = "relu", Inputs = ["norm"] },
            ],
            [new GraphOutput("y", "relu"), new GraphOutput("before", "norm")]);

        NetworkGraph fused = graph.Fuse();

        Assert.Equal(["x", "layer", "relu"], fused.Nodes.Select(n => n.Name));
        Assert.Equal(["relu", "layer"], fused.Outputs.Select(o => o.Node));
    }

    [Fact]
    public void Steps_in_another_order_than_the_epilogues_stay()
    {
        Random random = new(1);
        NetworkGraph graph = new(
            [
                InputNode.Of("x", new FeatureShape(2, 3, 3)),
                Graphs.Adder(random, "layer", "x", 2, 2),
                new ReluNode { Name = "relu", Inputs = ["layer"] },
                Graphs.Norm(random, "norm", "relu", 2),
                new AddNode { Name = "twice", Inputs = ["norm", "norm"] },
            ],
            [new GraphOutput("y", "twice")]);

        Assert.Equal(["x", "layer", "norm", "twice"], graph.Fuse().Nodes.Select(n => n.Name));
    }

    private static NetworkGraph Block()
    {
        Random random = new(3);
        return new NetworkGraph(
            [
                InputNode.Of("x", new FeatureShape(4, 5, 5)),
                Graphs.Adder(random, "conv1", "x", 4, 6, kernel: 3, padding: 1, bias: true),
                Graphs.Norm(random, "bn1", "conv1", 6),
                new ReluNode { Name = "relu", Inputs = ["bn1"] },
                Graphs.Adder(random, "conv2", "relu", 6, 6, kernel: 3, padding: 1, groups: 2),
                Graphs.Norm(random, "bn2", "conv2", 6),
                Graphs.Convolution(random, "down", "x", 4, 6),
                Graphs.Norm(random, "down.bn", "down", 6),
                new AddNode { Name = "sum", Inputs = ["bn2", "down.bn"] },
                new ReluNode { Name = "relu2", Inputs = ["sum"] },
            ],
            [new GraphOutput("y", "relu2")]);
    }
}
