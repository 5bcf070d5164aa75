using AdderNet.Checkpoints;

namespace AdderNet.Graph;

/// <summary>
/// Moves a BatchNorm, a ReLU or a hard-tanh from behind a concatenation of layers' outputs before it, in as many parts as it joins, where each
/// becomes part of its layer.
/// </summary>
internal static class DividedConcatenations
{
    /// <summary>The same network; the last thing that is done to the channels has lent its name to the concatenation.</summary>
    public static NetworkGraph Of(NetworkGraph graph)
    {
        Dictionary<string, int> readers = graph.Readers();
        OrderedDictionary<string, GraphNode> nodes = [];
        bool moved = false;
        foreach (GraphNode node in graph.Nodes)
        {
            if (node is BatchNormNode or ReluNode or HardTanhNode
                && readers.GetValueOrDefault(node.Inputs[0]) == 1 && nodes[node.Inputs[0]] is ConcatenateNode joined
                && joined.Inputs.Distinct().Count() == joined.Inputs.Count && joined.Inputs.All(EndsLayer)
                && Parts(node, joined) is var parts && !parts.Any(part => nodes.ContainsKey(part.Name) || readers.ContainsKey(part.Name)))
            {
                moved = true;
                nodes.Remove(joined.Name);
                foreach (GraphNode part in parts)
                {
                    nodes.Add(part.Name, part);
                    readers[part.Name] = 1;
                }

                nodes.Add(node.Name, joined with { Name = node.Name, Inputs = [.. parts.Select(part => part.Name)] });
            }
            else
            {
                nodes.Add(node.Name, node);
            }
        }

        return moved ? new NetworkGraph(nodes.Values, graph.Outputs, graph.Metadata) : graph;

        bool EndsLayer(string name) => readers[name] == 1
            && (nodes[name] is LayerNode || (nodes[name] is BatchNormNode or ReluNode or HardTanhNode && EndsLayer(nodes[name].Inputs[0])));

        GraphNode[] Parts(GraphNode node, ConcatenateNode joined)
        {
            int from = 0;
            return [.. joined.Inputs.Select((input, i) =>
            {
                FeatureShape shape = nodes[input].Shape;
                GraphNode part = node with { Name = $"{node.Name}.{i}", Inputs = [input], Shape = shape };
                from += shape.Channels;
                return part is BatchNormNode norm ? Some(norm, from - shape.Channels, shape.Channels) : part;
            })];
        }
    }

    private static BatchNormNode Some(BatchNormNode norm, int from, int count)
    {
        return norm with
        {
            Weight = norm.Weight is null ? null : Some(norm.Weight),
            Bias = norm.Bias is null ? null : Some(norm.Bias),
            RunningMean = Some(norm.RunningMean),
            RunningVariance = Some(norm.RunningVariance),
        };

        TensorData Some(TensorData tensor)
        {
            int bytes = tensor.Data.Length / tensor.Count;
            return new(tensor.Dtype, [count], tensor.Data.Slice(from * bytes, count * bytes));
        }
    }
}
