using AdderNet.Training;

namespace AdderNet.Reproduction.Tests;

public class TimeEstimateTests
{
    private static readonly PlannedRun[] Runs =
        [.. Experiments.All.Single(e => e.Name == "mnist").Plan(new ReproduceOptions(10, 2, null, 1, ""))];

    [Fact]
    public void Time_is_proportional_to_images_and_epochs_and_each_network_is_measured_once()
    {
        TimeEstimate estimate = new(threads: 1);
        List<string> measured = [];
        estimate.Measure(Runs, (run, _, _) => measured.Add(run.Name), default);
        estimate.Measure(Runs, (run, _, _) => measured.Add(run.Name), default);
        Assert.Equal(["lenet5-bn-adder-seed1", "lenet5-bn-cnn-seed1"], measured);

        estimate.Count("mnist", 1000, 100);
        TimeSpan ten = estimate.Left(Runs[0], 0);
        Assert.True(ten > TimeSpan.Zero);
        Assert.Equal(ten.TotalSeconds / 2, estimate.Left(Runs[0], 5).TotalSeconds, 1e-3);
        Assert.Equal(ten, estimate.Left(Runs[2], 0));
        estimate.Count("mnist", 4000, 400);
        Assert.Equal(4 * ten.TotalSeconds, estimate.Left(Runs[0], 0).TotalSeconds, 1e-3);
    }

    [Fact]
    public void An_epoch_that_was_seen_counts_instead_of_a_measurement()
    {
        TimeEstimate estimate = new(threads: 1);
        Array.ForEach(Runs, run => estimate.Observe(run, Epochs.Of(1, trainLoss: 1, testLoss: 1, testTop1: 1) with { TrainSeconds = 7, TestSeconds = 3 }));
        estimate.Measure(Runs, (run, _, _) => Assert.Fail($"{run.Name} was measured."), default);
        Assert.Equal(TimeSpan.FromSeconds(100), estimate.Left(Runs[0], 0));
        Assert.Equal(TimeSpan.FromSeconds(20), estimate.Left(Runs[1], 8));
    }
}
