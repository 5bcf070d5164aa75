using AdderNet.Graph;

namespace AdderNet.Inference;

/// <summary>Looks at values within a network.</summary>
public static class Inspection
{
    /// <summary>Bytes that the values of the images in flight may take.</summary>
    private const long Room = 1 << 26;
    private const int MostImages = 64;

    /// <summary>Shows what nodes give for some images.</summary>
    /// <param name="graph">A float32 network of one input.</param>
    /// <param name="nodes">The names of the nodes.</param>
    /// <param name="images">Images [N, C, H, W], prepared as the network takes them.</param>
    /// <param name="look">Is shown each node with its values [C, H, W] for each image, all nodes of an image one after another.</param>
    /// <param name="threads">Threads to compute with; null for one a processor.</param>
    /// <exception cref="ArgumentException">The images are no whole number of the network's inputs.</exception>
    /// <exception cref="InferenceException">The engine can't run the network, or a node has integer codes.</exception>
    public static void Look(
        NetworkGraph graph, IEnumerable<string> nodes, ReadOnlySpan<float> images, Action<GraphNode, ReadOnlySpan<float>> look, int? threads = null)
    {
        ArgumentNullException.ThrowIfNull(graph);
        ArgumentNullException.ThrowIfNull(nodes);
        ArgumentNullException.ThrowIfNull(look);
        GraphNode[] shown = [.. nodes.Distinct().Select(name => graph[name])];
        int length = graph.Inputs[0].Shape.Count;
        if (images.IsEmpty || images.Length % length != 0)
        {
            throw new ArgumentException($"There are {images.Length} values; images of {graph.Inputs[0].Shape} have {length} each.", nameof(images));
        }

        // Without its metadata, which may tell what the outputs are.
        using Engine engine = new(new NetworkGraph(graph.Nodes, shown.Select(node => new GraphOutput(node.Name, node.Name))), threads);
        int chunk = (int)Math.Clamp(Room / ((long)sizeof(float) * engine.OutputLength), 1, MostImages);
        float[] values = new float[Math.Min(chunk, images.Length / length) * engine.OutputLength];
        while (!images.IsEmpty)
        {
            int count = Math.Min(chunk, images.Length / length);
            Span<float> some = values.AsSpan(0, count * engine.OutputLength);
            engine.Run(images[..(count * length)], some);
            images = images[(count * length)..];
            foreach (int _ in Enumerable.Range(0, count))
            {
                foreach (GraphNode node in shown)
                {
                    look(node, some[..node.Shape.Count]);
                    some = some[node.Shape.Count..];
                }
            }
        }
    }

    /// <summary>The largest input that each adder layer meets.</summary>
    /// <param name="graph">A float32 network of one input.</param>
    /// <param name="images">Images [N, C, H, W], prepared as the network takes them.</param>
    /// <param name="threads">Threads to compute with; null for one a processor.</param>
    /// <returns>The values by the layers' names; padding's 0 is among the inputs.</returns>
    public static IReadOnlyDictionary<string, double> LargestInputs(NetworkGraph graph, ReadOnlySpan<float> images, int? threads = null)
    {
        ArgumentNullException.ThrowIfNull(graph);
        AdderNode[] layers = [.. graph.Nodes.OfType<AdderNode>()];
        Dictionary<string, double> largest = [];
        if (layers.Length > 0)
        {
            Look(graph, layers.Select(layer => layer.Inputs[0]), images, (node, values) =>
            {
                double most = largest.GetValueOrDefault(node.Name);
                foreach (float value in values)
                {
                    most = Math.Max(most, value);
                }

                largest[node.Name] = most;
            }, threads);
        }

        return layers.ToDictionary(layer => layer.Name, layer => largest[layer.Inputs[0]]);
    }
}
