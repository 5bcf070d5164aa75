using AdderNet.Checkpoints;

namespace AdderNet.Graph.Tests;

public class FrequencyPruningTests
{
    [Fact]
    public void Filters_of_few_frequencies_become_two_cheaper_layers_that_give_the_same()
    {
        // Each 3x3 kernel is a * constant + b * cos(pi (j + 1/2) / 3) along its rows: frequencies (0, 0) and (0, 1), written straight from the DCT.
        Random random = new(3);
        NetworkGraph graph = Network(random, [.. Enumerable.Range(0, 8 * 4).SelectMany(_ =>
        {
            double a = 2 + random.NextDouble(), b = random.NextDouble();
            return Enumerable.Range(0, 9).Select(tap => (float)(a + b * Math.Cos(Math.PI * (tap % 3 + 0.5) / 3)));
        })]);

        FrequencyNetwork pruned = FrequencyPruning.ToEnergy(graph, 0.999999);

        FrequencyLayer layer = Assert.Single(pruned.Layers);
        Assert.Equal(("conv", 9, 8 * 4 * 9L, 2 * 4 * (9 + 8L)), (layer.Layer, layer.Full, layer.Before, layer.After));
        Assert.Equal([new Frequency(0, 0), new Frequency(0, 1)], layer.Kept);
        Assert.Equal(layer.After * 12, OperationCounts.Of(pruned.Graph.Nodes).Multiplications);
        AssertSame(graph, pruned.Graph);
    }

    [Fact]
    public void Of_random_filters_the_strongest_frequencies_stay_and_the_energy_says_how_much_is_missed()
    {
        Random random = new(4);
        float[] filters = [.. Enumerable.Range(0, 8 * 4 * 9).Select(_ => random.NextSingle() - 0.3f)];
        NetworkGraph graph = Network(random, filters);

        FrequencyNetwork pruned = FrequencyPruning.ToCount(graph, 3);

        FrequencyLayer layer = Assert.Single(pruned.Layers);
        Assert.Equal(3, layer.Kept.Count);
        Assert.Equal(new Frequency(0, 0), layer.Kept[0]);
        float[] waves = ((ConvolutionNode)pruned.Graph["conv_dct3"]).Filters.ToFloats(), sums = ((ConvolutionNode)pruned.Graph["conv"]).Filters.ToFloats();
        double missed = 0, all = 0;
        for (int o = 0; o < 8; o++)
        {
            for (int c = 0; c < 4; c++)
            {
                for (int tap = 0; tap < 9; tap++)
                {
                    double made = Enumerable.Range(0, 3).Sum(f => sums[(o * 4 + c) * 3 + f] * waves[(c * 3 + f) * 9 + tap]);
                    double was = filters[(o * 4 + c) * 9 + tap];
                    (missed, all) = (missed + (was - made) * (was - made), all + was * was);
                }
            }
        }

        Assert.Equal(1 - layer.Energy, missed / all, 1e-5);
        Assert.True(missed > 0);
    }

    [Fact]
    public void Layers_that_would_not_get_cheaper_stay_and_a_network_without_any_is_refused()
    {
        NetworkGraph graph = Network(new Random(5), [.. Enumerable.Range(0, 8 * 4 * 9).Select(i => MathF.Sin(i * i))]);

        Assert.Empty(FrequencyPruning.ToCount(graph, 5).Layers);
        Assert.Empty(FrequencyPruning.ToEnergy(graph, 1).Layers);
        NetworkGraph adders = new(
            [InputNode.Of("x", new FeatureShape(4, 5, 5)), Graphs.Adder(new Random(6), "a", "x", 4, 8, kernel: 3)], [new GraphOutput("y", "a")]);
        Assert.Contains("L1 distance", Assert.Throws<GraphException>(() => FrequencyPruning.ToCount(adders, 3)).Message);
    }

    private static void AssertSame(NetworkGraph graph, NetworkGraph other)
    {
        float[] image = Graphs.Images(graph)["x"];
        Assert.All(ReferenceInterpreter.Run(graph, image).Zip(ReferenceInterpreter.Run(other, image)), p => Assert.Equal(p.First, p.Second, 1e-3));
    }

    /// <summary>A strided and padded 3x3 convolution of 4 and 8 channels, on 4x3 pixels of output.</summary>
    private static NetworkGraph Network(Random random, float[] filters) => new(
        [
            InputNode.Of("x", new FeatureShape(4, 7, 5)),
            new ConvolutionNode
            {
                Name = "conv", Inputs = ["x"], Filters = TensorData.FromFloats(filters, 8, 4, 3, 3), Bias = Graphs.Tensor(random, 8),
                Window = new WindowGeometry(3, 3, 2, 2, 1, 1),
            },
        ],
        [new GraphOutput("y", "conv")]);
}
