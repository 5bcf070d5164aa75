using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using AdderNet.Checkpoints;
using AdderNet.Data;
using AdderNet.Data.Detection;
using AdderNet.Distributed;
using AdderNet.Training.DataParallel;
using AdderNet.Training.Detection;
using TorchSharp;
using static TorchSharp.torch;

namespace AdderNet.Training;

/// <summary>
/// Trains for a task as a run folder's recipe says, from the last completed epoch to the end, in the same bits as if it had never stopped.
/// </summary>
/// <remarks>
/// <para>
/// Until it is disposed it sets the number of threads, and it seeds TorchSharp's random generator; both belong to the whole process: train
/// one model at a time.
/// </para>
/// <para>
/// Where the folder was opened for several processes, each takes its part of every batch, and the optimizer sees the gradient of the whole
/// batch. Each of them makes a trainer and runs it; what one fails with ends all, the others with a <see cref="PeerException"/>. Where
/// processes wait for each other within a step, for synchronized BatchNorms or a detector's losses, the others don't hear of it, and
/// <see cref="Communicator.Failure"/> stays null: whoever catches the exception then calls <see cref="Communicator.Abort"/>.
/// </para>
/// </remarks>
/// <example><code>
/// using RunFolder folder = RunFolder.Create("runs/first", Recipe.For("lenet5-bn", "mnist"));
/// using Trainer trainer = new(folder, Datasets.Open("mnist", train: true), Datasets.Open("mnist", train: false));
/// TrainingResult result = trainer.Run();
/// </code></example>
public sealed class Trainer : IDisposable
{
    private readonly RunFolder folder;
    private readonly Recipe recipe;
    private readonly ITrainingTask task;
    private readonly Metric deciding;
    private readonly TrainingStep step;
    private readonly ModuleModes modes;
    private readonly ThreadCount threads;
    private readonly Communicator ranks;
    private int started, disposed;
    private bool looked;

    /// <summary>Makes a trainer that tells images apart by class.</summary>
    /// <param name="folder">The run; it stays open and its own.</param>
    /// <param name="trainData">Images to learn from.</param>
    /// <param name="testData">Images to measure with after each epoch.</param>
    /// <param name="model">Makes your own module from [N, C, H, W] to [N, classes], after the random generator was seeded; null makes the
    /// recipe's model. The trainer disposes it.</param>
    /// <exception cref="TrainingException">The checkpoint is damaged or of another model.</exception>
    /// <exception cref="DataException">The recipe's augmentation does not fit the images.</exception>
    /// <exception cref="ArgumentException">There is no model of the recipe's name.</exception>
    public Trainer(RunFolder folder, Dataset trainData, Dataset testData, Func<nn.Module<Tensor, Tensor>>? model = null)
        : this(folder, recipe => new ClassificationTask(recipe, trainData, testData, model, begins: folder.History.Count == 0, shard: folder.Shard))
    {
    }

    /// <summary>Makes a trainer that tells images apart by class, and chooses the best epoch by the validation images where there are any.</summary>
    /// <param name="folder">The run; it stays open and its own.</param>
    /// <param name="data">Images to learn from and to measure with. Test images beside validation images are left alone.</param>
    /// <param name="model">Makes your own module, as above.</param>
    /// <exception cref="TrainingException">The checkpoint is damaged or of another model.</exception>
    /// <exception cref="DataException">The recipe's augmentation does not fit the images.</exception>
    public Trainer(RunFolder folder, DatasetSplits data, Func<nn.Module<Tensor, Tensor>>? model = null)
        : this(folder, recipe => new ClassificationTask(
            recipe, (data ?? throw new ArgumentNullException(nameof(data))).Train, data.Measured, model, data.Validation is not null,
            folder.History.Count == 0, folder.Shard))
    {
    }

