using AdderNet.Checkpoints;
using AdderNet.Data;
using AdderNet.Kernels;
using AdderNet.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace AdderNet.Training;

/// <summary>
/// Trains a model as a run folder's recipe says, from the last completed epoch to the end, in the same bits as if it had never stopped.
/// </summary>
/// <remarks>It sets the number of threads and seeds TorchSharp's random generator, which belong to the whole process: train one model at a time.</remarks>
/// <example><code>
/// using RunFolder folder = RunFolder.Create("runs/first", Recipe.For("lenet5-bn", "mnist"));
/// using Trainer trainer = new(folder, Datasets.Open("mnist", train: true), Datasets.Open("mnist", train: false));
/// TrainingResult result = trainer.Run();
/// </code></example>
public sealed class Trainer : IDisposable
{
    private readonly RunFolder folder;
    private readonly Recipe recipe;
    private readonly DataLoader train, test;
    private readonly IReadOnlyList<string> classNames;
    private readonly MomentumSgd optimizer;
    private readonly LearningRateScaling scaling;
    private readonly ActivationWatch? watch;
    private int started;

    /// <summary>Builds the model, or loads it from the folder's last checkpoint.</summary>
    /// <param name="folder">The run; it stays open and its own.</param>
    /// <param name="trainData">Images to learn from.</param>
    /// <param name="testData">Images to measure with after each epoch.</param>
    /// <param name="model">Makes your own module from [N, C, H, W] to [N, classes], after the random generator was seeded; null makes the
    /// recipe's model. The trainer disposes it.</param>
    /// <exception cref="TrainingException">The checkpoint is damaged or of another model.</exception>
    /// <exception cref="DataException">The recipe's augmentation does not fit the images.</exception>
    /// <exception cref="ArgumentException">There is no model of the recipe's name.</exception>
    public Trainer(RunFolder folder, Dataset trainData, Dataset testData, Func<nn.Module<Tensor, Tensor>>? model = null)
    {
        ArgumentNullException.ThrowIfNull(folder);
        ArgumentNullException.ThrowIfNull(trainData);
        ArgumentNullException.ThrowIfNull(testData);
        this.folder = folder;
        recipe = folder.Recipe.WithAugmentation();
        classNames = trainData.ClassNames;
        int threads = folder.Options.Threads > 0 ? folder.Options.Threads : Environment.ProcessorCount;
        KernelThreads.Count = threads;
        set_num_threads(threads);
        // One loader thread keeps several compute threads fed; what it prepares does not depend on their number.
        int loaders = Math.Clamp(threads / 4, 1, 8);
        train = new DataLoader(trainData, recipe.TrainAugmentation!, recipe.BatchSize, shuffle: true, unchecked((ulong)recipe.Seed), loaders);
        test = new DataLoader(testData, recipe.TestAugmentation!, recipe.BatchSize, shuffle: false, 0, loaders);
        scaling = recipe.CreateScaling();

        random.manual_seed(recipe.Seed);
        Model = model?.Invoke() ?? AdderNetModels.Create(
            recipe.Model, recipe.Layers, classNames.Count, trainData.Info.Channels, recipe.WeightGradient);
        try
        {
            optimizer = new MomentumSgd(Model, recipe);
            Load();
            watch = folder.Options.DetectAnomaly ? new ActivationWatch(Model) : null;
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>The model in its present state; it belongs to the trainer.</summary>
    public nn.Module<Tensor, Tensor> Model { get; }

    /// <summary>
    /// Trains until the last epoch or until cancelled. After each epoch its checkpoint is on the disk; cancelling stops after the batch
    /// in flight, and the epoch in flight is lost.
    /// </summary>
    /// <param name="progress">Told after each batch, on the calling thread.</param>
    /// <param name="cancel">Stops the run; the result then says so, and the trainer has to be made anew from the folder to go on.</param>
    /// <exception cref="TrainingException">The loss is no longer a number, or the run folder can't be written; its last checkpoint stays
    /// whole.</exception>
    /// <exception cref="DataException">An image can't be read.</exception>
    /// <exception cref="InvalidOperationException">It was called before: make a new trainer from the folder.</exception>
    public TrainingResult Run(IProgress<TrainingProgress>? progress = null, CancellationToken cancel = default)
    {
        // An interrupted epoch has changed the model already, and the folder's checkpoint is what must go on.
        if (Interlocked.Exchange(ref started, 1) != 0)
        {
            throw new InvalidOperationException("A trainer runs once; make a new one from the run folder.");
        }

        try
        {
            MetricsFiles.Write(folder.Path, folder.History, folder.Checkpoints.WriteFile);
            using TensorBoardLog log = new(folder.Path, folder.History);
            Pace pace = new(recipe.Epochs, train.BatchCount, test.BatchCount);
            for (int epoch = folder.History.Count + 1; epoch <= recipe.Epochs; epoch++)
            {
                EpochMetrics metrics = RunEpoch(epoch, pace, progress, cancel);
                bool best = Save(metrics);
                MetricsFiles.Write(folder.Path, folder.History, folder.Checkpoints.WriteFile);
                log.Add(metrics);
                progress?.Report(new TrainingProgress
                {
                    Epoch = epoch,
                    Epochs = recipe.Epochs,
                    Phase = TrainingPhase.Test,
                    Batch = test.BatchCount,
                    Batches = test.BatchCount,
                    ImagesPerSecond = test.ItemCount / Math.Max(metrics.TestSeconds, 1e-9),
                    TimeLeft = pace.TimeLeft(epoch, TrainingPhase.Test, test.BatchCount),
                    Loss = metrics.TestLoss,
                    Top1 = metrics.TestTop1,
                    LearningRate = metrics.LearningRate,
                    Completed = metrics,
                    IsBest = best,
                });
            }

            return Result(interrupted: false);
        }
        catch (OperationCanceledException) when (cancel.IsCancellationRequested)
        {
            return Result(interrupted: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new TrainingException($"{e.Message.TrimEnd('.')}. {WhatIsSafe}", e);
        }
        catch (System.Runtime.InteropServices.ExternalException e)
        {
            // What libtorch refuses, most often memory; its message goes on with a native stack trace.
            throw new TrainingException($"libtorch failed: {e.Message.Split('\n')[0].TrimEnd('.')}. {WhatIsSafe}", e);
        }
    }

    /// <summary>Frees the memory of model and optimizer.</summary>
    public void Dispose()
    {
        watch?.Dispose();
        optimizer?.Dispose();
        Model?.Dispose();
        train?.Dispose();
        test?.Dispose();
    }

    private string WhatIsSafe => folder.History.Count == 0
        ? $"No epoch of {folder.Path} was complete yet."
        : $"The checkpoint of epoch {folder.History.Count} in {folder.Path} is whole; continue from it with --resume {folder.Path}.";

    private TrainingResult Result(bool interrupted) =>
        new(folder.Path, [.. folder.History], folder.Checkpoints.Index?.Best, interrupted);

    private EpochMetrics RunEpoch(int epoch, Pace pace, IProgress<TrainingProgress>? progress, CancellationToken cancel)
    {
        // Whatever else a model draws, dropout for example, depends on the epoch alone, too, so that resuming repeats it.
        random.manual_seed(unchecked(recipe.Seed * 1_000_003 + epoch));
        double learningRate = recipe.LearningRateAt((long)(epoch - 1) * train.BatchCount, train.BatchCount);
        ClassificationMeter meter = new();
        Model.train();
        pace.Begin();
        int done = 0;
        foreach (Batch batch in train.Epoch(epoch, cancel))
        {
            using (batch)
            {
                double rate = recipe.LearningRateAt((long)(epoch - 1) * train.BatchCount + done, train.BatchCount);
                if (batch.Count > 1 || train.BatchCount == 1)
                {
                    Step(batch, rate, meter, $"epoch {epoch}, batch {done + 1} of {train.BatchCount}");
                }

                Report(TrainingPhase.Train, ++done, train.BatchCount, meter.Result(pace.Elapsed), rate);
            }

            BatchTensors.ReleaseLeftovers();
            cancel.ThrowIfCancellationRequested();
        }

        EvaluationResult learned = meter.Result(pace.Elapsed);
        pace.Begin();
        EvaluationResult measured = Evaluation.Run(
            Model, test, fuse: watch is null, new Relay(p => Report(TrainingPhase.Test, p.Batch, p.Batches, p.SoFar, learningRate)), cancel);
        if (!double.IsFinite(measured.Loss) || watch?.FirstBroken is not null)
        {
            using ActivationWatch again = new(Model);
            Evaluation.Run(Model, test, fuse: false, null, cancel);
            throw Broken($"Tested after epoch {epoch}, the loss is {measured.Loss}", learningRate, again.FirstBroken);
        }

        return new EpochMetrics(
            epoch, learningRate, learned.Loss, learned.Top1, learned.Top5, measured.Loss, measured.Top1, measured.Top5,
            learned.Seconds, measured.Seconds, learned.ImagesPerSecond, DateTimeOffset.UtcNow);

        void Report(TrainingPhase phase, int batch, int batches, EvaluationResult soFar, double rate) => progress?.Report(new TrainingProgress
        {
            Epoch = epoch,
            Epochs = recipe.Epochs,
            Phase = phase,
            Batch = batch,
            Batches = batches,
            ImagesPerSecond = soFar.ImagesPerSecond,
            TimeLeft = pace.TimeLeft(epoch, phase, batch),
            Loss = soFar.Loss,
            Top1 = soFar.Top1,
            LearningRate = rate,
        });
    }

    private void Step(Batch batch, double learningRate, ClassificationMeter meter, string place)
    {
        using var scope = NewDisposeScope();
        Tensor images = batch.ImageTensor(), labels = batch.LabelTensor();
        Model.zero_grad(true);
        // A last batch may have few images, and BatchNorm needs two in each piece.
        int pieces = Math.Clamp(batch.Count / 2, 1, recipe.MicroBatches);
        long start = 0;
        for (int piece = 0; piece < pieces; piece++)
        {
            long end = (long)batch.Count * (piece + 1) / pieces;
            AddGradient(images.narrow(0, start, end - start), labels.narrow(0, start, end - start));
            start = end;
        }

        if (watch is not null && NumericalGuard.BrokenGradient(Model) is { } gradient)
        {
            throw Broken($"In {place}, the gradient of '{gradient}' holds NaN or infinity", learningRate, null);
        }

        if (recipe.GradientCentralization)
        {
            GradientCentralization.Apply(Model);
        }

        scaling.Apply(Model);
        optimizer.Step(learningRate);

        void AddGradient(Tensor x, Tensor y)
        {
            using var pieceScope = NewDisposeScope();
            Tensor logits = Model.call(x);
            if (watch?.FirstBroken is { } activation)
            {
                throw Broken($"In {place}, activations are no longer numbers", learningRate, activation);
            }

            batch.CheckLabels(logits, y.shape[0]);
            Tensor loss = nn.functional.cross_entropy(logits, y);
            float value = loss.item<float>();
            if (!float.IsFinite(value))
            {
                throw Broken($"In {place}, the loss is {value}", learningRate, NumericalGuard.FirstBroken(Model, x));
            }

            meter.Add(value, logits, y);
            // The mean over the whole batch is the mean of the pieces' means, each weighted by its size.
            Tensor share = x.shape[0] == batch.Count ? loss : loss * ((double)x.shape[0] / batch.Count);
            share.backward();
        }
    }

    private TrainingException Broken(string what, double learningRate, string? layer) => new(FormattableString.Invariant(
        $"{what} at learning rate {learningRate:G4}{(layer is null ? "" : $"; {layer}")}. A smaller learning rate may help. {WhatIsSafe}"));

    private bool Save(EpochMetrics metrics)
    {
        ModelCard card = new(recipe, train.Channels, classNames, metrics);
        return folder.Checkpoints.Save(
            metrics,
            stream => Safetensors.Write(stream, StateDict.FromModule(Model), card.ToMetadata()),
            stream => Safetensors.Write(stream, optimizer.State));
    }

    private void Load()
    {
        if (folder.Checkpoints.Index is not { } index)
        {
            return;
        }

        string weights = folder.Checkpoints.Verified(index.Weights), momentum = folder.Checkpoints.Verified(index.Optimizer);
        try
        {
            StateDict.LoadInto(Model, Safetensors.Read(weights).Tensors, source: weights);
            optimizer.Load(Safetensors.Read(momentum).Tensors, momentum);
        }
        catch (CheckpointException e)
        {
            throw new TrainingException(e.Message, e);
        }
    }

    // Progress<T> would post to another thread.
    private sealed class Relay(Action<EvaluationProgress> report) : IProgress<EvaluationProgress>
    {
        public void Report(EvaluationProgress value) => report(value);
    }
}
