namespace AdderNet.Graph;

/// <summary>The pass that lets layers finish their own outputs.</summary>
public static class GraphFusion
{
    /// <summary>
    /// The same network with fewer steps: a BatchNorm, a residual sum and a ReLU or hard-tanh, in this order and each where it is there, go
    /// into the <see cref="Epilogue"/> of the layer before them, if nothing else reads what lies between. The layer keeps its name. What is done
    /// to each channel of several layers' outputs behind each other is done to each layer's.
    /// </summary>
    /// <param name="graph">The network.</param>
    /// <returns>A new graph. It gives the same values but for rounding.</returns>
    public static NetworkGraph Fuse(this NetworkGraph graph)
    {
        ArgumentNullException.ThrowIfNull(graph);
        graph = DividedConcatenations.Of(graph);
        Dictionary<string, int> readers = graph.Readers();
        // Nodes by the names that the new graph has; what was folded is found under its layer's name.
        OrderedDictionary<string, GraphNode> fused = [];
        Dictionary<string, string> renamed = [];
        foreach (GraphNode original in graph.Nodes)
        {
            GraphNode node = original with { Inputs = [.. original.Inputs.Select(input => renamed[input])] };
            LayerNode? layer = Candidates(node).FirstOrDefault();
            if (layer is null)
            {
                renamed[original.Name] = node.Name;
                fused.Add(node.Name, node);
                continue;
            }

            // It stands where the last of its inputs is known.
            fused.Remove(layer.Name);
            fused.Add(layer.Name, Absorb(layer, node));
            renamed[original.Name] = layer.Name;
            readers[layer.Name] = readers.GetValueOrDefault(original.Name);
        }

        return new NetworkGraph(
            fused.Values, graph.Outputs.Select(output => output with { Node = renamed[output.Node] }), graph.Metadata);

        // The first summand is a block's last layer, rather than the layer of its shortcut.
        IEnumerable<LayerNode> Candidates(GraphNode node) =>
            node.Inputs.Where(input => readers[input] == 1).Select(input => fused[input]).OfType<LayerNode>().Where(layer => Fits(layer, node));
    }

    /// <summary>How many nodes and outputs read each node's value.</summary>
    internal static Dictionary<string, int> Readers(this NetworkGraph graph) =>
        graph.Nodes.SelectMany(node => node.Inputs).Concat(graph.Outputs.Select(output => output.Node)).CountBy(name => name).ToDictionary();

    private static bool Fits(LayerNode layer, GraphNode node)
    {
        Epilogue done = layer.Epilogue ?? new Epilogue();
        bool bounded = done is not { Minimum: null, Maximum: null };
        return node switch
        {
            BatchNormNode => done is { Mean: null, Scale: null, Shift: null, AddsResidual: false } && !bounded,
            AddNode => node.Inputs.Count == 2 && !done.AddsResidual && !bounded,
            ReluNode or HardTanhNode => !bounded,
            _ => false,
        };
    }

    private static LayerNode Absorb(LayerNode layer, GraphNode node)
    {
        Epilogue done = layer.Epilogue ?? new Epilogue();
        return node switch
        {
            BatchNormNode norm => layer with { Bias = null, Epilogue = norm.ToEpilogue(layer.Bias) },
            AddNode add => layer with
            {
                Inputs = [.. layer.Inputs, add.Inputs.First(input => input != layer.Name)],
                Epilogue = done with { AddsResidual = true },
            },
            ReluNode => layer with { Epilogue = done with { Minimum = 0 } },
            HardTanhNode hardTanh => layer with { Epilogue = done with { Minimum = hardTanh.Minimum, Maximum = hardTanh.Maximum } },
            _ => throw new ArgumentException($"A {node.GetType().Name} cannot be folded.", nameof(node)),
        };
    }
}