    /// <summary>Makes a trainer that finds objects, and chooses the best epoch by the validation images where there are any.</summary>
    /// <param name="folder">The run; it stays open and its own.</param>
    /// <param name="data">Images with boxes to learn from and to measure with. Test images beside validation images are left alone.</param>
    /// <exception cref="TrainingException">The checkpoint is damaged or of another model, or the recipe's is no detector.</exception>
    /// <exception cref="DataException">The recipe's augmentation does not fit the images.</exception>
    public Trainer(RunFolder folder, DetectionSplits data)
        : this(folder, recipe => new DetectionTask(
            recipe, (data ?? throw new ArgumentNullException(nameof(data))).Train, data.Measured, data.Validation is not null,
            loadBackbone: folder.History.Count == 0, folder.Shard))
    {
    }

    /// <summary>
    /// Makes a trainer for any task, in the state of the folder's last checkpoint. A new folder goes away again where it can't be made.
    /// </summary>
    /// <param name="folder">The run; it stays open and its own.</param>
    /// <param name="task">Makes the task from the recipe, whose augmentations are written out, after the number of threads was set and the
    /// random generator was seeded. The trainer disposes it.</param>
    /// <exception cref="TrainingException">The checkpoint is damaged or of another model.</exception>
    /// <exception cref="DataException">The recipe's augmentation does not fit the images.</exception>
    public Trainer(RunFolder folder, Func<Recipe, ITrainingTask> task)
    {
        ArgumentNullException.ThrowIfNull(folder);
        ArgumentNullException.ThrowIfNull(task);
        this.folder = folder;
        ranks = folder.Ranks;
        recipe = folder.Recipe.WithAugmentation();
        threads = new ThreadCount(folder.Options.Threads);
        random.manual_seed(recipe.Seed);
        try
        {
            this.task = ranks.Agree(() => task(recipe));
            deciding = this.task.Metrics.Single(m => m.Best is not null);
            step = ranks.Agree(() => new TrainingStep(this.task, recipe, folder.Options.DetectAnomaly, ranks));
            // Modules that were put into evaluation mode, such as frozen BatchNorms, stay in it; a whole model that was is meant to learn.
            if (!Model.training)
            {
                Model.train();
            }

            modes = new ModuleModes(this.task.Modules());
            ranks.Agree(Load);
            TrainingState.Share(this.task, step.Optimizer, ranks);
        }
        catch
        {
            Dispose();
            folder.TakeBack();
            throw;
        }
    }

    /// <summary>The task's model in its present state; it belongs to the trainer.</summary>
    public nn.Module Model => task.Model;

    /// <summary>What is measured, in the order in which it is shown.</summary>
    public IReadOnlyList<Metric> Metrics => task.Metrics;

    /// <summary>Whether the images measured after each epoch are a validation split; else they are the test images.</summary>
    public bool MeasuresValidation => task.MeasuresValidation;

    /// <summary>What the processes that train together have exchanged since the start; null for one on its own.</summary>
    public GradientTraffic? Traffic => step.Exchange is { } exchange ? new(exchange.Bytes, exchange.BucketCount, exchange.Ahead, exchange.Waited) : null;

    /// <summary>What a user should know before the run goes on, in sentences: why it can't give the same bits as without a break.</summary>
    public IReadOnlyList<string> Notices => folder.Differences;

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

        using SharedStop stop = new(ranks, cancel);
        TensorBoardLog? log = null;
        try
        {
            ranks.Agree(() =>
            {
                folder.RecordMachine();
                if (folder.IsOwn)
                {
                    MetricsFiles.Write(folder.Path, folder.History, folder.Checkpoints.WriteFile);
                    log = new TensorBoardLog(folder.Path, folder.History);
                }
            });
            Pace pace = new(recipe.Epochs, task.BatchCount(TrainingPhase.Train), task.BatchCount(TrainingPhase.Test));
            for (int epoch = folder.History.Count + 1; epoch <= recipe.Epochs; epoch++)
            {
                Reporter reporter = new(epoch, recipe.Epochs, pace, progress);
                EpochMetrics metrics = RunEpoch(epoch, pace, reporter, stop);
                ranks.Agree(() => Save(metrics, log));
                folder.TellOfCheckpoints();
                reporter.Completed(folder.History[^1], folder.Best!.Epoch == epoch);
            }

            return Result(interrupted: false);
        }
        catch (OperationCanceledException) when (stop.Token.IsCancellationRequested)
        {
            return Result(interrupted: true);
        }
        catch (NumericalException e)
        {
            throw Stopped(e.Message, e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Stopped($"{e.Message.TrimEnd('.')}.", e);
        }
        catch (ExternalException e)
        {
            // What libtorch refuses, most often memory; its message goes on with a native stack trace.
            throw Stopped($"libtorch failed: {e.Message.Split('\n')[0].TrimEnd('.')}.", e);
        }
        finally
        {
            log?.Dispose();
        }
    }

