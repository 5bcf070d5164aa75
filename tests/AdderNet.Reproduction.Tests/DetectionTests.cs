using AdderNet.Models;
using AdderNet.Training;

namespace AdderNet.Reproduction.Tests;

public class DetectionTests
{
    private static readonly Experiment Detection = Experiments.All.Single(e => e.Name == "detection");

    [Fact]
    public void Each_version_differs_from_the_first_in_what_its_name_says_alone()
    {
        PlannedRun[] plan = [.. Detection.Plan(Options())];
        Assert.Equal(
            ["adder", "cnn", "adder-neck-cnn", "adder-fpn", "adder-head-adder", "adder-sign", "adder-goes-on", "adder-frozen"],
            plan.Take(8).Select(r => r.Name["fcos-resnet20-".Length..^"-seed1".Length]));
        Assert.Equal(16, plan.Select(r => r.Name).Distinct().Count());
        Recipe first = plan[0].Recipe;
        Assert.Equal(("digits", 5, 1L), (first.Dataset, first.Epochs, first.Seed));
        string start = Path.GetFullPath(Path.Combine("out", "runs", "fcos-resnet20-adder-seed1"));
        Recipe[] wanted =
        [
            first, first with { Layers = LayerKind.Conv }, first with { Detection = new() { NeckLayers = LayerKind.Conv } },
            first with { Detection = new() { Neck = Neck.Fpn } }, first with { Detection = new() { HeadLayers = LayerKind.Adder } },
            first with { InputGradient = InputGradient.Sign }, first with { Detection = new() { Backbone = start } },
            first with { Detection = new() { Backbone = start, FreezeBatchNorm = true } },
        ];
        Assert.Equal(wanted, plan.Take(8).Select(r => r.Recipe));
        Assert.All(plan.Skip(8), r => Assert.Equal(2, r.Recipe.Seed));
        Assert.EndsWith("adder-seed2", plan[^1].Recipe.Detection!.Backbone);
    }

    [Fact]
    public void With_a_folder_of_images_it_is_of_Pascal_VOC_and_one_epoch_has_no_warm_up()
    {
        Recipe recipe = Detection.Plan(Options() with { DataDir = "voc", Epochs = 1 })[0].Recipe;
        Assert.Equal(("voc", 0), (recipe.Dataset, recipe.WarmupEpochs));
        recipe.Validate();
    }

    [Fact]
    public void The_time_of_a_detector_grows_with_images_and_is_measured_once_for_each_that_computes_something_else()
    {
        TimeEstimate estimate = new(threads: 1, run => new ImageCost(run.Name.Length, 1));
        List<string> measured = [];
        PlannedRun[] plan = [.. Detection.Plan(Options())];
        estimate.Measure(plan, (run, _, _) => measured.Add(run.Name["fcos-resnet20-".Length..^"-seed1".Length]), default);
        Assert.Equal(["adder", "cnn", "adder-neck-cnn", "adder-fpn", "adder-head-adder", "adder-sign", "adder-frozen"], measured);
        estimate.Count("digits", 100_000, 10_000);
        TimeSpan one = estimate.Epoch(plan[0]);
        Assert.NotEqual(one, estimate.Epoch(plan[2]));
        estimate.Count("digits", 200_000, 20_000);
        Assert.InRange(estimate.Epoch(plan[6]) / one, 1.9, 2.1);
    }

    private static ReproduceOptions Options() => new(5, 2, null, 1, "out");
}
