using AdderNet.Data;
using AdderNet.Graph;
using AdderNet.Inference;
using AdderNet.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace AdderNet.Training;

/// <summary>
/// Trains an AdderNet on as a network of integers computes it: each adder layer's inputs and filters are clamped and rounded to the grid they
/// share, and gradients pass as if they were not (the straight-through estimator), with the rules of the paper for the real filters.
/// </summary>
public static class FineTuning
{
    /// <summary>Trains a model on and quantizes it again.</summary>
    /// <param name="model">The float32 model, whose weights change, in any mode.</param>
    /// <param name="quantized">The model as it was quantized without training; the grids of its adder layers are kept.</param>
    /// <param name="recipe">How to train (see <see cref="ContinuedTraining.RecipeFor"/>).</param>
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
            ContinuedTraining.Run(model, recipe, recipe.Epochs, train, afterStep: null, progress, cancel);
        }
        finally
        {
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
}
