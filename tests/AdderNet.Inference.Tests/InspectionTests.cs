using AdderNet.Graph;

namespace AdderNet.Inference.Tests;

public class InspectionTests
{
    [Fact]
    public void Nodes_are_shown_with_what_they_give_for_each_image_in_turn()
    {
        NetworkGraph graph = Networks.ResNet20(16);
        Random random = new(1);
        float[] images = Graphs.Values(random, 3 * graph.Inputs[0].Shape.Count);
        List<(string Name, float[] Values)> shown = [];

        Inspection.Look(graph, ["layer16.0", "layer64.2.conv2", "layer16.0"], images, (node, values) => shown.Add((node.Name, values.ToArray())), threads: 1);

        Assert.Equal(
            Enumerable.Repeat((string[])["layer16.0", "layer64.2.conv2"], 3).SelectMany(names => names), shown.Select(s => s.Name));
        NetworkGraph first = new(graph.Nodes, [new GraphOutput("y", "layer16.0")]);
        float[] expected = ReferenceInterpreter.Run(first, images[^graph.Inputs[0].Shape.Count..]);
        Assert.All(expected.Zip(shown[^2].Values), p => Assert.Equal(p.First, p.Second, 1e-2));
    }

    [Fact]
    public void Nodes_of_a_detector_are_shown_too()
    {
        BoxDecoding boxes = new(2, 2, [1]);
        NetworkGraph graph = new(
            [
                InputNode.Of("x", new FeatureShape(1, 2, 2)), Graphs.Convolution(new Random(3), "c", "x", 1, 6),
                new FlattenNode { Name = "y", Inputs = ["c"] },
            ],
            [new GraphOutput("y", "y")], new NetworkMetadata(ClassNames: ["a"], Boxes: boxes));
        List<int> shown = [];

        Inspection.Look(graph, ["c", "x"], new float[4], (_, values) => shown.Add(values.Length), threads: 1);

        Assert.Equal([24, 4], shown);
    }

    [Fact]
    public void The_largest_input_of_each_adder_layer_is_that_of_all_images()
    {
        Random random = new(2);
        NetworkGraph graph = new(
            [
                InputNode.Of("x", new FeatureShape(1, 2, 2)),
                Graphs.Adder(random, "below", "x", 1, 2),
                new ReluNode { Name = "r", Inputs = ["x"] },
                Graphs.Adder(random, "behind", "r", 1, 2),
                new AddNode { Name = "s", Inputs = ["below", "behind"] },
            ],
            [new GraphOutput("y", "s")]);

        IReadOnlyDictionary<string, double> largest = Inspection.LargestInputs(graph, [-1, -2, -3, -4, 1, 7, 2, -9, 3, 0, 0, 0]);

        Assert.Equal(new Dictionary<string, double> { ["below"] = 7, ["behind"] = 7 }, largest);
        Assert.Empty(Inspection.LargestInputs(new NetworkGraph([InputNode.Of("x", new FeatureShape(1, 2, 2))], [new GraphOutput("y", "x")]), [1, 2, 3, 4]));
        Assert.Throws<ArgumentException>(() => Inspection.LargestInputs(graph, [1, 2, 3]));
    }
}
