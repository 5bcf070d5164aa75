using AdderNet.Checkpoints;
using AdderNet.Graph;
using TorchSharp;
using static TorchSharp.torch;
using Module = TorchSharp.torch.nn.Module<TorchSharp.torch.Tensor, TorchSharp.torch.Tensor>;

namespace AdderNet.Models;

/// <summary>Makes a TorchSharp model of a <see cref="NetworkGraph"/>, to train it on: the way back from <see cref="ModuleGraph"/>.</summary>
public static class GraphModule
{
    /// <summary>A model that computes what a graph does, with its weights.</summary>
    /// <param name="graph">A float32 network as it was trained: from one map to one output, without epilogues.</param>
    /// <param name="gradient">The gradient that adder filters get.</param>
    /// <param name="inputGradient">The gradient that adder layers hand on.</param>
    /// <returns>A module from [N, C, H, W] in training mode, whose state_dict has the graph's names. <see cref="ModuleGraph.ToGraph"/> gives the
    /// graph back, with the input named <c>input</c> and the output <c>output</c>.</returns>
    /// <exception cref="GraphException">The network has several inputs or outputs, or a node that has no module; the message names it.</exception>
    public static Module ToModule(
        this NetworkGraph graph, WeightGradient gradient = WeightGradient.FullPrecision, InputGradient inputGradient = InputGradient.Clipped)
    {
        ArgumentNullException.ThrowIfNull(graph);
        if (graph.Inputs is not [InputNode { Shape.IsVector: false } input] || graph.Outputs is not [GraphOutput output])
        {
            throw new GraphException("Only networks from one map [C, H, W] to one output can be made modules.");
        }

        HashSet<string> needed = [output.Node];
        GraphNode[] nodes = [.. graph.Nodes.Reverse().Where(node => needed.Contains(node.Name)).Select(node =>
        {
            needed.UnionWith(node.Inputs);
            return node;
        })];
        Array.Reverse(nodes);
        Dictionary<string, int> readers = nodes.SelectMany(node => node.Inputs).CountBy(name => name).ToDictionary();
        WiredNetwork network = new([.. nodes.Where(node => node != input).Select(ToWire)]);
        StateDict.LoadInto(network, nodes.SelectMany(node => node.Tensors.Select(t => KeyValuePair.Create($"{node.Name}.{t.Key}", t.Value))).ToDictionary());
        return network;

        Wire ToWire(GraphNode node)
        {
            string[] inputs = [.. node.Inputs.Select(name => name == input.Name ? WiredNetwork.InputName : name)];
            return node switch
            {
                AddNode => new Wire(node.Name, inputs, Join.Sum),
                ConcatenateNode => new Wire(node.Name, inputs, Join.Concatenation),
                // A BatchNorm's and a sum's output is kept for no gradient, so that it may be overwritten where nobody else reads it.
                ReluNode => new Wire(node.Name, inputs, Layer: nn.ReLU(
                    inplace: readers[node.Inputs[0]] == 1 && graph[node.Inputs[0]] is BatchNormNode or AddNode)),
                _ => new Wire(node.Name, inputs, Layer: Layer(node), LayerName: node.Tensors.Any() ? node.Name : null),
            };
        }

        Module Layer(GraphNode node) => node switch
        {
            LayerNode { Epilogue: not null } => throw Unsupported(node, "it is fused with what follows it"),
            AdderNode layer => Layers.Adder2d(
                graph[node.Inputs[0]].Shape.Channels, node.Shape.Channels, Kernel(layer.Window), Stride(layer.Window), Padding(layer.Window),
                Dilation(layer.Window), layer.Groups, layer.Bias is not null, gradient, inputGradient),
            ConvolutionNode layer => nn.Conv2d(
                graph[node.Inputs[0]].Shape.Channels, node.Shape.Channels, Kernel(layer.Window), Stride(layer.Window), Padding(layer.Window),
                Dilation(layer.Window), groups: layer.Groups, bias: layer.Bias is not null).Ordered(),
            LinearNode layer => nn.Linear(layer.Weight.Shape[1], layer.Weight.Shape[0], layer.Bias is not null),
            BatchNormNode norm when (norm.Weight is null) != (norm.Bias is null) =>
                throw Unsupported(node, "it scales without shifting, or shifts without scaling"),
            BatchNormNode norm => new SynchronizableBatchNorm(node.Shape.Channels, norm.Epsilon, affine: norm.Weight is not null),
            HardTanhNode { Minimum: 0, Maximum: 6 } => nn.ReLU6(),
            SigmoidNode => nn.Sigmoid(),
            MaxPoolNode pool => nn.MaxPool2d(Kernel(pool.Window), Stride(pool.Window), Padding(pool.Window), Dilation(pool.Window)),
            AveragePoolNode pool => nn.AvgPool2d(
                Kernel(pool.Window), Stride(pool.Window), Padding(pool.Window), count_include_pad: pool.CountsPadding),
            GlobalAveragePoolNode => nn.AdaptiveAvgPool2d(1),
            ChannelShuffleNode shuffle => nn.ChannelShuffle(shuffle.Groups),
            SelectChannelsNode select => new SelectChannels(select.Channels),
            ShiftNode shift => new Shift(shift.Rows, shift.Columns),
            FlattenNode => nn.Flatten(),
            _ => throw Unsupported(node, $"a {node.GetType().Name[..^"Node".Length]} has no module"),
        };
    }

    private static (long, long) Kernel(WindowGeometry w) => (w.KernelH, w.KernelW);

    private static (long, long) Stride(WindowGeometry w) => (w.StrideH, w.StrideW);

    private static (long, long) Padding(WindowGeometry w) => (w.PaddingH, w.PaddingW);

    private static (long, long) Dilation(WindowGeometry w) => (w.DilationH, w.DilationW);

    private static GraphException Unsupported(GraphNode node, string why) => new($"The node '{node.Name}' can't be trained: {why}.");
}
