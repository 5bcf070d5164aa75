using AdderNet.Data;
using AdderNet.Distributed;
using TorchSharp;
using static TorchSharp.torch;

namespace AdderNet.Training;

/// <summary>How far fine-tuning has come; reported after each batch.</summary>
/// <param name="Epoch">The epoch in flight, from 1.</param>
/// <param name="Epochs">All of them.</param>
/// <param name="Batch">Batches of the epoch that are done.</param>
/// <param name="Batches">Batches there are.</param>
/// <param name="SoFar">What the training images of the epoch gave so far, with the network as it is trained: rounded where it will be one of integers.</param>
/// <param name="TimeLeft">How long all epochs will still take.</param>
public sealed record FineTuningProgress(int Epoch, int Epochs, int Batch, int Batches, EvaluationResult SoFar, TimeSpan TimeLeft);

/// <summary>Trains a model on that was trained before, for some epochs and without a run folder: what fine-tuning has in common.</summary>
public static class ContinuedTraining
{
    /// <summary>How to train a network on that was trained by a recipe: the same way for some epochs, from a tenth of its rate down.</summary>
    /// <param name="trained">The recipe.</param>
    /// <param name="epochs">Passes over the training images.</param>
    public static Recipe RecipeFor(Recipe trained, int epochs)
    {
        ArgumentNullException.ThrowIfNull(trained);
        return trained.WithAugmentation() with { Epochs = epochs, LearningRate = trained.LearningRate / 10, WarmupEpochs = 0 };
    }

    /// <summary>Trains, and averages BatchNorm's statistics anew.</summary>
    /// <param name="model">The model, in any mode; afterwards in evaluation mode.</param>
    /// <param name="recipe">How to train (see <see cref="RecipeFor"/>).</param>
    /// <param name="epochs">Passes over the training images, over which the recipe's rate falls; 0 for BatchNorm's statistics alone.</param>
    /// <param name="train">Images to learn from.</param>
    /// <param name="afterStep">Told after each step of the optimizer: how many are done, and how many there are.</param>
    /// <param name="progress">Told after each batch, on the calling thread.</param>
    /// <param name="cancel">Stops after the batch in flight.</param>
    /// <exception cref="TrainingException">The loss is no longer a number, or the model has no parameters to train.</exception>
    internal static void Run(
        nn.Module<Tensor, Tensor> model, Recipe recipe, int epochs, Dataset train, Action<int, int>? afterStep,
        IProgress<FineTuningProgress>? progress, CancellationToken cancel)
    {
        random.manual_seed(recipe.Seed);
        model.train();
        try
        {
            using DataLoader loader = new(
                train, recipe.WithAugmentation().TrainAugmentation!, recipe.BatchSize, shuffle: true, unchecked((ulong)recipe.Seed),
                Math.Clamp(get_num_threads() / 4, 1, 8), minLast: 2);
            using Task task = new(model, loader);
            using TrainingStep step = new(task, recipe, detectAnomaly: false);
            Pace pace = new(epochs, loader.BatchCount, 0);
            for (int epoch = 1, done = 0; epoch <= epochs; epoch++)
            {
                pace.Begin();
                using ITaskPass pass = task.Begin(TrainingPhase.Train, epoch, inspect: false, cancel);
                foreach (ITaskBatch batch in pass.Batches)
                {
                    int number = done % loader.BatchCount + 1;
                    using (batch)
                    {
                        step.Run(
                            batch, recipe.LearningRateAt(done++, loader.BatchCount),
                            $"epoch {epoch} of fine-tuning, batch {number} of {loader.BatchCount}");
                    }

                    afterStep?.Invoke(done, epochs * loader.BatchCount);
                    BatchTensors.ReleaseLeftovers();
                    progress?.Report(new FineTuningProgress(
                        epoch, epochs, number, loader.BatchCount, new EvaluationResult(pass.Values, pass.Count, pace.Elapsed.TotalSeconds),
                        pace.TimeLeft(epoch, TrainingPhase.Train, number)));
                    cancel.ThrowIfCancellationRequested();
                }
            }

            BatchNorms.Reestimate(task, epochs, recipe.BatchNormBatches, step, Communicator.Alone, cancel);
        }
        catch (NumericalException e)
        {
            throw new TrainingException(e.Message, e);
        }
        finally
        {
            model.eval();
        }
    }

    /// <summary>Telling images apart by class, with a model and a loader that stay the caller's.</summary>
    private sealed class Task(nn.Module<Tensor, Tensor> model, DataLoader loader) : ITrainingTask
    {
        public nn.Module Model => model;

        public IReadOnlyList<Metric> Metrics => ClassificationMetrics.All;

        public int BatchCount(TrainingPhase phase) => loader.BatchCount;

        public ITaskPass Begin(TrainingPhase phase, int epoch, bool inspect, CancellationToken cancel) =>
            new ClassificationPass(model, loader, epoch, useEngine: false, cancel);

        public IReadOnlyDictionary<string, string> Describe(EpochMetrics metrics) => new Dictionary<string, string>();

        public void Dispose()
        {
        }
    }
}
