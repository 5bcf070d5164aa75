using System.Collections.Frozen;
using static AdderNet.Checkpoints.CheckpointText;

namespace AdderNet.Graph;

/// <summary>What a network gives: the value of a node by the name that its user knows.</summary>
/// <param name="Name">The name, e.g. <c>scores</c>.</param>
/// <param name="Node">The node that computes it.</param>
public sealed record GraphOutput(string Name, string Node);

/// <summary>
/// A network as data, for inference: nodes in an order in which each stands after those it reads. It never changes; passes make new graphs,
/// which share the weights.
/// </summary>
public sealed class NetworkGraph
{
    private readonly FrozenDictionary<string, GraphNode> byName;

    /// <summary>Puts nodes together and works out the shape of each from its inputs'.</summary>
    /// <param name="nodes">The nodes, each after those it reads; where a <see cref="GraphNode.Shape"/> is set it must be the right one.</param>
    /// <param name="outputs">What the network gives, at least one value.</param>
    /// <param name="metadata">What it was made for.</param>
    /// <exception cref="GraphException">A name is used twice or not defined before it is read, shapes or weights do not fit, or there is no
    /// input or no output, or a detector's output is none.</exception>
    public NetworkGraph(IEnumerable<GraphNode> nodes, IEnumerable<GraphOutput> outputs, NetworkMetadata? metadata = null)
    {
        ArgumentNullException.ThrowIfNull(nodes);
        ArgumentNullException.ThrowIfNull(outputs);
        Dictionary<string, GraphNode> known = [];
        List<GraphNode> shaped = [];
        foreach (GraphNode node in nodes)
        {
            GraphNode complete = node.WithShape(known);
            if (!known.TryAdd(node.Name, complete))
            {
                throw new GraphException($"Two nodes are named '{Shown(node.Name)}'.");
            }

            shaped.Add(complete);
        }

        byName = known.ToFrozenDictionary();
        (Nodes, Outputs, Metadata) = (shaped, [.. outputs], metadata ?? new NetworkMetadata());
        Inputs = [.. Nodes.OfType<InputNode>()];
        if (Inputs.Count == 0 || Outputs.Count == 0)
        {
            throw new GraphException("A network needs at least one input and one output.");
        }

        if (Outputs.FirstOrDefault(output => !byName.ContainsKey(output.Node)) is { } missing)
        {
            throw new GraphException($"The output '{Shown(missing.Name)}' is of a node '{Shown(missing.Node)}', which there is not.");
        }

        if (Outputs.DistinctBy(output => output.Name).Count() < Outputs.Count)
        {
            throw new GraphException("Two outputs have the same name.");
        }

        Metadata.Boxes?.Check(Metadata.ClassNames?.Count ?? 0, [.. Outputs.Select(output => byName[output.Node].Shape)]);
    }

    /// <summary>All nodes, each after those it reads.</summary>
    public IReadOnlyList<GraphNode> Nodes { get; }

    /// <summary>The nodes that stand for what the network is given.</summary>
    public IReadOnlyList<InputNode> Inputs { get; }

    /// <summary>What the network gives.</summary>
    public IReadOnlyList<GraphOutput> Outputs { get; }

    /// <summary>What the network was made for.</summary>
    public NetworkMetadata Metadata { get; }

    /// <summary>The node of a name.</summary>
    /// <exception cref="KeyNotFoundException">There is none.</exception>
    public GraphNode this[string name] => byName[name];

    /// <summary>The same network with other metadata.</summary>
    public NetworkGraph With(NetworkMetadata metadata) => new(Nodes, Outputs, metadata);
}
