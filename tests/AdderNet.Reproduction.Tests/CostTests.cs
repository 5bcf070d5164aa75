using AdderNet.Data;
using AdderNet.Graph;
using AdderNet.Models;
using AdderNet.Training;

namespace AdderNet.Reproduction.Tests;

public class CostTests
{
    // LeNet-5-BN by hand, products of each layer: outputs times elements of a filter.
    private const long
        First = 6 * 28 * 28 * (1 * 5 * 5), // ordinary
        Inner = 16 * 10 * 10 * (6 * 5 * 5) + 120 * (16 * 5 * 5) + 84 * 120,
        Last = 10 * 84; // ordinary

    [Fact]
    public void Operations_of_the_three_versions_are_those_counted_by_hand()
    {
        (LayerKind, long, long, long)[] counted = [.. LeNet().Select(c => (c.Layers, c.Operations.Multiplications, c.Operations.Additions, c.Operations.Xnors))];

        Assert.Equal(
            [
                (LayerKind.Adder, First + Last, First + 2 * Inner + Last, 0L),
                (LayerKind.Conv, First + Inner + Last, First + Inner + Last, 0L),
                (LayerKind.Binary, First + Last, First + Inner + Last, Inner),
            ],
            counted);
        Assert.All(LeNet(), c => Assert.Equal(61_932, c.Operations.Parameters));
    }

    [Fact]
    public void Energy_is_the_published_figures_times_the_operations()
    {
        // 118,440 ordinary products and 298,080 inner ones.
        double[] float32 = [.. LeNet().Select(c => c.Microjoules(OperationEnergy.SinglePrecision))], int8 = [.. LeNet().Select(c => c.Microjoules(OperationEnergy.EightBitIntegers))];

        Assert.Equal(1.081368, float32[0], 1e-9); // 118,440 x 4.6 + 298,080 x 1.8 pJ
        Assert.Equal(1.915992, float32[1], 1e-9); // 416,520 x 4.6 pJ
        Assert.Equal(0.8136549, float32[2], 1e-9); // 118,440 x 4.6 + 298,080 x (0.9 + 0.03 / 16) pJ
        Assert.Equal(0.045126, int8[0], 1e-9); // 118,440 x 0.23 + 298,080 x 0.06 pJ
        Assert.Equal(0.0957996, int8[1], 1e-9); // 416,520 x 0.23 pJ
        Assert.Equal(0.0367425, int8[2], 1e-9); // 118,440 x 0.23 + 298,080 x (0.03 + 0.03 / 16) pJ
    }

    [Fact]
    public void First_and_last_layers_are_the_same_in_every_version()
    {
        Assert.All(LeNet(), c => Assert.Equal(["conv1", "fc"], c.Ordinary.Select(l => l.Name)));
        Assert.Equal(["conv1", "embedding", "fc"], NetworkCost.Of(AdderNetModels.Find("lenet++"))[2].Ordinary.Select(l => l.Name));
        Assert.Equal(0.544824 / 1.081368, LeNet()[0].OrdinaryShare(OperationEnergy.SinglePrecision), 1e-9);
        Assert.Equal(0.544824 / 1.915992, LeNet()[1].OrdinaryShare(OperationEnergy.SinglePrecision), 1e-9);
    }

    [Fact]
    public void A_run_that_an_experiment_beside_this_one_has_completed_tells_what_is_left_without_skipped_taps()
    {
        using TempFolder folder = new();
        string run = folder["mnist/runs/lenet5-bn-adder-seed1"];
        Recipe recipe = Recipe.For("lenet5-bn", "mnist") with { Epochs = 1, BatchSize = 8 };
        Directory.CreateDirectory(folder["mnist/runs"]);
        DatasetInfo info = Datasets.Find("mnist");
        Dataset images = Dataset.FromMemory(info, new byte[16 * info.Height * info.Width], [.. Enumerable.Range(0, 16).Select(i => i % 10)]);
        using (RunFolder made = RunFolder.Create(run, recipe, new RunOptions { Threads = 1 }))
        using (Trainer trainer = new(made, images, images))
        {
            trainer.Run();
        }

        RunStore store = new(folder["cost"]);
        NetworkCost[] costs = [.. LeNet().Select(c => c.WithRun(store))];

        Assert.Equal(run, costs[0].Run);
        Assert.InRange(costs[0].Left!.Value.Additions, 1, costs[0].Operations.Additions - 1);
        Assert.All(costs[1..], c => Assert.Null(c.Left));
        Assert.Null(NetworkCost.Of(AdderNetModels.Find("resnet20"))[0].WithRun(store).Left);
    }

    private static IReadOnlyList<NetworkCost> LeNet() => NetworkCost.Of(AdderNetModels.Find("lenet5-bn"));
}
