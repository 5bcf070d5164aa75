namespace AdderNet.Training;

/// <summary>What one epoch reached. Accuracies are shares from 0 to 1, losses mean cross-entropies.</summary>
/// <param name="Epoch">The epoch, from 1.</param>
/// <param name="LearningRate">Its learning rate.</param>
/// <param name="TrainLoss">Loss over the training images, each as it was met.</param>
/// <param name="TrainTop1">Accuracy over the training images, each as it was met.</param>
/// <param name="TrainTop5">The same, counting a label among the first five guesses.</param>
/// <param name="TestLoss">Loss over the test images after the epoch.</param>
/// <param name="TestTop1">Accuracy over the test images after the epoch.</param>
/// <param name="TestTop5">The same, counting a label among the first five guesses.</param>
/// <param name="TrainSeconds">Time spent learning.</param>
/// <param name="TestSeconds">Time spent measuring.</param>
/// <param name="ImagesPerSecond">Training images a second.</param>
/// <param name="Finished">When the epoch was over.</param>
public sealed record EpochMetrics(
    int Epoch,
    double LearningRate,
    double TrainLoss,
    double TrainTop1,
    double TrainTop5,
    double TestLoss,
    double TestTop1,
    double TestTop5,
    double TrainSeconds,
    double TestSeconds,
    double ImagesPerSecond,
    DateTimeOffset Finished);

/// <summary>What a run reached.</summary>
/// <param name="Folder">The run folder.</param>
/// <param name="History">Every completed epoch, in order.</param>
/// <param name="Best">The epoch with the best test accuracy; null when none was completed.</param>
/// <param name="Interrupted">Whether the run was stopped before its last epoch; resuming the folder continues it.</param>
public sealed record TrainingResult(string Folder, IReadOnlyList<EpochMetrics> History, EpochMetrics? Best, bool Interrupted)
{
    /// <summary>The last completed epoch; null when none was.</summary>
    public EpochMetrics? Last => History.Count == 0 ? null : History[^1];
}
