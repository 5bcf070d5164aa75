namespace AdderNet.Graph.Tests;

public class CostTests
{
    [Fact]
    public void Operations_are_counted_as_the_paper_does()
    {
        NetworkGraph graph = Graphs.Everything();

        // 8 maps of 8x6, filters of 3x3x3 and of 3x3x8.
        Assert.Equal(new OperationCounts(216, 384 * 27, 384 * 27, 0), OperationCounts.Of(graph["stem"]));
        Assert.Equal(new OperationCounts(576 + 8, 0, 2 * 384 * 72, 0), OperationCounts.Of(graph["adder"]));
        Assert.Equal(new OperationCounts(144, 0, 192 * 18, 192 * 18), OperationCounts.Of(graph["binary"]));
        Assert.Equal(new OperationCounts(85, 80, 80, 0), OperationCounts.Of(graph["fc"]));
        Assert.Equal(new OperationCounts(16, 0, 0, 0), OperationCounts.Of(graph["stem.bn"]));
        Assert.Equal(new OperationCounts(), OperationCounts.Of(graph["excite"]));
    }

    [Fact]
    public void Energy_is_that_of_the_operations() =>
        Assert.Equal(10 * 3.7 + 100 * .9 + 1000 * (.03 / 16), OperationEnergy.SinglePrecision.Of(new OperationCounts(0, 10, 100, 1000)), 1e-9);

    [Fact]
    public void Memory_is_that_of_the_weights_and_of_the_values_alive_at_once()
    {
        Random random = new(1);
        NetworkGraph graph = new(
            [
                InputNode.Of("x", new FeatureShape(2, 4, 4)),
                Graphs.Adder(random, "a", "x", 2, 8, bias: true),
                new ReluNode { Name = "b", Inputs = ["a"] },
                Graphs.Adder(random, "c", "b", 8, 1),
            ],
            [new GraphOutput("y", "c")]);

        // 24 weights and 8 biases; 128 values of each of two nodes.
        Assert.Equal(new MemoryEstimate(32 * 4, 256 * 4), MemoryEstimate.Of(graph));
        Assert.Equal(new MemoryEstimate(12 + 8 * 4, 128 + 0), MemoryEstimate.Of(graph, bits: 4));
    }
}
