using System.Diagnostics;
using AdderNet.Data;
using AdderNet.Distributed;
using static TorchSharp.torch;

namespace AdderNet.Training;

/// <summary>What a model reaches on a data set.</summary>
/// <param name="Values">What was measured.</param>
/// <param name="Count">Images.</param>
/// <param name="Seconds">Time it took.</param>
public sealed record EvaluationResult(MetricValues Values, long Count, double Seconds)
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
    /// <summary>Runs every image through a classifier, in evaluation mode and without gradients.</summary>
    /// <param name="model">Images [N, C, H, W] to logits [N, classes]; the mode of each of its modules is restored afterwards.</param>
    /// <param name="loader">The images, unshuffled or not.</param>
    /// <param name="progress">Told after each batch, on the calling thread.</param>
    /// <param name="ranks">The processes that share out the loader's images, which has the <see cref="Shard"/> of this one; all get the result
    /// over all images. Null for a process on its own.</param>
    /// <param name="cancel">Stops after the batch in flight.</param>
    /// <returns>Loss, top-1 and top-5 accuracy.</returns>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    /// <exception cref="PeerException">Another process failed.</exception>
    /// <exception cref="DataException">An image can't be read.</exception>
    /// <exception cref="TrainingException">The model has fewer outputs than the data has classes.</exception>
    public static EvaluationResult Run(
        nn.Module<Tensor, Tensor> model, DataLoader loader, IProgress<EvaluationProgress>? progress = null, Communicator? ranks = null,
        CancellationToken cancel = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(loader);
        return Run(
            [model], () => new ClassificationPass(model, loader, epoch: 0, useEngine: true, cancel),
            (done, soFar) => progress?.Report(new EvaluationProgress(done, loader.BatchCount, soFar)), ranks ?? Communicator.Alone, cancel);
    }

    /// <summary>Goes through a pass in evaluation mode and without gradients.</summary>
    /// <param name="modules">Whose modules are put into evaluation mode, and afterwards each into the one it was in.</param>
    /// <param name="begin">Begins the pass, when they are.</param>
    /// <param name="report">Told after each batch: how many are done, and the result so far.</param>
    /// <param name="ranks">The processes that share out the images: they give the result over all of them.</param>
    /// <param name="cancel">Stops after the batch in flight.</param>
    internal static EvaluationResult Run(
        IEnumerable<nn.Module> modules, Func<ITaskPass> begin, Action<int, EvaluationResult> report, Communicator ranks, CancellationToken cancel)
    {
        ModuleModes modes = ModuleModes.Evaluate(modules);
        try
        {
            using var guard = no_grad();
            using ITaskPass pass = ranks.Agree(begin);
            Stopwatch watch = Stopwatch.StartNew();
            ranks.Agree(() => Measure(pass, watch));
            pass.Combine(ranks);
            return new EvaluationResult(pass.Values, pass.Count, watch.Elapsed.TotalSeconds);
        }
        finally
        {
            modes.Restore();
        }

        void Measure(ITaskPass pass, Stopwatch watch)
        {
            int done = 0;
            foreach (ITaskBatch batch in pass.Batches)
            {
                using (batch)
                {
                    // A small last batch may have nothing for some processes.
                    if (batch.Count > 0)
                    {
                        batch.Measure();
                    }
                }

                BatchTensors.ReleaseLeftovers();
                report(++done, new EvaluationResult(pass.Values, pass.Count * ranks.Size, watch.Elapsed.TotalSeconds));
                cancel.ThrowIfCancellationRequested();
            }
        }
    }
}
