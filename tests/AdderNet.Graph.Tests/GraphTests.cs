using AdderNet.Checkpoints;

namespace AdderNet.Graph.Tests;

public class GraphTests
{
    private static readonly InputNode Image = InputNode.Of("image", new FeatureShape(2, 4, 4));

    [Fact]
    public void Shapes_follow_from_the_inputs()
    {
        NetworkGraph graph = Graphs.Everything();

        Assert.Equal("8x8x6", graph["sum"].Shape.ToString());
        Assert.Equal("8x4x6", graph["binary"].Shape.ToString());
        Assert.Equal("16x5x5", graph["both"].Shape.ToString());
        Assert.Equal("16x1x1", graph["pool"].Shape.ToString());
        Assert.Equal("16", graph["flatten"].Shape.ToString());
        Assert.Equal("5", graph["fc"].Shape.ToString());
    }

    [Fact]
    public void What_does_not_fit_is_refused_with_the_name_of_the_node()
    {
        Random random = new(1);

        Assert.Contains("'conv'", Refused(Graphs.Convolution(random, "conv", "image", 3, 8)));
        Assert.Contains("larger than its padded input", Refused(Graphs.Convolution(random, "conv", "image", 2, 8, kernel: 5)));
        Assert.Contains("cannot be divided into 3 groups", Refused(Graphs.Adder(random, "conv", "image", 2, 6) with { Groups = 3 }));
        Assert.Contains("its bias is F32 [2], not [3]", Refused(Graphs.Adder(random, "a", "image", 2, 3) with { Bias = Graphs.Tensor(random, 2) }));
        Assert.Contains("takes a vector", Refused(new LinearNode { Name = "fc", Inputs = ["image"], Weight = Graphs.Tensor(random, 3, 32) }));
        Assert.Contains("'a', which does not stand before it", Refused(new ReluNode { Name = "relu", Inputs = ["a"] }));
        Assert.Contains("one input, not 2", Refused(new ReluNode { Name = "relu", Inputs = ["image", "image"] }));
        Assert.Contains("Two nodes are named 'image'", Refused(Image));
        Assert.Contains("one shape", Refused(Graphs.Adder(random, "a", "image", 2, 3), new AddNode { Name = "sum", Inputs = ["a", "image"] }));
        Assert.Contains("3 groups", Refused(new ChannelShuffleNode { Name = "shuffle", Inputs = ["image"], Groups = 3 }));
        Assert.Contains("too large", Refused(new GlobalAveragePoolNode { Name = "p", Inputs = ["image"] },
            new ConvolutionNode { Name = "c", Inputs = ["p"], Filters = Graphs.Tensor(random, 1, 2, 1, 1), Window = new(1, 1, PaddingH: 1 << 20, PaddingW: 1 << 20) }));
    }

    [Theory]
    [InlineData(null)]
    [InlineData]
    public void A_detector_names_its_classes(params string[]? names)
    {
        BoxDecoding boxes = new(8, 8, [8]);
        GraphException refused = Assert.Throws<GraphException>(() => new NetworkGraph(
            [InputNode.Of("x", FeatureShape.Vector((int)boxes.Length(0)))], [new GraphOutput("y", "x")], new NetworkMetadata(ClassNames: names, Boxes: boxes)));
        Assert.Contains("names none", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Outputs_are_of_nodes_that_there_are()
    {
        Assert.Contains("'b'", Assert.Throws<GraphException>(() => new NetworkGraph([Image], [new GraphOutput("a", "b")])).Message);
        Assert.Throws<GraphException>(() => new NetworkGraph([Image], []));
    }

    private static string Refused(params GraphNode[] nodes) =>
        Assert.Throws<GraphException>(() => new NetworkGraph([Image, .. nodes], [new GraphOutput("output", "image")])).Message;
}
