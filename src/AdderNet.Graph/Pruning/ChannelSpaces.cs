namespace AdderNet.Graph;

/// <summary>The channels that one layer gives and that all nodes up to the next layers have.</summary>
/// <param name="channels">How many.</param>
/// <param name="producer">The layer; null for the network's input and what joins several.</param>
internal sealed class Space(int channels, LayerNode? producer)
{
    public int Channels => channels;

    public LayerNode? Producer => producer;

    /// <summary>The BatchNorms that scale them.</summary>
    public List<BatchNormNode> Norms { get; } = [];

    /// <summary>Why no channel can go; null where one can.</summary>
    public string? Bound { get; set; }

    /// <summary>The channels that stay, in order.</summary>
    public SortedSet<int> Left { get; } = [.. Enumerable.Range(0, channels)];

    /// <summary>How much each channel matters, the mean being 1.</summary>
    public double[] Scores()
    {
        double[] scores = [.. Norms.Select(norm => norm.Weight).FirstOrDefault(weight => weight is not null) is { } gamma
            ? gamma.ToFloats().Select(g => (double)Math.Abs(g))
            : producer!.Weights.ToFloats().Chunk(producer.SumLength).Select(filter => filter.Sum(w => (double)Math.Abs(w)))];
        double mean = Math.Max(scores.Average(), double.Epsilon);
        return [.. scores.Select(score => score / mean)];
    }
}

/// <summary>Finds which nodes share their channels.</summary>
internal sealed class ChannelSpaces
{
    private readonly Dictionary<string, (Space Space, int Each)> spaces = [];

    public ChannelSpaces(NetworkGraph graph)
    {
        foreach (GraphNode node in graph.Nodes)
        {
            spaces[node.Name] = Find(graph, node);
        }

        foreach (GraphOutput output in graph.Outputs)
        {
            Bind(output.Node, "the network gives it");
        }
    }

    /// <summary>All of them, in the order of their layers.</summary>
    public IEnumerable<Space> All => spaces.Values.Select(s => s.Space).Distinct();

    /// <summary>The channels of a node, and how many of its elements in a row each one has: more than one in a flattened map.</summary>
    public (Space Space, int Each) Of(string node) => spaces[node];

    private (Space, int) Find(NetworkGraph graph, GraphNode node)
    {
        int channels = node.Shape.Channels;
        switch (node)
        {
            case InputNode:
                return (new Space(channels, null) { Bound = "it is the input" }, 1);
            case FilterNode { Groups: > 1 } depthwise when depthwise.Groups == channels && depthwise.Filters.Shape[1] == 1
                && graph[node.Inputs[0]].Shape.Channels == channels:
                return spaces[node.Inputs[0]];
            case FilterNode { Groups: > 1 } grouped:
                Bind(node.Inputs[0], "it is read in groups");
                return (new Space(channels, grouped) { Bound = "its filters are in groups" }, 1);
            case BinaryConvolutionNode binary:
                Bind(node.Inputs[0], "it is read by a binary layer");
                return (new Space(channels, binary) { Bound = "it is a binary layer" }, 1);
            case LayerNode layer:
                return (new Space(channels, layer), 1);
            case BatchNormNode norm:
                (Space Space, int Each) normed = spaces[node.Inputs[0]];
                if (normed.Each == 1)
                {
                    normed.Space.Norms.Add(norm);
                }

                return normed;
            case FlattenNode:
                (Space space, int each) = spaces[node.Inputs[0]];
                return (space, each * graph[node.Inputs[0]].Shape.Pixels);
            case AddNode:
                return Join("it is part of a residual sum");
            case ReluNode or HardTanhNode or SigmoidNode or MaxPoolNode or AveragePoolNode or GlobalAveragePoolNode or UpsampleNode:
                return spaces[node.Inputs[0]];
            default:
                return Join("it is joined with others");
        }

        (Space, int) Join(string why)
        {
            foreach (string input in node.Inputs)
            {
                Bind(input, why);
            }

            return (new Space(channels, null) { Bound = why }, 1);
        }
    }

    private void Bind(string node, string why) => spaces[node].Space.Bound ??= why;
}
