using System.Diagnostics;
using AdderNet.Data;
using AdderNet.Models;
using TorchSharp;
using static TorchSharp.torch;

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

/// <summary>How far an evaluation has come; reported after each batch.</summary>
/// <param name="Batch">Batches that are done.</param>
/// <param name="Batches">Batches there are.</param>
/// <param name="SoFar">The result over these batches.</param>
public sealed record EvaluationProgress(int Batch, int Batches, EvaluationResult SoFar);

/// <summary>Measures models.</summary>
public static class Evaluation
{
    /// <summary>Runs every image through the model, in evaluation mode and without gradients.</summary>
    /// <param name="model">Images [N, C, H, W] to logits [N, classes]; its mode is restored afterwards.</param>
    /// <param name="loader">The images, unshuffled or not.</param>
    /// <param name="progress">Told after each batch, on the calling thread.</param>
    /// <param name="cancel">Stops after the batch in flight.</param>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    /// <exception cref="DataException">An image can't be read.</exception>
    /// <exception cref="TrainingException">The model has fewer outputs than the data has classes.</exception>
    public static EvaluationResult Run(
        nn.Module<Tensor, Tensor> model, DataLoader loader, IProgress<EvaluationProgress>? progress = null, CancellationToken cancel = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(loader);
        return Run(model, loader, fuse: true, progress, cancel);
    }

    /// <summary>As above; unfused, it passes through the model's own modules and their hooks, and takes longer.</summary>
    internal static EvaluationResult Run(
        nn.Module<Tensor, Tensor> model, DataLoader loader, bool fuse, IProgress<EvaluationProgress>? progress, CancellationToken cancel)
    {
        bool training = model.training;
        model.eval();
        try
        {
            using var guard = no_grad();
            using nn.Module<Tensor, Tensor>? fused = fuse ? FusedModel.Fuse(model) : null;
            ClassificationMeter meter = new();
            Stopwatch watch = Stopwatch.StartNew();
            int done = 0;
            foreach (Batch batch in loader.Epoch(0, cancel))
            {
                using (batch)
                {
                    using var scope = NewDisposeScope();
                    Tensor labels = batch.LabelTensor(), logits = (fused ?? model).call(batch.ImageTensor());
                    batch.CheckLabels(logits, batch.Count);
                    meter.Add(nn.functional.cross_entropy(logits, labels).item<float>(), logits, labels);
                }

                BatchTensors.ReleaseLeftovers();
                progress?.Report(new EvaluationProgress(++done, loader.BatchCount, meter.Result(watch.Elapsed)));
                cancel.ThrowIfCancellationRequested();
            }

            return meter.Result(watch.Elapsed);
        }
        finally
        {
            model.train(training);
        }
    }
}
