using AdderNet.Graph;
using AdderNet.Inference;
using AdderNet.Models;
using AdderNet.Training;
using ScottPlot;
using TorchSharp;
using static TorchSharp.torch;

namespace AdderNet.Reproduction;

/// <summary>What a trained network has learned, layer by layer.</summary>
/// <param name="Label">What pictures call it.</param>
/// <param name="Source">The file that it is from.</param>
/// <param name="Kind">What its inner layers are.</param>
/// <param name="Layers">Its layers of weights, in order.</param>
/// <param name="Gradients">Norms of the gradients of one step, of convolutions and adder layers in order; empty where it cannot be trained on, and of a
/// detector.</param>
/// <param name="Operations">What it costs, as the paper counts.</param>
/// <param name="Left">The same with taps that need no work not counted.</param>
internal sealed record NetworkAnalysis(
    string Label, string Source, LayerKind Kind, IReadOnlyList<LayerAnalysis> Layers, IReadOnlyList<GradientNorm> Gradients,
    OperationCounts Operations, OperationCounts Left)
{
    /// <summary>Values of a layer's inputs that are kept for pictures.</summary>
    private const int SampleSize = 1 << 15;

    /// <summary>Images that gradients are taken over.</summary>
    private const int GradientImages = 64;

    /// <summary>What it is drawn in.</summary>
    public Color Color { get; init; } = Charts.Of(Kind);

    /// <summary>Measures a network.</summary>
    /// <param name="label">What pictures call it.</param>
    /// <param name="source">The file that it is from.</param>
    /// <param name="kind">What its inner layers are.</param>
    /// <param name="graph">A float32 network as it was trained.</param>
    /// <param name="images">Training images [N, C, H, W], prepared as the network takes them.</param>
    /// <param name="labels">Their classes; a detector's images have none that count.</param>
    /// <param name="recipe">How it was trained, or would be.</param>
    /// <param name="threads">Threads to compute with; null for one a processor.</param>
    /// <exception cref="InferenceException">The network is quantized.</exception>
    /// <exception cref="TrainingException">It tells fewer classes apart than there are.</exception>
    public static NetworkAnalysis Of(
        string label, string source, LayerKind kind, NetworkGraph graph, float[] images, long[] labels, Recipe recipe, int? threads)
    {
        if (graph.Nodes.Any(node => node.Grid is not null))
        {
            throw new InferenceException($"{source} is quantized; look at the network that it was made of.");
        }

        bool findsBoxes = graph.Metadata.Boxes is not null;
        if (!findsBoxes && labels.Max() is var largest && graph[graph.Outputs[0].Node].Shape.Count is var classes && largest >= classes)
        {
            throw new TrainingException(
                $"There is a label {largest}, but {source} tells only {classes} classes apart; use a network with as many outputs as the data has "
                + "classes.");
        }

        LayerNode[] layers = [.. graph.Nodes.OfType<LayerNode>()];
        Dictionary<string, string?> relus = layers.ToDictionary(layer => layer.Name, layer => Behind<ReluNode>(graph, layer)?.Name);
        (Dictionary<string, ValueSample> inputs, Dictionary<string, int> dead) = Look(
            graph, [.. layers.Select(layer => layer.Inputs[0]).Distinct()], [.. relus.Values.OfType<string>().Distinct()], images, threads);
        TapWork work = new(graph, layers.OfType<AdderNode>().ToDictionary(layer => layer.Name, layer => inputs[layer.Inputs[0]].Largest));
        return new NetworkAnalysis(
            label, source, kind,
            [
                .. layers.Select(layer => new LayerAnalysis(
                    layer.Name, layer is AdderNode, layer.Weights.ToFloats(), inputs[layer.Inputs[0]],
                    work.Layers.TryGetValue(layer.Name, out TapStatistics taps) ? taps : null,
                    Behind<BatchNormNode>(graph, layer)?.Weight is { } gamma ? [.. gamma.ToFloats().Select(Math.Abs)] : null,
                    relus[layer.Name] is { } relu ? dead[relu] : null)),
            ],
            findsBoxes ? [] : GradientsOf(graph, images, labels, recipe), OperationCounts.Of(graph.Nodes), work.Operations);
    }

    /// <summary>The first node of a kind that a layer's output reaches through BatchNorm and residual sums alone; null for none.</summary>
    private static T? Behind<T>(NetworkGraph graph, GraphNode layer)
        where T : GraphNode
    {
        GraphNode? node = layer;
        do
        {
            node = graph.Nodes.FirstOrDefault(reader => reader.Inputs.Contains(node!.Name));
        }
        while (node is not (T or null) && node is BatchNormNode or AddNode);
        return node as T;
    }

    private static (Dictionary<string, ValueSample> Inputs, Dictionary<string, int> Dead) Look(
        NetworkGraph graph, string[] inputs, string[] relus, float[] images, int? threads)
    {
        int count = images.Length / graph.Inputs[0].Shape.Count;
        Dictionary<string, (double Smallest, double Largest, List<float> Sample, long Seen)> met =
            inputs.ToDictionary(name => name, _ => (double.PositiveInfinity, double.NegativeInfinity, new List<float>(), 0L));
        Dictionary<string, bool[]> alive = relus.ToDictionary(name => name, name => new bool[graph[name].Shape.Channels]);
        Inspection.Look(graph, [.. inputs, .. relus], images, (node, values) =>
        {
            if (met.TryGetValue(node.Name, out var known))
            {
                // An odd step meets every channel and column.
                long step = Math.Max(1, (long)count * values.Length / SampleSize) | 1;
                foreach (float value in values)
                {
                    known.Smallest = Math.Min(known.Smallest, value);
                    known.Largest = Math.Max(known.Largest, value);
                    if (known.Seen++ % step == 0)
                    {
                        known.Sample.Add(value);
                    }
                }

                met[node.Name] = known;
            }

            if (alive.TryGetValue(node.Name, out bool[]? channels))
            {
                for (int c = 0; c < channels.Length; c++)
                {
                    channels[c] |= values.Slice(c * node.Shape.Pixels, node.Shape.Pixels).IndexOfAnyExcept(0f) >= 0;
                }
            }
        }, threads);
        return (
            met.ToDictionary(m => m.Key, m => new ValueSample(m.Value.Smallest, m.Value.Largest, [.. m.Value.Sample])),
            alive.ToDictionary(a => a.Key, a => a.Value.Count(lives => !lives)));
    }

    private static IReadOnlyList<GradientNorm> GradientsOf(NetworkGraph graph, float[] images, long[] labels, Recipe recipe)
    {
        nn.Module<Tensor, Tensor> model;
        try
        {
            model = graph.ToModule(recipe.WeightGradient, recipe.InputGradient);
        }
        catch (GraphException)
        {
            return [];
        }

        using (model)
        {
            using var scope = NewDisposeScope();
            FeatureShape shape = graph.Inputs[0].Shape;
            int count = Math.Min(labels.Length, GradientImages);
            Tensor x = tensor(images[..(count * shape.Count)], [count, shape.Channels, shape.Height, shape.Width]);
            double eta = recipe.GradientTransforms.OfType<AdaptiveScaling>().FirstOrDefault()?.Eta ?? new AdaptiveScaling().Eta;
            return LayerMeasurements.GradientNorms(model, x, tensor(labels[..count]), LearningRateScaling.Adaptive(eta));
        }
    }
}
