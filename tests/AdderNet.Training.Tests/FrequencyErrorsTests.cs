using AdderNet.Checkpoints;
using AdderNet.Graph;

namespace AdderNet.Training.Tests;

public class FrequencyErrorsTests
{
    [Fact]
    public void The_error_of_a_layer_is_that_of_its_output_on_the_inputs_it_had()
    {
        Random random = new(1);
        TensorData Tensor(params long[] shape) =>
            TensorData.FromFloats([.. Enumerable.Range(0, (int)shape.Aggregate((a, b) => a * b)).Select(_ => random.NextSingle() - 0.4f)], shape);
        NetworkGraph graph = new(
            [
                InputNode.Of("x", new FeatureShape(2, 6, 6)),
                new ConvolutionNode { Name = "a", Inputs = ["x"], Filters = Tensor(6, 2, 3, 3), Window = new WindowGeometry(3, 3, PaddingH: 1, PaddingW: 1) },
                new ReluNode { Name = "relu", Inputs = ["a"] },
                new ConvolutionNode { Name = "b", Inputs = ["relu"], Filters = Tensor(8, 6, 3, 3), Bias = Tensor(8), Window = new WindowGeometry(3, 3) },
            ],
            [new GraphOutput("y", "b")]);
        FrequencyNetwork pruned = FrequencyPruning.ToCount(graph, 3);
        float[] images = [.. Enumerable.Range(0, 3 * 72).Select(i => MathF.Sin(i))];

        IReadOnlyDictionary<string, double> errors = FrequencyErrors.Of(graph, pruned, images);

        Assert.Equal(["a", "b"], errors.Keys.Order());
        // What b gives after an exact a, by the plain interpreter.
        NetworkGraph onlyB = new(
            graph.Nodes.SelectMany(node => node.Name == "b" ? [pruned.Graph["b_dct3"], pruned.Graph["b"]] : (GraphNode[])[node]), graph.Outputs, graph.Metadata);
        double[] was = [.. images.Chunk(72).SelectMany(image => ReferenceInterpreter.Run(graph, image)).Select(v => (double)v)];
        double[] now = [.. images.Chunk(72).SelectMany(image => ReferenceInterpreter.Run(onlyB, image)).Select(v => (double)v)];
        double mean = was.Average();
        Assert.Equal(was.Zip(now, (a, b) => (a - b) * (a - b)).Sum() / was.Sum(a => (a - mean) * (a - mean)), errors["b"], 1e-4);
        Assert.InRange(errors["b"], 1e-3, 1);
    }
}
