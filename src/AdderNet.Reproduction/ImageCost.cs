using System.Diagnostics;
using AdderNet.Data;
using AdderNet.Data.Detection;
using AdderNet.Graph;
using AdderNet.Models;
using AdderNet.Training;
using AdderNet.Training.Detection;
using static TorchSharp.torch;

namespace AdderNet.Reproduction;

/// <summary>What one image costs, in seconds.</summary>
/// <param name="Train">Learning from it.</param>
/// <param name="Test">Measuring with it.</param>
internal sealed record ImageCost(double Train, double Test)
{
    private const int Batches = 12;

    private static readonly TimeSpan LongEnough = TimeSpan.FromSeconds(0.8);

    /// <summary>The time of an epoch.</summary>
    /// <param name="recipe">What is trained.</param>
    /// <param name="train">Images to learn from.</param>
    /// <param name="test">Images to measure with.</param>
    public TimeSpan Epoch(Recipe recipe, int train, int test)
    {
        // BatchNorm's statistics are averaged in forward passes, each about a third of a training step.
        double averaged = Math.Min((long)recipe.BatchNormBatches * recipe.BatchSize, train) / 3.0;
        return TimeSpan.FromSeconds((train + averaged) * Train + test * Test);
    }

    /// <summary>Trains for a second or two on noise of the data set's shape, in a folder that is gone afterwards.</summary>
    /// <param name="run">What is trained. Large batches are cut: an image costs about the same in smaller ones.</param>
    /// <param name="threads">Threads to compute with.</param>
    /// <param name="cancel">Stops it.</param>
    public static ImageCost Measure(PlannedRun run, int threads, CancellationToken cancel)
    {
        DatasetInfo info = Noise(run.Recipe);
        if (info.HasBoxes)
        {
            return Measure(run.Recipe, Scenes(info, Batches * run.Recipe.BatchSize), threads, cancel);
        }

        int batch = BatchSize(run.Recipe, AdderNetModels.Graph(run.Recipe.Model, LayerKind.Conv, info.Classes, info.Channels), scale: 1);
        Dataset images = Images(info, batch * Batches);
        return Measure(
            run.Recipe, batch, threads,
            folder => new Trainer(folder, images, images, run.ModuleFor(info.Classes, info.Channels)),
            model =>
            {
                using DataLoader loader = new(
                    Images(info, 2 * batch), run.Recipe.WithAugmentation().TestAugmentation!, batch, shuffle: false, seed: 0);
                return Evaluation.Run(model, loader, cancel: cancel).Seconds / loader.ItemCount;
            },
            cancel);
    }

    /// <summary>Trains a detector for some steps on images of one's own, in a folder that is gone afterwards.</summary>
    /// <param name="recipe">What is trained. Large batches are cut.</param>
    /// <param name="data">The images, which are read as in training.</param>
    /// <param name="threads">Threads to compute with.</param>
    /// <param name="cancel">Stops it.</param>
    public static ImageCost Measure(Recipe recipe, DetectionSplits data, int threads, CancellationToken cancel)
    {
        recipe = recipe.WithAugmentation() with { Detection = (recipe.Detection ?? new()) with { Backbone = null } };
        ModelInfo info = DetectionModels.Find(recipe.Model);
        double side = (recipe.TrainAugmentation!.ScaleJitter?.Size ?? info.InputSize) / (double)info.InputSize;
        int batch = BatchSize(
            recipe, DetectionModels.Graph(info.Name, LayerKind.Conv, data.Train.ClassNames.Count, data.Train.Info.Channels), side * side);
        return Measure(
            recipe, batch, threads, folder => new Trainer(folder, data),
            model =>
            {
                DetectionDataset few = data.Measured.Take(2 * batch).WithClasses(data.Train.ClassNames);
                using DetectionLoader loader = new(few, recipe.TestAugmentation!, batch, shuffle: false, seed: 0);
                return DetectionEvaluation.Run(model, info.Levels, loader, cancel: cancel).Seconds / loader.ItemCount;
            },
            cancel);
    }

