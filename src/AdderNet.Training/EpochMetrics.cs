using System.Text.Json.Serialization;

namespace AdderNet.Training;

/// <summary>What one epoch reached.</summary>
[JsonConverter(typeof(EpochMetricsConverter))]
public sealed record EpochMetrics
{
    /// <summary>The epoch, from 1.</summary>
    public required int Epoch { get; init; }

    /// <summary>Its learning rate.</summary>
    public required double LearningRate { get; init; }

    /// <summary>What was measured over the training images, each as it was met.</summary>
    public required MetricValues Train { get; init; }

    /// <summary>What was measured over the validation images after the epoch; null where there are none.</summary>
    public MetricValues? Validation { get; init; }

    /// <summary>What was measured over the test images after the epoch; null where there are validation images, which take their place.</summary>
    public MetricValues? Test { get; init; }

    /// <summary>Time spent learning.</summary>
    public required double TrainSeconds { get; init; }

    /// <summary>Time spent measuring.</summary>
    public required double TestSeconds { get; init; }

    /// <summary>Training images a second.</summary>
    public required double ImagesPerSecond { get; init; }

    /// <summary>When the epoch was over.</summary>
    public required DateTimeOffset Finished { get; init; }

    /// <summary>What was measured after the epoch, by which the best one is chosen.</summary>
    public MetricValues Measured => Validation ?? Test!;
}

/// <summary>What a run reached.</summary>
/// <param name="Folder">The run folder.</param>
/// <param name="History">Every completed epoch, in order.</param>
/// <param name="Best">The best epoch by the task's deciding metric; null when none was completed.</param>
/// <param name="Interrupted">Whether the run was stopped before its last epoch; resuming the folder continues it.</param>
public sealed record TrainingResult(string Folder, IReadOnlyList<EpochMetrics> History, EpochMetrics? Best, bool Interrupted)
{
    /// <summary>The last completed epoch; null when none was.</summary>
    public EpochMetrics? Last => History.Count == 0 ? null : History[^1];
}
