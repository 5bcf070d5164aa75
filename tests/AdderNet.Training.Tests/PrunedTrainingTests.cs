using AdderNet.Data;
using AdderNet.Graph;
using AdderNet.Inference;
using AdderNet.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace AdderNet.Training.Tests;

public class PrunedTrainingTests
{
    [Fact]
    public void Training_regains_what_pulling_most_taps_down_has_cost_and_keeps_them_down()
    {
        NetworkGraph graph = Graph();
        double before = Measure(graph).Loss;

        NetworkGraph pulled = Run(graph, 0.9, epochs: 0), regained = Run(graph, 0.9, epochs: 4);

        Assert.Equal(0.9, 1 - new TapWork(pulled).All.Left, 0.01);
        Assert.InRange(1 - new TapWork(regained).All.Left, 0.9, 1);
        double hurt = Measure(pulled).Loss, now = Measure(regained).Loss;
        Assert.True(before < hurt && now < hurt, $"loss from {before} to {hurt}, and with training to {now}");
    }

    [Fact]
    public void The_lowest_taps_are_pulled_to_0_and_no_other_weight_changes()
    {
        NetworkGraph graph = Graph(), pulled = Run(graph, 0.7, epochs: 0);
        IReadOnlyDictionary<string, double> largest = Inspection.LargestInputs(graph, StripedNetwork.Floats(StripedNetwork.Train, 64));

        double highestPulled = 0, lowestLeft = double.PositiveInfinity;
        foreach (AdderNode layer in graph.Nodes.OfType<AdderNode>())
        {
            float[] was = layer.Filters.ToFloats(), now = ((AdderNode)pulled[layer.Name]).Filters.ToFloats();
            foreach ((float a, float b) in was.Zip(now))
            {
                Assert.True(b == a || (a > 0 && b == 0), $"{a} became {b}");
                (highestPulled, lowestLeft) = b != a ? (Math.Max(highestPulled, a / largest[layer.Name]), lowestLeft)
                    : b > 0 ? (highestPulled, Math.Min(lowestLeft, a / largest[layer.Name])) : (highestPulled, lowestLeft);
            }
        }

        Assert.True(highestPulled <= lowestLeft, $"{highestPulled} went, {lowestLeft} stayed");
        Assert.Equal(((ConvolutionNode)graph["fc"]).Filters.ToFloats(), ((ConvolutionNode)pulled["fc"]).Filters.ToFloats());
    }

    [Fact]
    public void A_network_without_a_ReLU_before_its_adder_layers_has_no_free_taps_to_give()
    {
        using nn.Module<Tensor, Tensor> model = nn.Sequential(
            ("adder", Layers.Adder2d(1, 4, 3)), ("bn", nn.BatchNorm2d(4)), ("pool", nn.AdaptiveAvgPool2d(1)), ("flat", nn.Flatten()));
        NetworkGraph graph = model.ToGraph(new FeatureShape(1, Small.Side, Small.Side));

        Assert.Contains("behind a ReLU", Assert.Throws<TrainingException>(() => Run(graph, 0.5, epochs: 0)).Message);
    }

    [Fact]
    public void A_narrower_network_is_trained_on_and_ends_better_than_without()
    {
        PrunedChannels narrow = ChannelPruning.Run(Graph(), 0.4);

        NetworkGraph plain = Run(narrow.Graph, null, epochs: 0), tuned = Run(narrow.Graph, null, epochs: 4);

        Assert.True(Measure(tuned).Loss < Measure(plain).Loss);
        Assert.Equal(narrow.Graph.Nodes.Select(n => (n.Name, n.Shape)), tuned.Nodes.Select(n => (n.Name, n.Shape)));
        Assert.Contains(narrow.Layers, layer => layer.After < layer.Before);
    }

    [Fact]
    public void The_share_rises_from_what_there_is_to_the_goal_fast_at_first()
    {
        long[] counts = [.. Enumerable.Range(0, 11).Select(i => PrunedTraining.Rising(100, 500, i / 10.0))];

        Assert.Equal((100, 500), (counts[0], counts[^1]));
        Assert.Equal(counts.Order(), counts);
        Assert.True(counts[1] - counts[0] > counts[^1] - counts[^2]);
    }

    private static NetworkGraph Run(NetworkGraph graph, double? share, int epochs) => PrunedTraining.Run(
        graph, share, ContinuedTraining.RecipeFor(StripedNetwork.Recipe, Math.Max(epochs, 1)), epochs, StripedNetwork.Train,
        StripedNetwork.Floats(StripedNetwork.Train, 64), cancel: TestContext.Current.CancellationToken);

    private static NetworkGraph Graph()
    {
        using nn.Module<Tensor, Tensor> model = StripedNetwork.Model();
        return model.ToGraph(new FeatureShape(1, Small.Side, Small.Side));
    }

    private static EvaluationResult Measure(NetworkGraph graph) => StripedNetwork.Measure(graph);
}
