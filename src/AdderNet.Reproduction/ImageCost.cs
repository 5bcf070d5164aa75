using System.Diagnostics;
using AdderNet.Data;
using AdderNet.Graph;
using AdderNet.Models;
using AdderNet.Training;
using static TorchSharp.torch;

namespace AdderNet.Reproduction;

/// <summary>What one image costs, in seconds.</summary>
/// <param name="Train">Learning from it.</param>
/// <param name="Test">Measuring with it.</param>
internal sealed record ImageCost(double Train, double Test)
{
    private const int Batches = 12;

    private static readonly TimeSpan LongEnough = TimeSpan.FromSeconds(0.8);

    /// <summary>Trains for a second or two on noise of the data set's shape, in a folder that is gone afterwards.</summary>
    /// <param name="run">What is trained. Large batches are cut: an image costs about the same in smaller ones.</param>
    /// <param name="threads">Threads to compute with.</param>
    /// <param name="cancel">Stops it.</param>
    public static ImageCost Measure(PlannedRun run, int threads, CancellationToken cancel)
    {
        DatasetInfo info = Noise(run.Recipe);
        int batch = BatchSize(run, info);
        Recipe recipe = run.Recipe with { Epochs = 1, WarmupEpochs = 0, BatchSize = batch, MicroBatches = 1, LearningRate = 1e-6 };
        string temporary = Path.Combine(Path.GetTempPath(), $"addernet-{Guid.NewGuid():N}");
        try
        {
            using RunFolder folder = RunFolder.Create(temporary, recipe, new RunOptions { Threads = threads });
            Dataset images = Images(info, batch * Batches);
            using Trainer trainer = new(folder, images, images, run.ModuleFor(info.Classes, info.Channels));
            using CancellationTokenSource enough = CancellationTokenSource.CreateLinkedTokenSource(cancel);
            StepClock clock = new(enough);
            trainer.Run(clock, enough.Token);
            cancel.ThrowIfCancellationRequested();
            using DataLoader loader = new(Images(info, 2 * batch), recipe.WithAugmentation().TestAugmentation!, batch, shuffle: false, seed: 0);
            EvaluationResult test = Evaluation.Run((nn.Module<Tensor, Tensor>)trainer.Model, loader, null, cancel);
            return new ImageCost(clock.SecondsPerBatch / batch, test.Seconds / test.Count);
        }
        finally
        {
            if (Directory.Exists(temporary))
            {
                Directory.Delete(temporary, recursive: true);
            }
        }
    }

    /// <summary>As many images as a fraction of a second is enough for; small batches of small networks would mostly measure overhead.</summary>
    private static int BatchSize(PlannedRun run, DatasetInfo info)
    {
        const double operations = 4e9;
        double each = OperationCounts.Of(AdderNetModels.Graph(run.Recipe.Model, LayerKind.Conv, info.Classes, info.Channels).Nodes).Multiplications;
        return (int)Math.Clamp(operations / each, Math.Min(2, run.Recipe.BatchSize), run.Recipe.BatchSize);
    }

    private static DatasetInfo Noise(Recipe recipe)
    {
        DatasetInfo info = Datasets.Find(recipe.Dataset);
        return info.Height > 0 ? info : info with { Height = 256, Width = 256, ClassNames = [.. Enumerable.Range(0, 1000).Select(i => $"{i}")] };
    }

    private static Dataset Images(DatasetInfo info, int count)
    {
        byte[] pixels = new byte[count * info.Height * info.Width * info.Channels];
        Random random = new(1);
        random.NextBytes(pixels);
        return Dataset.FromMemory(info, pixels, [.. Enumerable.Range(0, count).Select(_ => random.Next(info.Classes))]);
    }

    /// <summary>Takes the time of every batch but the first, which also allocates, and stops the run when it has seen enough.</summary>
    private sealed class StepClock(CancellationTokenSource enough) : IProgress<TrainingProgress>
    {
        private readonly Stopwatch watch = new();

        public double SecondsPerBatch { get; private set; }

        public void Report(TrainingProgress p)
        {
            if (p.Batch > 1)
            {
                SecondsPerBatch = watch.Elapsed.TotalSeconds / (p.Batch - 1);
            }
            else
            {
                watch.Restart();
            }

            if (p.Phase == TrainingPhase.Train && p.Batch > 1 && (watch.Elapsed >= LongEnough || p.Batch == p.Batches))
            {
                enough.Cancel();
            }
        }
    }
}
