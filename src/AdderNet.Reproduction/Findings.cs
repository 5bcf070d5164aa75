using AdderNet.Data;
using AdderNet.Training;

namespace AdderNet.Reproduction;

/// <summary>A planned run and how far it has come.</summary>
/// <param name="Plan">The run.</param>
/// <param name="Folder">Its folder.</param>
/// <param name="History">Its completed epochs.</param>
/// <param name="CopiedFrom">The run it was copied from; null where it was trained here.</param>
internal sealed record RunFinding(PlannedRun Plan, string Folder, IReadOnlyList<EpochMetrics> History, string? CopiedFrom = null)
{
    /// <summary>The last completed epoch; null before the first.</summary>
    public EpochMetrics? Last => History.Count == 0 ? null : History[^1];

    /// <summary>Whether its last epoch is done.</summary>
    public bool Complete => History.Count >= Plan.Recipe.Epochs;

    /// <summary>The result: the last epoch of a complete run, never the best one, which the test images would have chosen; else null.</summary>
    public EpochMetrics? Result => Complete ? History[^1] : null;

    /// <summary>What tables say in place of a result that isn't there yet.</summary>
    public Absent Missing => History.Count == 0 ? Absent.NotRunYet : new Absent($"epoch {History.Count} of {Plan.Recipe.Epochs}");

    /// <summary>Time its epochs took.</summary>
    public TimeSpan Time => TimeSpan.FromSeconds(History.Sum(e => e.TrainSeconds + e.TestSeconds));

    /// <summary>The model of its last epoch, of which there must be one, in evaluation mode.</summary>
    public TrainedModel LoadModel()
    {
        DatasetInfo data = Datasets.Find(Plan.Recipe.Dataset);
        return TrainedModel.Load(Folder, CheckpointChoice.Last, Plan.ModuleFor(data.Classes, data.Channels));
    }
}

/// <summary>What an experiment's report is written from.</summary>
/// <param name="Options">How the experiment was asked for.</param>
/// <param name="Runs">The plan's runs, in its order.</param>
/// <param name="Data">The data sets.</param>
/// <param name="Cancel">Cancelled by Ctrl-C.</param>
internal sealed record Findings(
    ReproduceOptions Options, IReadOnlyList<RunFinding> Runs, ExperimentData Data, CancellationToken Cancel);
