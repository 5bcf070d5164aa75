using AdderNet.Checkpoints;
using AdderNet.Graph;
using AdderNet.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace AdderNet.Training.Tests;

public class LowRankTests
{
    [Fact]
    public void A_layer_of_a_low_rank_becomes_two_that_give_the_same()
    {
        NetworkGraph graph = Network(rank: 2);

        LowRankNetwork smaller = LowRank.ToEnergy(graph, 0.9999);

        Assert.Equal([("conv", 6, 2, 8 * 6L, 2 * (8 + 6L)), ("fc", 12, 2, 24 * 12L, 2 * (24 + 12L))],
            smaller.Layers.Select(l => (l.Layer, l.Full, l.Rank, l.Before, l.After)));
        Assert.All(smaller.Layers, layer => Assert.InRange(layer.Energy, 0.9999, 1));
        float[] image = [.. Enumerable.Range(0, 150).Select(i => MathF.Sin(i))];
        Assert.All(
            ReferenceInterpreter.Run(graph, image).Zip(ReferenceInterpreter.Run(smaller.Graph, image)), p => Assert.Equal(p.First, p.Second, 1e-3));
        // It is a network like any other: trainable, and with names of its own.
        using nn.Module<Tensor, Tensor> module = smaller.Graph.ToModule();
        Assert.Contains("fc_rank2.weight", module.named_parameters().Select(p => p.name));
    }

    [Fact]
    public void Of_all_products_of_a_rank_it_is_the_nearest_and_the_energy_says_how_near()
    {
        NetworkGraph graph = Network(rank: 12);

        LowRankNetwork smaller = LowRank.ToRank(graph, 3);

        using var scope = NewDisposeScope();
        Tensor full = Matrix(graph["fc"]), product = Matrix(smaller.Graph["fc"]).mm(Matrix(smaller.Graph["fc_rank3"]));
        double missed = ((full - product).square().sum() / full.square().sum()).item<double>();
        Assert.Equal(1 - smaller.Layers.Single(l => l.Layer == "fc").Energy, missed, 1e-6);
        // No better product of rank 3 is found by descent from it.
        Tensor singular = linalg.svdvals(full);
        Assert.Equal((singular[TensorIndex.Slice(3)].square().sum() / singular.square().sum()).item<double>(), missed, 1e-6);
    }

    [Fact]
    public void Layers_that_would_not_have_fewer_weights_stay()
    {
        NetworkGraph graph = Network(rank: 12);

        Assert.Empty(LowRank.ToEnergy(graph, 1).Layers);
        Assert.Empty(LowRank.ToRank(graph, 1000).Layers);
    }

    private static Tensor Matrix(GraphNode node) => tensor(((LayerNode)node).Weights.ToFloats(), ScalarType.Float64)
        .view(((LayerNode)node).Weights.Shape[0], -1);

    /// <summary>A strided 1x1 convolution and a fully connected layer whose weights have a rank.</summary>
    private static NetworkGraph Network(int rank)
    {
        random.manual_seed(1);
        return new NetworkGraph(
            [
                InputNode.Of("x", new FeatureShape(6, 5, 5)),
                new ConvolutionNode
                {
                    Name = "conv", Inputs = ["x"], Filters = Product(8, 6, rank, 1, 1), Bias = TensorData.FromFloats(new float[8], 8),
                    Window = new WindowGeometry(1, 1, 2, 2),
                },
                new ReluNode { Name = "relu", Inputs = ["conv"] },
                new GlobalAveragePoolNode { Name = "pool", Inputs = ["relu"] },
                new FlattenNode { Name = "flat", Inputs = ["pool"] },
                new LinearNode { Name = "wide", Inputs = ["flat"], Weight = Product(12, 8, 8) },
                new LinearNode { Name = "fc", Inputs = ["wide"], Weight = Product(24, 12, rank), Bias = TensorData.FromFloats(new float[24], 24) },
            ],
            [new GraphOutput("y", "fc")]);
    }

    private static TensorData Product(int rows, int columns, int rank, params long[] window)
    {
        using var scope = NewDisposeScope();
        float[] values = rank >= Math.Min(rows, columns)
            ? randn(rows, columns).data<float>().ToArray()
            : randn(rows, rank).mm(randn(rank, columns)).data<float>().ToArray();
        return TensorData.FromFloats(values, [rows, columns, .. window]);
    }
}
