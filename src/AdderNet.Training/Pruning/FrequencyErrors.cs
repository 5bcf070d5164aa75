using AdderNet.Graph;
using AdderNet.Inference;

namespace AdderNet.Training;

/// <summary>How far the outputs of layers are from what they were when <see cref="FrequencyPruning"/> has taken frequencies out of them.</summary>
public static class FrequencyErrors
{
    /// <summary>Measures each layer by itself, on the inputs that it has in the whole network.</summary>
    /// <param name="graph">The network before.</param>
    /// <param name="pruned">What was made of it.</param>
    /// <param name="images">Images [N, C, H, W], prepared as the network takes them.</param>
    /// <param name="threads">Threads to compute with; null for one a processor.</param>
    /// <returns>By the layers' names the sum of squared differences over the sum of squares around the mean, 0 for none.</returns>
    public static IReadOnlyDictionary<string, double> Of(
        NetworkGraph graph, FrequencyNetwork pruned, ReadOnlySpan<float> images, int? threads = null)
    {
        ArgumentNullException.ThrowIfNull(graph);
        ArgumentNullException.ThrowIfNull(pruned);
        if (pruned.Layers.Count == 0)
        {
            return new Dictionary<string, double>();
        }

        // Each layer's successors stand beside it and read what it reads.
        List<GraphNode> nodes = [.. graph.Nodes];
        List<string> shown = [];
        foreach (FrequencyLayer layer in pruned.Layers)
        {
            GraphNode sums = pruned.Graph[layer.Layer], waves = pruned.Graph[sums.Inputs[0]];
            string beside = $"{waves.Name} sums";
            nodes.AddRange(waves, sums with { Name = beside });
            shown.AddRange(layer.Layer, beside);
        }

        Dictionary<string, (double Missed, double Sum, double Squares, long Count)> seen = [];
        float[] exact = [];
        int at = 0;
        Inspection.Look(new NetworkGraph(nodes, graph.Outputs, graph.Metadata), shown, images, (node, values) =>
        {
            if (at++ % 2 == 0)
            {
                exact = values.ToArray();
                return;
            }

            string layer = shown[(at - 2) % shown.Count];
            (double missed, double sum, double squares, long count) = seen.GetValueOrDefault(layer);
            for (int i = 0; i < values.Length; i++)
            {
                double difference = values[i] - exact[i];
                (missed, sum, squares) = (missed + difference * difference, sum + exact[i], squares + (double)exact[i] * exact[i]);
            }

            seen[layer] = (missed, sum, squares, count + values.Length);
        }, threads);
        return seen.ToDictionary(
            pair => pair.Key,
            pair => pair.Value.Missed / Math.Max(pair.Value.Squares - pair.Value.Sum * pair.Value.Sum / pair.Value.Count, 1e-12 * pair.Value.Count));
    }
}