    private static ImageCost Measure(
        Recipe recipe, int batch, int threads, Func<RunFolder, Trainer> make, Func<nn.Module<Tensor, Tensor>, double> test,
        CancellationToken cancel)
    {
        recipe = recipe with { Epochs = 1, WarmupEpochs = 0, BatchSize = batch, MicroBatches = 1, LearningRate = 1e-6 };
        string temporary = Path.Combine(Path.GetTempPath(), $"addernet-{Guid.NewGuid():N}");
        try
        {
            using RunFolder folder = RunFolder.Create(temporary, recipe, new RunOptions { Threads = threads });
            using Trainer trainer = make(folder);
            using CancellationTokenSource enough = CancellationTokenSource.CreateLinkedTokenSource(cancel);
            StepClock clock = new(batch, enough);
            trainer.Run(clock, enough.Token);
            cancel.ThrowIfCancellationRequested();
            return new ImageCost(clock.SecondsPerImage, test((nn.Module<Tensor, Tensor>)trainer.Model));
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
    /// <param name="recipe">What is trained.</param>
    /// <param name="network">Its network, of convolutions.</param>
    /// <param name="scale">Pixels of an image for one of the network's usual size.</param>
    private static int BatchSize(Recipe recipe, NetworkGraph network, double scale)
    {
        const double operations = 4e9;
        double each = OperationCounts.Of(network.Nodes).Multiplications * scale;
        return (int)Math.Clamp(operations / each, Math.Min(2, recipe.BatchSize), recipe.BatchSize);
    }

    // Where the images differ in size, they are taken for ImageNet's, or for Pascal VOC's.
    private static DatasetInfo Noise(Recipe recipe)
    {
        DatasetInfo info = Datasets.Find(recipe.Dataset);
        (int height, int width, int classes) = info.HasBoxes ? (375, 500, 20) : (256, 256, 1000);
        return info.Height > 0 ? info
            : info with { Height = height, Width = width, ClassNames = [.. Enumerable.Range(0, classes).Select(i => $"{i}")] };
    }

    private static Dataset Images(DatasetInfo info, int count)
    {
        byte[] pixels = new byte[count * info.Height * info.Width * info.Channels];
        Random random = new(1);
        random.NextBytes(pixels);
        return Dataset.FromMemory(info, pixels, [.. Enumerable.Range(0, count).Select(_ => random.Next(info.Classes))]);
    }

    private static DetectionSplits Scenes(DatasetInfo info, int count)
    {
        const int objects = 3;
        byte[] pixels = new byte[info.Height * info.Width * info.Channels];
        Random random = new(1);
        random.NextBytes(pixels);
        RawImage image = new(info.Height, info.Width, info.Channels, pixels);
        LabelledImage[] labels =
        [
            .. Enumerable.Range(0, count).Select(i => new LabelledImage($"{i}", info.Width, info.Height, [.. Objects()])),
        ];
        DetectionDataset scenes = new(info, labels, (_, _) => image);
        return new DetectionSplits(scenes, scenes, null, []);

        IEnumerable<LabelledBox> Objects() =>
            Enumerable.Range(0, objects).Select(_ => new LabelledBox(random.Next(info.Classes), Somewhere()));

        Box Somewhere()
        {
            (int width, int height) = (info.Width / 4, info.Height / 4);
            (int x, int y) = (random.Next(info.Width - width), random.Next(info.Height - height));
            return new Box(x, y, x + width, y + height);
        }
    }

    /// <summary>Takes the time of every batch but the first, which also allocates, and stops the run when it has seen enough.</summary>
    private sealed class StepClock(int batch, CancellationTokenSource enough) : IProgress<TrainingProgress>
    {
        private readonly Stopwatch watch = new();

        public double SecondsPerImage { get; private set; }

        public void Report(TrainingProgress p)
        {
            if (p.Phase != TrainingPhase.Train)
            {
                return;
            }

            if (p.Batch == 1)
            {
                // Where it is the only one, it tells at least something.
                SecondsPerImage = 1 / p.ImagesPerSecond;
                watch.Restart();
            }
            else
            {
                SecondsPerImage = watch.Elapsed.TotalSeconds / (p.Batch - 1) / batch;
            }

            if (p.Batch == p.Batches || (p.Batch > 1 && watch.Elapsed >= LongEnough))
            {
                enough.Cancel();
            }
        }
    }
}
