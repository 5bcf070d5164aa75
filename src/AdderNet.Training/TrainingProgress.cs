namespace AdderNet.Training;

/// <summary>What a trainer is doing.</summary>
public enum TrainingPhase
{
    /// <summary>Learning from the training images.</summary>
    Train,

    /// <summary>Measuring on images it doesn't learn from.</summary>
    Test,
}

/// <summary>How far a run has come; reported after each batch, and once more when an epoch has been saved.</summary>
public sealed record TrainingProgress
{
    /// <summary>The epoch in flight, from 1.</summary>
    public required int Epoch { get; init; }

    /// <summary>Epochs of the whole run.</summary>
    public required int Epochs { get; init; }

    /// <summary>Whether the epoch is learning or being measured.</summary>
    public required TrainingPhase Phase { get; init; }

    /// <summary>Batches of the phase that are done.</summary>
    public required int Batch { get; init; }

    /// <summary>Batches of the phase.</summary>
    public required int Batches { get; init; }

    /// <summary>Images a second in this phase so far.</summary>
    public required double ImagesPerSecond { get; init; }

    /// <summary>Time the rest of the run will take at the pace so far; null until that can be told.</summary>
    public TimeSpan? TimeLeft { get; init; }

    /// <summary>What was measured in the phase so far.</summary>
    public required MetricValues Values { get; init; }

    /// <summary>The learning rate of this epoch.</summary>
    public required double LearningRate { get; init; }

    /// <summary>Something that a user should know of the model, in a sentence; told once.</summary>
    public string? Notice { get; init; }

    /// <summary>The results of the epoch, when this report ends it; its checkpoint is then safely on the disk.</summary>
    public EpochMetrics? Completed { get; init; }

    /// <summary>Whether the epoch just completed is the best so far.</summary>
    public bool IsBest { get; init; }
}
