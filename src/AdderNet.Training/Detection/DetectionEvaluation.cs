using AdderNet.Data.Detection;
using AdderNet.Distributed;
using AdderNet.Models;
using static TorchSharp.torch;

namespace AdderNet.Training.Detection;

/// <summary>What a detector reaches on a data set.</summary>
/// <param name="Meter">What was collected, for curves.</param>
/// <param name="Scores">All that is measured.</param>
/// <param name="Found">What was found in each image of the data set, in pixels of the stored image.</param>
/// <param name="Seconds">Time it took.</param>
public sealed record DetectionEvaluationResult(
    DetectionMeter Meter, DetectionScores Scores, IReadOnlyList<IReadOnlyList<FoundBox>> Found, double Seconds)
{
    /// <summary>Images a second.</summary>
    public double ImagesPerSecond => Seconds > 0 ? Found.Count / Seconds : 0;

    /// <summary>The two values that decide, as what any task gives; 0 where there is nothing to find.</summary>
    public EvaluationResult ToResult() => new(
        new MetricValues((DetectionMetrics.Map50Name, Scores.All.Map50 ?? 0), (DetectionMetrics.MapName, Scores.All.Map ?? 0)), Found.Count, Seconds);
}

/// <summary>Measures detectors.</summary>
public static class DetectionEvaluation
{
    /// <summary>Runs every image through a detector, in evaluation mode and without gradients.</summary>
    /// <param name="model">A model of <see cref="DetectionModels"/>; the mode of each of its modules is restored afterwards.</param>
    /// <param name="levels">Its maps.</param>
    /// <param name="loader">The images, with the model's classes.</param>
    /// <param name="progress">Told after each batch, on the calling thread: how many there are done.</param>
    /// <param name="ranks">The processes that share out the loader's images, which has the <see cref="Data.Shard"/> of this one; all get the result
    /// over all images. Null for a process on its own.</param>
    /// <param name="cancel">Stops after the batch in flight.</param>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    /// <exception cref="Data.DataException">An image can't be read.</exception>
    /// <exception cref="PeerException">Another process failed.</exception>
    /// <exception cref="TrainingException">The model does not fit the images or the classes.</exception>
    public static DetectionEvaluationResult Run(
        nn.Module<Tensor, Tensor> model, IReadOnlyList<DetectionLevel> levels, DetectionLoader loader, IProgress<int>? progress = null,
        Communicator? ranks = null, CancellationToken cancel = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(loader);
        var found = new IReadOnlyList<FoundBox>[loader.Dataset.Count];
        DetectionPass? pass = null;
        EvaluationResult result = Evaluation.Run(
            [model],
            () => pass = new DetectionPass(model, levels, loader, epoch: 0, useEngine: true, (i, boxes) => found[i] = boxes, cancel),
            (done, _) => progress?.Report(done), ranks ?? Communicator.Alone, cancel);
        return new DetectionEvaluationResult(pass!.Meter, pass.Meter.Scores(), found, result.Seconds);
    }
}
