using AdderNet.Data;
using AdderNet.Models;
using AdderNet.Training;

namespace AdderNet.Reproduction;

/// <summary>How long runs take on this machine: measured shortly, and better known with every epoch.</summary>
/// <param name="threads">Threads they compute with.</param>
/// <param name="measure">What measures a run in place of training it shortly.</param>
internal sealed class TimeEstimate(int threads, Func<PlannedRun, ImageCost>? measure = null)
{
    /// <summary>ImageNet's images, which an image folder is taken for until it is opened.</summary>
    public const int ImageNetTrain = 1_281_167, ImageNetTest = 50_000;

    /// <summary>Pascal VOC's images, those of 2007 and 2012 for training, which a folder of boxes is taken for until it is opened.</summary>
    public const int VocTrain = 16_551, VocTest = 4_952;

    private readonly Dictionary<object, ImageCost> costs = [];
    private readonly Dictionary<object, EpochMetrics> seen = [];
    private readonly Dictionary<string, (int Train, int Test)> counts = [];

    /// <summary>Measures what hasn't been measured.</summary>
    /// <param name="runs">Runs about whose time something will be asked.</param>
    /// <param name="measuring">Told what is being measured, and which of how many it is.</param>
    /// <param name="cancel">Stops it.</param>
    public void Measure(IEnumerable<PlannedRun> runs, Action<PlannedRun, int, int> measuring, CancellationToken cancel)
    {
        PlannedRun[] unknown = [.. runs.Where(r => !costs.ContainsKey(CostKey(r)) && !seen.ContainsKey(Key(r))).DistinctBy(CostKey)];
        for (int i = 0; i < unknown.Length; i++)
        {
            cancel.ThrowIfCancellationRequested();
            measuring(unknown[i], i + 1, unknown.Length);
            costs.Add(CostKey(unknown[i]), measure?.Invoke(unknown[i]) ?? ImageCost.Measure(unknown[i], threads, cancel));
        }
    }

    /// <summary>Notes how many images a data set really has.</summary>
    public void Count(string dataset, int train, int test) => counts[dataset] = (train, test);

    /// <summary>Notes how long an epoch of a run took.</summary>
    public void Observe(PlannedRun run, EpochMetrics epoch) => seen[Key(run)] = epoch;

    /// <summary>What an image costs in a run that was measured or observed.</summary>
    public ImageCost Cost(PlannedRun run) => seen.TryGetValue(Key(run), out EpochMetrics? epoch)
        ? new ImageCost(1 / epoch.ImagesPerSecond, epoch.TestSeconds / Counts(run).Test)
        : costs[CostKey(run)];

    /// <summary>The time of one epoch of a run that was measured or observed.</summary>
    public TimeSpan Epoch(PlannedRun run) => seen.TryGetValue(Key(run), out EpochMetrics? epoch)
        ? TimeSpan.FromSeconds(epoch.TrainSeconds + epoch.TestSeconds)
        : Cost(run).Epoch(run.Recipe, Counts(run).Train, Counts(run).Test);

    /// <summary>The time of the epochs of a run that are still to do.</summary>
    public TimeSpan Left(PlannedRun run, int epochsDone) => Epoch(run) * Math.Max(0, run.Recipe.Epochs - epochsDone);

    private (int Train, int Test) Counts(PlannedRun run)
    {
        if (counts.TryGetValue(run.Recipe.Dataset, out var known))
        {
            return known;
        }

        DatasetInfo info = Datasets.Find(run.Recipe.Dataset);
        return info.TrainCount > 0 ? (info.TrainCount, info.TestCount)
            : info.HasBoxes ? (VocTrain, VocTest)
            : (ImageNetTrain, ImageNetTest);
    }

    // What decides the cost of an image: not the data set, whose number of classes hardly matters, but the size of its images; and not
    // what a detector's backbone starts from.
    private static object CostKey(PlannedRun run)
    {
        DatasetInfo info = Datasets.Find(run.Recipe.Dataset);
        Recipe recipe = run.Recipe;
        return (
            recipe.Model, recipe.Layers, recipe.WeightGradient, recipe.InputGradient, info.Channels, info.Height,
            recipe.Detection is { } detection ? detection with { Backbone = null } : null, run.Model is null ? "" : run.Label);
    }

    private static object Key(PlannedRun run) => (CostKey(run), run.Recipe.Dataset);
}
