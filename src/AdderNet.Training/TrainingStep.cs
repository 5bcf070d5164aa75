using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
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
    private bool oneImageWorks;

    /// <param name="task">What is trained.</param>
    /// <param name="recipe">How.</param>
    /// <param name="detectAnomaly">Whether every step checks activations and gradients for NaN and infinity.</param>
    /// <exception cref="TrainingException">There is nothing to train.</exception>
    public TrainingStep(ITrainingTask task, Recipe recipe, bool detectAnomaly)
    {
        this.task = task;
        this.recipe = recipe;
        Optimizer = new MomentumSgd(task, recipe);
        watch = detectAnomaly ? new ActivationWatch(task) : null;
    }

    public MomentumSgd Optimizer { get; }

    /// <summary>Whether each module's output is looked at.</summary>
    public bool Inspects => watch is not null;

    /// <summary>The clause about the first output that was no number; null for none, or where nobody looks.</summary>
    public string? FirstBroken => watch?.FirstBroken;

    /// <summary>Learns from a batch.</summary>
    /// <param name="batch">The batch.</param>
    /// <param name="learningRate">The rate of this step.</param>
    /// <param name="place">Where in the run this is, for messages.</param>
    /// <exception cref="NumericalException">The loss, or what is watched, is no number.</exception>
    public void Run(ITaskBatch batch, double learningRate, string place)
    {
        using var scope = NewDisposeScope();
        foreach (nn.Module module in task.Modules())
        {
            module.zero_grad(true);
        }

        foreach ((int start, int count) in Pieces(batch.Count))
        {
            AddGradient(batch, start, count, learningRate, place);
        }

        if (watch is not null && NumericalGuard.BrokenGradient(task) is { } gradient)
        {
            throw Broken($"In {place}, the gradient of '{gradient}' holds NaN or infinity", learningRate, null);
        }

        foreach (nn.Module module in task.Modules())
        {
            foreach (GradientTransform transform in recipe.GradientTransforms)
            {
                transform.Apply(module);
            }
        }

        Optimizer.Step(learningRate);
    }

    /// <summary>The pieces in which a batch goes through the model.</summary>
    public IEnumerable<(int Start, int Count)> Pieces(int images)
    {
        // A last batch may have few images, and BatchNorm needs two in each piece.
        int pieces = Math.Clamp(images / 2, 1, recipe.MicroBatches);
        return Enumerable.Range(0, pieces).Select(i => (Begin(i), Begin(i + 1) - Begin(i)));

        int Begin(int piece) => (int)((long)images * piece / pieces);
    }

    /// <summary>What to say of numbers that are none.</summary>
    public static NumericalException Broken(string what, double learningRate, string? layer) => new(FormattableString.Invariant(
        $"{what} at learning rate {learningRate:G4}{(layer is null ? "" : $"; {layer}")}. A smaller learning rate may help."));

    public void Dispose()
    {
        watch?.Dispose();
        Optimizer.Dispose();
    }

    private void AddGradient(ITaskBatch batch, int start, int count, double learningRate, string place)
    {
        using var scope = NewDisposeScope();
        Tensor loss = Forward(batch, start, count);
        if (FirstBroken is { } activation)
        {
            throw Broken($"In {place}, activations are no longer numbers", learningRate, activation);
        }

        float value = loss.item<float>();
        if (!float.IsFinite(value))
        {
            throw Broken($"In {place}, the loss is {value}", learningRate, NumericalGuard.FirstBroken(task, () => batch.Loss(start, count)));
        }

        // The mean over the whole batch is the mean of the pieces' means, each weighted by its size.
        Tensor share = count == batch.Count ? loss : loss * ((double)count / batch.Count);
        try
        {
            share.backward();
        }
        catch (ExternalException) when (Adder2d.BackwardFailure is { } failure)
        {
            ExceptionDispatchInfo.Throw(failure);
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
