using AdderNet.Checkpoints;

namespace AdderNet.Graph.Tests;

public class TapWorkTests
{
    [Fact]
    public void Behind_a_ReLU_taps_at_or_below_0_are_skipped_and_without_one_none_is()
    {
        float[] filters = [-1, -0f, 0, 0.5f, 2, 2.5f];

        TapWork behind = new(Network(filters, relu: true)), alone = new(Network(filters, relu: false));

        Assert.Equal(new TapStatistics(3, 0, 3), behind.Layers["a"]);
        Assert.Equal(new TapStatistics(0, 0, 6), alone.Layers["a"]);
        Assert.Equal(0.5, behind.All.Left);
    }

    [Fact]
    public void Taps_are_told_in_shares_and_none_without_numbers()
    {
        Assert.Equal("taps: 50.0 % skipped, 25.0 % plain sums, 25.0 % compared", $"{new TapStatistics(2, 1, 1)}");
        Assert.Equal("no taps", $"{new TapStatistics()}");
    }

    [Fact]
    public void Taps_at_or_above_the_largest_input_that_was_met_are_plain() =>
        Assert.Equal(
            new TapStatistics(3, 2, 1),
            new TapWork(Network([-1, -0f, 0, 0.5f, 2, 2.5f], relu: true), new Dictionary<string, double> { ["a"] = 2 }).Layers["a"]);

    [Fact]
    public void Skipped_taps_cost_nothing_plain_ones_an_addition_compared_ones_two_and_windows_are_added_up_once()
    {
        NetworkGraph graph = Network([-1, -0f, 0, 0.5f, 2, 2.5f], relu: true);

        TapWork work = new(graph, new Dictionary<string, double> { ["a"] = 2 });

        // A 2x1 map of 2 channels, 3 filters of 2 channels x 1 tap: 4 sums over channels, then 1x1 windows at 2 pixels.
        Assert.Equal(4 + 2 + 2 * (2 + 2 * 1), work.Of(graph["a"]).Additions);
        Assert.Equal(2 * 2 * 6, OperationCounts.Of(graph["a"]).Additions);
        Assert.Equal(work.Of(graph["a"]), work.Operations);
    }

    [Fact]
    public void Values_below_0_are_told_from_those_that_never_are()
    {
        NetworkGraph graph = new(
            [
                InputNode.Of("x", new FeatureShape(2, 4, 4)),
                new ReluNode { Name = "r", Inputs = ["x"] },
                new MaxPoolNode { Name = "p", Inputs = ["r"], Window = new WindowGeometry(2, 2, 2, 2) },
                new AddNode { Name = "s", Inputs = ["p", "p"] },
                new AddNode { Name = "t", Inputs = ["x", "r"] },
                new HardTanhNode { Name = "h", Inputs = ["t"], Minimum = 0, Maximum = 6 },
                new HardTanhNode { Name = "g", Inputs = ["t"], Minimum = -1, Maximum = 1 },
            ],
            [new GraphOutput("y", "s")]);

        Assert.Equal(["h", "p", "r", "s"], graph.NeverNegative().Order());
    }

    private static NetworkGraph Network(float[] filters, bool relu) => new(
        [
            InputNode.Of("x", new FeatureShape(2, 2, 1)),
            new ReluNode { Name = "r", Inputs = ["x"] },
            new AdderNode
            {
                Name = "a", Inputs = [relu ? "r" : "x"], Filters = TensorData.FromFloats(filters, 3, 2, 1, 1), Window = new WindowGeometry(1, 1),
            },
        ],
        [new GraphOutput("y", "a")]);
}
