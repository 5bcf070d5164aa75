using AdderNet.Distributed;
using static TorchSharp.torch;

namespace AdderNet.Training;

/// <summary>
/// What a model is trained for: what a batch's targets are, the loss, what is measured and how that is shown. The training loop, run
/// folders and displays know nothing else of what they train.
/// </summary>
/// <remarks>
/// A task owns its modules and its data. The loop asks it for passes over the data, differentiates the losses it is given, and saves the
/// modules; it never calls a model itself, so that a model's outputs may be of any number and kind.
/// </remarks>
public interface ITrainingTask : IDisposable
{
    /// <summary>The model whose state_dict a run saves as its weights.</summary>
    nn.Module Model { get; }

    /// <summary>
    /// Modules beside the model, such as a teacher: what of them requires gradients is trained along, and a resumed run goes on with their
    /// state, but they are no part of the weights.
    /// </summary>
    IReadOnlyList<Companion> Companions => [];

    /// <summary>What is measured, in the order in which it is shown; exactly one of them has a <see cref="Metric.Best"/>.</summary>
    IReadOnlyList<Metric> Metrics { get; }

    /// <summary>Whether the images measured after each epoch are a validation split; else they are the test images.</summary>
    bool MeasuresValidation => false;

    /// <summary>Whether the loss of a batch's part depends on the rest of the batch, so that <see cref="ITaskBatch.Share"/> waits for other processes.</summary>
    bool SharesBatches => false;

    /// <summary>Batches in one pass of a phase.</summary>
    int BatchCount(TrainingPhase phase);

    /// <summary>Begins a pass over the images of a phase; the modules are in the phase's mode already.</summary>
    /// <param name="phase">Whether the pass is for learning or for measuring.</param>
    /// <param name="epoch">Decides order and augmentation: the same number gives the same batches.</param>
    /// <param name="inspect">Whether hooks must see the outputs of the model's own modules; otherwise a faster copy may take their place
    /// in measuring.</param>
    /// <param name="cancel">Ends the batches with an <see cref="OperationCanceledException"/>.</param>
    ITaskPass Begin(TrainingPhase phase, int epoch, bool inspect, CancellationToken cancel);

    /// <summary>What the file of weights says of itself, so that the model can be built from it again.</summary>
    /// <param name="metrics">What the weights reached.</param>
    IReadOnlyDictionary<string, string> Describe(EpochMetrics metrics);
}

/// <summary>A module that is trained beside a task's model.</summary>
/// <param name="Name">Its name in checkpoints, without a slash; unique in its task.</param>
/// <param name="Module">The module; the task's own.</param>
public sealed record Companion(string Name, nn.Module Module);

/// <summary>One pass over a phase's images.</summary>
public interface ITaskPass : IDisposable
{
    /// <summary>The batches, to be enumerated once; each is disposed before the next is asked for.</summary>
    IEnumerable<ITaskBatch> Batches { get; }

    /// <summary>
    /// What was measured over the images so far, asked for after every batch. What can only be told of all images may be missing before
    /// the last batch.
    /// </summary>
    MetricValues Values { get; }

    /// <summary>Images so far.</summary>
    long Count { get; }

    /// <summary>
    /// Makes what was measured by this process that of all processes together, after the last batch; each of them calls it.
    /// </summary>
    /// <param name="ranks">The processes that share out the images.</param>
    /// <exception cref="TrainingException">The task can't be shared out.</exception>
    void Combine(Communicator ranks)
    {
        ArgumentNullException.ThrowIfNull(ranks);
        if (ranks.Size > 1)
        {
            throw new TrainingException($"{GetType().Name} does not say what several processes have measured together; train with one process.");
        }
    }
}

/// <summary>Some images with their targets.</summary>
public interface ITaskBatch : IDisposable
{
    /// <summary>How many images.</summary>
    int Count { get; }

    /// <summary>How many all processes have of the batch, where several share it out.</summary>
    int TotalCount => Count;

    /// <summary>
    /// Learns of the whole batch what the losses of its parts depend on, before any of them is asked for; every process calls it. Without it
    /// each part is taken for a batch.
    /// </summary>
    /// <param name="ranks">The processes that share out the batch.</param>
    void Share(Communicator ranks)
    {
    }

    /// <summary>Runs some of the images through the model and adds them to what the pass measures.</summary>
    /// <param name="start">The first image.</param>
    /// <param name="count">How many.</param>
    /// <returns>Their mean loss, a scalar to be differentiated.</returns>
    /// <exception cref="TrainingException">Model and targets don't fit each other.</exception>
    Tensor Loss(int start, int count);

    /// <summary>Runs all of the images through the model, without gradients, and adds them to what the pass measures.</summary>
    /// <exception cref="TrainingException">Model and targets don't fit each other.</exception>
    void Measure();
}

/// <summary>What the loop does with all modules of a task alike.</summary>
internal static class TaskModules
{
    /// <summary>The model and its companions, each with what stands before the names of its parameters.</summary>
    public static IEnumerable<(string Prefix, nn.Module Module)> NamedModules(this ITrainingTask task) =>
        task.Companions.Select(c => ($"{c.Name}/", c.Module)).Prepend(("", task.Model));

    /// <summary>The model and its companions.</summary>
    public static IEnumerable<nn.Module> Modules(this ITrainingTask task) => task.Companions.Select(c => c.Module).Prepend(task.Model);
}
