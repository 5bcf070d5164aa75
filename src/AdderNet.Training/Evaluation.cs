namespace AdderNet.Training;

/// <summary>What a model reaches on a data set.</summary>
/// <param name="Loss">Mean cross-entropy.</param>
/// <param name="Top1">Share (0 to 1) of the images whose first guess is right.</param>
/// <param name="Top5">Share of the images whose label is among the first five guesses.</param>
/// <param name="Count">Images.</param>
/// <param name="Seconds">Time it took.</param>
public sealed record EvaluationResult(double Loss, double Top1, double Top5, long Count, double Seconds)
{
    /// <summary>Images a second.</summary>
    public double ImagesPerSecond => Seconds > 0 ? Count / Seconds : 0;
}

/// <summary>Measures models.</summary>
public static class Evaluation
{
    // Data types follow: EvaluationResult Run(nn.Module<Tensor, Tensor> model, Loader loader, IProgress<TrainingProgress>? progress, CancellationToken cancel)
}
