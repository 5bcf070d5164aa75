using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using AdderNet.Data;
using AdderNet.Distributed;
using AdderNet.Training.DataParallel;
using TorchSharp;
using static TorchSharp.torch;

namespace AdderNet.Training;

/// <summary>Numbers stopped being numbers; the message says where.</summary>
internal sealed class NumericalException(string message) : Exception(message);

/// <summary>
/// How a batch becomes a step of the optimizer: its pieces' gradients are summed, what the recipe has between backward and step is done,
/// and the optimizer steps.
/// </summary>
internal sealed class TrainingStep : IDisposable
{
    private readonly ITrainingTask task;
    private readonly Recipe recipe;
    private readonly ActivationWatch? watch;
    private readonly Communicator ranks;
    private readonly Shard shard;
    private readonly GradientExchange? exchange;
    private readonly SynchronizableBatchNorm[] synchronized = [];
    private bool oneImageWorks;

    /// <param name="task">What is trained.</param>
    /// <param name="recipe">How.</param>
    /// <param name="detectAnomaly">Whether every step checks activations and gradients for NaN and infinity.</param>
    /// <param name="ranks">The processes that share out each batch; null for this one on its own.</param>
    /// <exception cref="TrainingException">There is nothing to train.</exception>
    public TrainingStep(ITrainingTask task, Recipe recipe, bool detectAnomaly, Communicator? ranks = null)
    {
        this.task = task;
        this.recipe = recipe;
        this.ranks = ranks ?? Communicator.Alone;
        shard = new Shard(this.ranks.Rank, this.ranks.Size, recipe.MicroBatches);
        Optimizer = new MomentumSgd(task, recipe);
        watch = detectAnomaly ? new ActivationWatch(task) : null;
        if (this.ranks.Size > 1)
        {
            exchange = new GradientExchange(task, Optimizer.Parameters, this.ranks);
            if (recipe.SynchronizedBatchNorm)
            {
                synchronized = [.. task.Modules().SelectMany(m => m.modules().Append(m)).OfType<SynchronizableBatchNorm>().Distinct()];
            }
        }
    }

    public MomentumSgd Optimizer { get; }

    /// <summary>Whether each module's output is looked at.</summary>
    public bool Inspects => watch is not null;

    /// <summary>The clause about the first output that was no number; null for none, or where nobody looks.</summary>
    public string? FirstBroken => watch?.FirstBroken;

    /// <summary>What exchanges gradients with other processes; null for one on its own.</summary>
    public GradientExchange? Exchange => exchange;

    /// <summary>Whether the processes wait for each other before gradients are summed up.</summary>
    public bool IsSynchronized => synchronized.Length > 0 || (ranks.Size > 1 && task.SharesBatches);

    /// <summary>Calls the model as all processes do now, so that synchronized BatchNorms see the whole batch.</summary>
    /// <param name="forward">Calls it.</param>
    public Tensor Synchronized(Func<Tensor> forward)
    {
        Array.ForEach(synchronized, norm => norm.Sum = numbers => ranks.Sum(numbers));
        try
        {
            return forward();
        }
        finally
        {
            Array.ForEach(synchronized, norm => norm.Sum = null);
        }
    }

    /// <summary>Learns from a batch.</summary>
    /// <param name="batch">The batch, or this process's part of it.</param>
    /// <param name="learningRate">The rate of this step.</param>
    /// <param name="place">Where in the run this is, for messages.</param>
    /// <param name="stop">Whether this process was told to stop.</param>
    /// <returns>Whether any process was.</returns>
    /// <exception cref="NumericalException">The loss, or what is watched, is no number.</exception>
    /// <exception cref="PeerException">Another process failed.</exception>
    public bool Run(ITaskBatch batch, double learningRate, string place, bool stop = false)
    {
        using var scope = NewDisposeScope();
        foreach (nn.Module module in task.Modules())
        {
            module.zero_grad(true);
        }

        IReadOnlyList<(int Start, int Count)> pieces = Pieces(batch);
        if (ranks.Size > 1 || pieces.Count > 1)
        {
            batch.Share(ranks);
        }

        foreach ((int start, int count) in pieces)
        {
            bool last = start + count == batch.Count;
            if (last)
            {
                exchange?.LastPiece();
            }

            AddGradient(batch, start, count, learningRate, place);
            if (!last)
            {
                exchange?.Take();
            }
        }

        stop = exchange?.Complete(null, stop) ?? stop;
        if (watch is not null)
        {
            ranks.Agree(() => CheckGradients(learningRate, place));
        }

        foreach (nn.Module module in task.Modules())
        {
            foreach (GradientTransform transform in recipe.GradientTransforms)
            {
                transform.Apply(module);
            }
        }

        Optimizer.Step(learningRate);
        return stop;
    }

