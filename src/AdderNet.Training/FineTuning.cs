using AdderNet.Data;
using AdderNet.Graph;
using AdderNet.Inference;
using AdderNet.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace AdderNet.Training;

/// <summary>How far fine-tuning has come; reported after each batch.</summary>
/// <param name="Epoch">The epoch in flight, from 1.</param>
/// <param name="Epochs">All of them.</param>
/// <param name="Batch">Batches of the epoch that are done.</param>
/// <param name="Batches">Batches there are.</param>
/// <param name="SoFar">What the training images of the epoch gave so far, rounded as the network of integers has it.</param>
/// <param name="TimeLeft">How long all epochs will still take.</param>
public sealed record FineTuningProgress(int Epoch, int Epochs, int Batch, int Batches, EvaluationResult SoFar, TimeSpan TimeLeft);

/// <summary>
/// Trains an AdderNet on as a network of integers computes it: each adder layer's inputs and filters are clamped and rounded to the grid they
/// share, and gradients pass as if they were not (the straight-through estimator), with the rules of the paper for the real filters.
/// </summary>
public static class FineTuning
{
    /// <summary>How to train a network on that was trained by a recipe: the same way for some epochs, from a tenth of its rate down.</summary>
    /// <param name="trained">The recipe.</param>
    /// <param name="epochs">Passes over the training images.</param>
    public static Recipe RecipeFor(Recipe trained, int epochs)
    {
        ArgumentNullException.ThrowIfNull(trained);
        return trained.WithAugmentation() with { Epochs = epochs, LearningRate = trained.LearningRate / 10, WarmupEpochs = 0 };
    }

    /// <summary>Trains a model on and quantizes it again.</summary>
    /// <param name="model">The float32 model, whose weights change, in any mode.</param>
    /// <param name="quantized">The model as it was quantized without training; the grids of its adder layers are kept.</param>
    /// <param name="recipe">How to train (see <see cref="RecipeFor"/>).</param>
    /// <param name="train">Images to learn from.</param>
    /// <param name="images">Calibration images [N, C, H, W], as for <see cref="Quantizer"/>.</param>
    /// <param name="progress">Told after each batch, on the calling thread.</param>
    /// <param name="cancel">Stops after the batch in flight.</param>
    /// <returns>The network of integers, in as many bits.</returns>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    /// <exception cref="TrainingException">The loss is no longer a number, or the model has no parameters to train.</exception>
    /// <exception cref="DataException">An image can't be read, or the recipe's augmentation does not fit the images.</exception>
    public static QuantizedNetwork Run(
        nn.Module<Tensor, Tensor> model, QuantizedNetwork quantized, Recipe recipe, Dataset train, float[] images,
        IProgress<FineTuningProgress>? progress = null, CancellationToken cancel = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(quantized);
        ArgumentNullException.ThrowIfNull(recipe);
        ArgumentNullException.ThrowIfNull(train);
        Dictionary<string, Grid> grids = quantized.Graph.Nodes.OfType<QuantizedAdderNode>().ToDictionary(node => node.Name, node => node.InputGrid);
        Adder2d[] rounded = SetGrids(model, grids);
        try
        {
            model.train();
            Learn(model, recipe, train, progress, cancel);
        }
        catch (NumericalException e)
        {
            throw new TrainingException(e.Message, e);
        }
        finally
        {
            model.eval();
            Array.ForEach(rounded, layer => layer.Grid = null);
        }

        NetworkGraph tuned = model.ToGraph(quantized.Graph.Inputs[0].Shape, quantized.Graph.Metadata);
        return Quantizer.Quantize(
            new NetworkGraph(tuned.Nodes.Select(node => node is AdderNode layer ? OnGrid(layer, grids[layer.Name]) : node), tuned.Outputs, tuned.Metadata),
            images, grids.Values.First().Bits, grids.ToDictionary(g => g.Key, g => g.Value.Value(g.Value.Top)));
    }

    /// <summary>Makes a model's adder layers compute on their grids, by the layers' names in the graph.</summary>
    /// <returns>These layers; without a grid again they are as before.</returns>
    internal static Adder2d[] SetGrids(nn.Module model, IReadOnlyDictionary<string, Grid> grids)
    {
        List<Adder2d> set = [];
        foreach ((string name, nn.Module module) in model.named_modules().Select(m => (m.name, m.module)).Append((model.GetName(), model)))
        {
            if (module is Adder2d layer && grids.TryGetValue(name, out Grid? grid))
            {
                layer.Grid = grid;
                set.Add(layer);
            }
        }

        return [.. set];
    }

    private static void Learn(
        nn.Module<Tensor, Tensor> model, Recipe recipe, Dataset train, IProgress<FineTuningProgress>? progress, CancellationToken cancel)
    {
        random.manual_seed(recipe.Seed);
        using DataLoader loader = new(
            train, recipe.WithAugmentation().TrainAugmentation!, recipe.BatchSize, shuffle: true, unchecked((ulong)recipe.Seed),
            Math.Clamp(get_num_threads() / 4, 1, 8), minLast: 2);
        using Task task = new(model, loader);
        using TrainingStep step = new(task, recipe, detectAnomaly: false);
        Pace pace = new(recipe.Epochs, loader.BatchCount, 0);
        for (int epoch = 1, done = 0; epoch <= recipe.Epochs; epoch++)
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

                BatchTensors.ReleaseLeftovers();
                progress?.Report(new FineTuningProgress(
                    epoch, recipe.Epochs, number, loader.BatchCount, new EvaluationResult(pass.Values, pass.Count, pace.Elapsed.TotalSeconds),
                    pace.TimeLeft(epoch, TrainingPhase.Train, number)));
                cancel.ThrowIfCancellationRequested();
            }
        }

        BatchNorms.Reestimate(task, recipe.Epochs, recipe.BatchNormBatches, step.Pieces, cancel);
    }

    /// <summary>A layer with its filters as they were rounded; what clamping took from them is a constant, which goes into the bias.</summary>
    private static AdderNode OnGrid(AdderNode layer, Grid grid)
    {
        double largest = grid.Value(grid.Top);
        float[] filters = layer.Filters.ToFloats();
        float[] outside = [.. filters.Chunk(layer.SumLength).Select(filter => (float)filter.Sum(w => Math.Abs(w - Math.Clamp(w, 0, largest))))];
        float[] bias = layer.Bias?.ToFloats() ?? new float[outside.Length];
        return layer with
        {
            Filters = Checkpoints.TensorData.FromFloats(Array.ConvertAll(filters, w => (float)grid.Value(grid.Code(w))), layer.Filters.Shape),
            Bias = Checkpoints.TensorData.FromFloats([.. bias.Zip(outside, (b, o) => b - o)], bias.Length),
        };
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