    /// <summary>Frees the memory of model and optimizer.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref disposed, 1) == 0)
        {
            step?.Dispose();
            task?.Dispose();
            threads.Dispose();
        }
    }

    /// <summary>Tells what ended the training, and what of it is safe.</summary>
    private TrainingException Stopped(string why, Exception? cause = null) => folder.History.Count == 0
        ? new TrainingException($"{why} No epoch of {folder.Path} was complete yet.", cause)
        : new TrainingException($"{why} The checkpoint of epoch {folder.History.Count} in {folder.Path} is whole.", cause)
        {
            Problem = TrainingProblem.Stopped,
            Folder = folder.Path,
        };

    private TrainingResult Result(bool interrupted) => new(folder.Path, [.. folder.History], folder.Best, interrupted);

    private EpochMetrics RunEpoch(int epoch, Pace pace, Reporter reporter, SharedStop stop)
    {
        // Whatever else a model draws, dropout for example, depends on the epoch and the process alone, too, so that resuming repeats it.
        random.manual_seed(unchecked(recipe.Seed * 1_000_003 + epoch + ranks.Rank * 0x9E37_79B9_7F4AL));
        modes.Restore();
        pace.Begin();
        EvaluationResult learned = Learn(epoch, pace, reporter, stop);
        pace.Begin();
        BatchNorms.Reestimate(task, epoch, recipe.BatchNormBatches, step, ranks, stop.Token);
        // Processors of another kind round in another way: whatever has come of that ends with the epoch.
        TrainingState.Share(task, step.Optimizer, ranks);
        double learningRate = Rate(epoch, batch: 0);
        EvaluationResult measured = Measure(
            step.Inspects, (done, soFar) => reporter.Report(TrainingPhase.Test, done, BatchCount(TrainingPhase.Test), soFar, learningRate), ranks);
        ranks.Agree(() =>
        {
            if (step.FirstBroken is null && measured.Values.All(v => double.IsFinite(v.Value)))
            {
                return;
            }

            using ActivationWatch again = new(task);
            Measure(inspect: true, (_, _) => { }, Communicator.Alone);
            Metric broken = task.Metrics.FirstOrDefault(m => measured.Values.Find(m.Name) is { } value && !double.IsFinite(value)) ?? task.Metrics[0];
            throw TrainingStep.Broken($"Tested after epoch {epoch}, the {broken.Title} is {measured.Values[broken.Name]}", learningRate, again.FirstBroken);
        });

        return new EpochMetrics
        {
            Epoch = epoch,
            LearningRate = learningRate,
            Train = learned.Values,
            Validation = task.MeasuresValidation ? measured.Values : null,
            Test = task.MeasuresValidation ? null : measured.Values,
            TrainSeconds = learned.Seconds,
            TestSeconds = measured.Seconds,
            ImagesPerSecond = learned.ImagesPerSecond,
            Finished = DateTimeOffset.UtcNow,
        };

        EvaluationResult Measure(bool inspect, Action<int, EvaluationResult> report, Communicator together) =>
            Evaluation.Run(task.Modules(), () => task.Begin(TrainingPhase.Test, 0, inspect, stop.Token), report, together, stop.Token);
    }

    private EvaluationResult Learn(int epoch, Pace pace, Reporter reporter, SharedStop stop)
    {
        // A sitting says once what its first batch shows of the model.
        using UnnormalizedAdders? unnormalized = looked ? null : new(task);
        looked = true;
        using ITaskPass pass = ranks.Agree(() => task.Begin(TrainingPhase.Train, epoch, step.Inspects, stop.Token));
        int done = 0, batches = BatchCount(TrainingPhase.Train), last = step.Exchanged + batches;
        ExceptionDispatchInfo? failure = null;
        try
        {
            foreach (ITaskBatch batch in pass.Batches)
            {
                using (batch)
                {
                    double rate = Rate(epoch, done);
                    if (step.Run(batch, rate, $"epoch {epoch}, batch {done + 1} of {batches}", stop.IsAsked))
                    {
                        stop.Agree();
                    }

                    reporter.Report(TrainingPhase.Train, ++done, batches, SoFar(pass.Count * ranks.Size), rate, done == 1 ? unnormalized?.Take() : null);
                }

                BatchTensors.ReleaseLeftovers();
                stop.Token.ThrowIfCancellationRequested();
            }
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            // Those who stop don't hear of it any more.
            if (stop.Token.IsCancellationRequested)
            {
                throw;
            }

            if (step.Exchanged < last)
            {
                step.Fail(e);
                throw;
            }

            failure = ExceptionDispatchInfo.Capture(e);
        }

        // Of a failure behind the last step's sums the others hear here.
        ranks.Agree(() => failure?.Throw());
        pass.Combine(ranks);
        return SoFar(pass.Count);

        EvaluationResult SoFar(long images) => new(pass.Values, images, pace.Elapsed.TotalSeconds);
    }

    private int BatchCount(TrainingPhase phase) => task.BatchCount(phase);

    private double Rate(int epoch, int batch)
    {
        int batches = BatchCount(TrainingPhase.Train);
        return recipe.LearningRateAt((long)(epoch - 1) * batches + batch, batches);
    }

    private void Save(EpochMetrics metrics, TensorBoardLog? log)
    {
        if (!folder.IsOwn)
        {
            return;
        }

        folder.Checkpoints.Save(
            metrics,
            deciding.IsBetter,
            stream => Safetensors.Write(stream, StateDict.FromModule(task.Model), new Dictionary<string, string>(task.Describe(metrics))),
            stream => Safetensors.Write(stream, TrainingState.Of(task, step.Optimizer)));
        MetricsFiles.Write(folder.Path, folder.History, folder.Checkpoints.WriteFile);
        log?.Add(metrics);
    }

    private void Load()
    {
        if (!folder.IsOwn || folder.Checkpoints.Index is not { } index)
        {
            return;
        }

        string weights = folder.Checkpoints.Verified(index.Weights), state = folder.Checkpoints.Verified(index.Optimizer);
        try
        {
            StateDict.LoadInto(task.Model, Safetensors.Read(weights).Tensors, source: weights);
            TrainingState.Load(task, step.Optimizer, Safetensors.Read(state).Tensors, state);
        }
        catch (CheckpointException e)
        {
            throw new TrainingException(e.Message, e);
        }
    }

    /// <summary>Tells how far an epoch has come.</summary>
    private sealed class Reporter(int epoch, int epochs, Pace pace, IProgress<TrainingProgress>? progress)
    {
        private TrainingProgress? last;

        public void Report(TrainingPhase phase, int batch, int batches, EvaluationResult soFar, double learningRate, string? notice = null)
        {
            last = new TrainingProgress
            {
                Epoch = epoch,
                Epochs = epochs,
                Phase = phase,
                Batch = batch,
                Batches = batches,
                ImagesPerSecond = soFar.ImagesPerSecond,
                TimeLeft = pace.TimeLeft(epoch, phase, batch),
                Values = soFar.Values,
                LearningRate = learningRate,
                Notice = notice,
            };
            progress?.Report(last);
        }

        public void Completed(EpochMetrics metrics, bool best) =>
            progress?.Report(last! with { Completed = metrics, IsBest = best });
    }
}