    /// <summary>Steps whose gradients all processes have summed up.</summary>
    public int Exchanged => exchange?.Steps ?? 0;

    /// <summary>
    /// Tells the other processes, who are about to sum up the next step's gradients, that this one failed while it learned, and throws what all
    /// of them agree upon.
    /// </summary>
    /// <param name="failure">What it failed with.</param>
    public void Fail(Exception failure)
    {
        // Where processes wait for each other within the passes, those who do so can't hear of it.
        if (exchange is not null && ranks.Failure is null && !IsSynchronized)
        {
            exchange.Complete(failure, stop: false);
        }
    }

    /// <summary>
    /// The pieces in which this process's part of a batch goes through the model: as many in all processes, who may wait for each other within
    /// them.
    /// </summary>
    /// <exception cref="TrainingException">The batch is not shared out as <see cref="RunFolder.Shard"/> says.</exception>
    public IReadOnlyList<(int Start, int Count)> Pieces(ITaskBatch batch)
    {
        List<(int Start, int Count)> pieces = [];
        int start = 0;
        foreach ((int from, int to) in shard.Of(batch.TotalCount))
        {
            pieces.Add((start, to - from));
            start += to - from;
        }

        return start == batch.Count ? pieces : throw new TrainingException(
            $"This process should have {start} of a batch's {batch.TotalCount} images and has {batch.Count}; share batches out as the run folder's Shard says.");
    }

    /// <summary>What to say of numbers that are none.</summary>
    public static NumericalException Broken(string what, double learningRate, string? layer) => new(FormattableString.Invariant(
        $"{what} at learning rate {learningRate:G4}{(layer is null ? "" : $"; {layer}")}. A smaller learning rate may help."));

    public void Dispose()
    {
        watch?.Dispose();
        exchange?.Dispose();
        Optimizer.Dispose();
    }

    private void CheckGradients(double learningRate, string place)
    {
        if (NumericalGuard.BrokenGradient(task) is { } gradient)
        {
            throw Broken($"In {place}, the gradient of '{gradient}' holds NaN or infinity", learningRate, null);
        }
    }

    private void AddGradient(ITaskBatch batch, int start, int count, double learningRate, string place)
    {
        using var scope = NewDisposeScope();
        Tensor loss = Synchronized(() => Forward(batch, start, count));
        if (IsSynchronized)
        {
            ranks.Agree(() => Check(loss, batch, start, count, learningRate, place));
        }
        else
        {
            Check(loss, batch, start, count, learningRate, place);
        }

        // The mean over the whole batch is the mean of the pieces' means, each weighted by its size, of all processes.
        Tensor share = count == batch.TotalCount ? loss : loss.Times((double)count / batch.TotalCount);
        try
        {
            share.backward();
        }
        catch (ExternalException) when (Adder2d.BackwardFailure is { } failure)
        {
            ExceptionDispatchInfo.Throw(failure);
        }
    }

    private void Check(Tensor loss, ITaskBatch batch, int start, int count, double learningRate, string place)
    {
        if (FirstBroken is { } activation)
        {
            throw Broken($"In {place}, activations are no longer numbers", learningRate, activation);
        }

        float value = loss.item<float>();
        if (!float.IsFinite(value))
        {
            throw Broken($"In {place}, the loss is {value}", learningRate, NumericalGuard.FirstBroken(task, () => batch.Loss(start, count)));
        }
    }

    private Tensor Forward(ITaskBatch batch, int start, int count)
    {
        if (count > 1 || oneImageWorks)
        {
            return batch.Loss(start, count);
        }

        // libtorch would divide by zero without a word, and every later evaluation would be NaN.
        Tensor? loss = null;
        if (BatchNorms.WithOneValue(task, () => loss = batch.Loss(start, count)) is { } layer)
        {
            throw new TrainingException(
                $"{layer} cannot learn from one image at a time: it normalizes by the mean and the deviation of a batch, and sees only one value a channel here; use batches of at least 2 images.");
        }

        oneImageWorks = true;
        return loss!;
    }
}
