using AdderNet.Data;
using AdderNet.Graph;
using AdderNet.Inference;
using AdderNet.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace AdderNet.Training;

/// <summary>
/// Trains a pruned network on, and raises the share of an AdderNet's taps that need no work. A weight of 0 still gives |x|: what makes a
/// tap of an adder layer free is to lie at or below the least input, since min(x, w) is then w for every x.
/// </summary>
public static class PrunedTraining
{
    /// <summary>Steps between two choices of taps.</summary>
    private const int Between = 8;

    /// <summary>The part of the steps over which the share rises.</summary>
    private const double RisingPart = 0.5;

    /// <summary>Batches for BatchNorm's statistics, where the recipe has none.</summary>
    private const int LeastBatches = 16;

    /// <summary>Trains a network on for some epochs, or averages BatchNorm's statistics anew at least.</summary>
    /// <param name="graph">A float32 network as it was trained.</param>
    /// <param name="share">The share of all adder layers' taps that are to need no work, 0 to 1; null leaves all of them as free as they are.
    /// It rises from what the network has to this over the first half of the steps.</param>
    /// <param name="recipe">How to train (see <see cref="ContinuedTraining.RecipeFor"/>).</param>
    /// <param name="epochs">Passes over the training images; 0 for none.</param>
    /// <param name="train">Images to learn from.</param>
    /// <param name="images">Training images [N, C, H, W], prepared as the network takes them, that the layers' inputs are measured with.</param>
    /// <param name="progress">Told after each batch, on the calling thread.</param>
    /// <param name="cancel">Stops after the batch in flight.</param>
    /// <returns>The network with its new weights.</returns>
    /// <exception cref="GraphException">The network cannot be trained; the message names the node.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    /// <exception cref="TrainingException">More taps are to be free than lie behind a ReLU, or the loss is no longer a number.</exception>
    /// <exception cref="DataException">An image can't be read, or the recipe's augmentation does not fit the images.</exception>
    public static NetworkGraph Run(
        NetworkGraph graph, double? share, Recipe recipe, int epochs, Dataset train, ReadOnlySpan<float> images,
        IProgress<FineTuningProgress>? progress = null, CancellationToken cancel = default)
    {
        ArgumentNullException.ThrowIfNull(graph);
        ArgumentNullException.ThrowIfNull(recipe);
        ArgumentNullException.ThrowIfNull(train);
        using nn.Module<Tensor, Tensor> model = graph.ToModule(recipe.WeightGradient, recipe.InputGradient);
        using PulledTaps? pulled = share is null ? null : new PulledTaps(model, Ranges(graph, images));
        long all = new TapWork(graph).All.All, goal = (long)Math.Ceiling((share ?? 0) * all);
        if (pulled is not null && goal > pulled.Count)
        {
            throw new TrainingException(FormattableString.Invariant(
                $"Of the network's {all:N0} taps {pulled.Count:N0} lie behind a ReLU, where some can be free; {100 * share:G3} % of all cannot."));
        }

        Recipe further = recipe with { BatchNormBatches = Math.Max(recipe.BatchNormBatches, LeastBatches) };
        long first = pulled is null ? 0 : Math.Min(pulled.Free, goal);
        pulled?.Choose(epochs == 0 ? goal : first);
        ContinuedTraining.Run(model, further, epochs, train, pulled is null ? null : AfterStep, progress, cancel);
        pulled?.Settle();
        return model.ToGraph(graph.Inputs[0].Shape, graph.Metadata);

        void AfterStep(int done, int steps)
        {
            if (done % Between == 0 || done == steps)
            {
                pulled!.Choose(Rising(first, goal, Math.Min(1, done / Math.Max(1, RisingPart * steps))));
            }
        }
    }

    /// <summary>How many taps are pulled when a part of the steps is done: many of them early, the last ones slowly.</summary>
    internal static long Rising(long first, long goal, double done) => goal - (long)((goal - first) * Math.Pow(1 - done, 3));

    private static Dictionary<string, double> Ranges(NetworkGraph graph, ReadOnlySpan<float> images)
    {
        IReadOnlySet<string> neverNegative = graph.NeverNegative();
        IReadOnlyDictionary<string, double> largest = Inspection.LargestInputs(graph, images, get_num_threads());
        return graph.Nodes.OfType<AdderNode>().Where(layer => neverNegative.Contains(layer.Inputs[0]))
            .ToDictionary(layer => layer.Name, layer => largest[layer.Name]);
    }
}
