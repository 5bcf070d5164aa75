using AdderNet.Checkpoints;
using AdderNet.Graph;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using Module = TorchSharp.torch.nn.Module;

namespace AdderNet.Models;

/// <summary>Reads a TorchSharp model as a <see cref="NetworkGraph"/>.</summary>
public static class ModuleGraph
{
    private const string Supported =
        "Sequential, the models of this library, Versatile2d, Adder2d, Conv2d, Linear, BatchNorm1d, BatchNorm2d, ReLU, ReLU6, Hardtanh, Sigmoid, MaxPool2d, "
        + "AvgPool2d, AdaptiveAvgPool2d(1), Upsample (nearest), ChannelShuffle, Flatten, Dropout and Identity";

    /// <summary>
    /// What a model computes at inference, as data: BatchNorm with its running statistics, no dropout. The graph has one input named
    /// <c>input</c> and one output named <c>output</c>; the other nodes have the names of the modules.
    /// </summary>
    /// <param name="model">A model of this library, or one made of the modules it knows, in any mode; it is only read.</param>
    /// <param name="input">The size of one image, [C, H, W].</param>
    /// <param name="metadata">What the model is for.</param>
    /// <returns>The graph. It has copies of the weights of this moment.</returns>
    /// <exception cref="GraphException">A module, or an option of one, cannot be described in a graph, or the input does not fit; the
    /// message names the module.</exception>
    public static NetworkGraph ToGraph(this nn.Module<Tensor, Tensor> model, FeatureShape input, NetworkMetadata? metadata = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        Reader reader = new();
        string end = reader.Read(model, "", reader.Add(InputNode.Of("input", input)));
        return new NetworkGraph(reader.Nodes, [new GraphOutput("output", end)], metadata);
    }

    /// <summary>The nodes read so far; each step returns the name of the node that its module's output is.</summary>
    private sealed class Reader
    {
        private readonly Dictionary<Module, GraphNode> read = [];

        public List<GraphNode> Nodes { get; } = [];

        public string Add(GraphNode node)
        {
            Nodes.Add(node);
            return node.Name;
        }

        public string Read(Module module, string path, string input)
        {
            // A layer that is the whole model has no name in it.
            string name = path.Length > 0 ? path : module.GetName();
            return module switch
            {
                Sequential sequence => ReadAll(sequence.named_children(), path, input),
                Residual block => ReadBlock(block, path, input),
                WiredNetwork network => ReadWires(network, path, input),
                Versatile2d layer => ReadVersatile(layer, name, input),
                Dropout or Dropout1d or Dropout2d or AlphaDropout or Identity => input,
                // A layer that stands in several places has one set of weights.
                _ => Add(read.TryGetValue(module, out GraphNode? same)
                    ? same with { Name = name, Inputs = [input] }
                    : read[module] = Node(module, name, [input])),
            };
        }

        private string ReadWires(WiredNetwork network, string path, string input)
        {
            Dictionary<string, string> nodes = new() { [WiredNetwork.InputName] = input };
            string last = input;
            foreach (Wire wire in network.Wires)
            {
                string name = Within(path, wire.Name);
                string[] inputs = [.. wire.Inputs.Select(i => nodes[i])];
                // A layer behind a join is read under the step's name, the join beside it.
                string joined = wire.Layer is null ? name : $"{name}.join";
                last = wire.Join switch
                {
                    Join.Sum => Add(new AddNode { Name = joined, Inputs = inputs }),
                    Join.Concatenation => Add(new ConcatenateNode { Name = joined, Inputs = inputs }),
                    Join.Product => Add(new MultiplyNode { Name = joined, Inputs = inputs }),
                    _ => inputs[0],
                };
                nodes[wire.Name] = last = wire.Layer is null ? last : Read(wire.Layer, name, last);
            }

            return last;
        }

        /// <summary>A layer for each kind of secondary filters; those that only see other channels share the tensor.</summary>
        private string ReadVersatile(Versatile2d layer, string name, string input)
        {
            Dictionary<int, string> parts = [];
            foreach (int start in layer.Filters.Starts.Where(_ => layer.Filters.ChannelsLeftOut > 0))
            {
                int[] channels = [.. Enumerable.Range(start, layer.Seen)];
                parts[start] = Add(new SelectChannelsNode { Name = Within(name, $"channels{start}"), Inputs = [input], Channels = channels });
            }

            FilterNode primary = (FilterNode)Node(layer.Primary, Within(name, "primary"), [input]);
            FilterNode[] inner = [.. layer.Filters.Borders(primary.Window.KernelH).Select(border => border == 0 ? primary : primary.WithoutBorder(border))];
            string[] outputs = [.. layer.Secondary.Select((secondary, i) => Add(inner[secondary.Border] with
            {
                Name = i == 0 ? primary.Name : Within(name, $"secondary{i}"),
                Inputs = [parts.GetValueOrDefault(secondary.Start, input)],
            }))];
            return Add(new ConcatenateNode { Name = name, Inputs = outputs });
        }

        private string ReadAll(IEnumerable<(string Name, Module Layer)> layers, string path, string input) =>
            layers.Aggregate(input, (x, layer) => Read(layer.Layer, Within(path, layer.Name), x));

        private string ReadBlock(Residual block, string path, string input)
        {
            string body = ReadAll(block.named_children().Where(child => block.Body.Contains(child.module)), path, input);
            string shortcut = block.Downsample is null ? input : Read(block.Downsample, Within(path, "downsample"), input);
            string sum = Add(new AddNode { Name = Within(path, "sum"), Inputs = [body, shortcut] });
            return block.Relu ? Add(new ReluNode { Name = Within(path, "sum.relu"), Inputs = [sum] }) : sum;
        }

        private static string Within(string path, string name) => path.Length > 0 ? $"{path}.{name}" : name;
    }

    private static GraphNode Node(Module module, string name, IReadOnlyList<string> inputs) => module switch
    {
        Adder2d layer => new AdderNode
        {
            Name = name,
            Inputs = inputs,
            Filters = layer.Filters.ToTensorData(),
            Bias = layer.Bias?.ToTensorData(),
            Window = layer.Window,
            Groups = (int)layer.Groups,
        },
        BinaryConv2d layer => new BinaryConvolutionNode
        {
            Name = name,
            Inputs = inputs,
            Filters = layer.Weight.ToTensorData(),
            Window = Window(layer.Weight.shape[2..], layer.Stride, layer.Padding),
            Groups = (int)layer.Groups,
            Rule = layer.Rule,
        },
        Conv2d { padding_mode: PaddingModes.Zeros } layer => new ConvolutionNode
        {
            Name = name,
            Inputs = inputs,
            Filters = layer.weight!.ToTensorData(),
            Bias = layer.bias?.ToTensorData(),
            Window = Window(layer.kernel_size, layer.stride, Padding(layer, name), layer.dilation),
            Groups = (int)layer.groups,
        },
        Linear layer => new LinearNode
        {
            Name = name,
            Inputs = inputs,
            Weight = layer.weight!.ToTensorData(),
            Bias = layer.bias?.ToTensorData(),
        },
        BatchNorm1d or BatchNorm2d or SynchronizableBatchNorm => Norm((BatchNorm)module, name, inputs),
        ReLU => new ReluNode { Name = name, Inputs = inputs },
        ReLU6 => new HardTanhNode { Name = name, Inputs = inputs, Minimum = 0, Maximum = 6 },
        Hardtanh layer => new HardTanhNode { Name = name, Inputs = inputs, Minimum = (float)layer.min_val, Maximum = (float)layer.max_val },
        Sigmoid => new SigmoidNode { Name = name, Inputs = inputs },
        MaxPool2d { ceil_mode: false } layer => new MaxPoolNode
        {
            Name = name,
            Inputs = inputs,
            Window = Window(layer.kernel_size, layer.stride ?? layer.kernel_size, layer.padding, layer.dilation),
        },
        AvgPool2d { ceil_mode: false, divisor_override: null } layer => new AveragePoolNode
        {
            Name = name,
            Inputs = inputs,
            Window = Window(layer.kernel_size, layer.stride ?? layer.kernel_size, layer.padding),
            CountsPadding = layer.count_include_pad,
        },
        AdaptiveAvgPool2d { output_size: [1] or [1, 1] } => new GlobalAveragePoolNode { Name = name, Inputs = inputs },
        Upsample { mode: UpsampleMode.Nearest, scale_factor: [double rows, double columns] } when rows == columns && rows is 2 or 3 or 4 or 8 =>
            new UpsampleNode { Name = name, Inputs = inputs, Factor = (int)rows },
        SelectChannels layer => new SelectChannelsNode { Name = name, Inputs = inputs, Channels = layer.Channels },
        Shift layer => new ShiftNode { Name = name, Inputs = inputs, Rows = layer.Rows, Columns = layer.Columns },
        ChannelShuffle layer => new ChannelShuffleNode { Name = name, Inputs = inputs, Groups = (int)layer.groups },
        Flatten { start_dim: 1, end_dim: -1 or 3 } => new FlattenNode { Name = name, Inputs = inputs },
        Conv2d => throw Unsupported(name, module, "a padding of other values than zeros"),
        MaxPool2d or AvgPool2d => throw Unsupported(name, module, "ceil_mode or divisor_override"),
        AdaptiveAvgPool2d layer => throw Unsupported(name, module, $"an output of {string.Join("x", layer.output_size)}, only of 1x1,"),
        Flatten => throw Unsupported(name, module, "other dimensions than all but the batch"),
        _ => throw new GraphException(
            $"The module '{name}' ({module.GetType().Name}) cannot be described in a graph; what can is {Supported}."),
    };

    private static BatchNormNode Norm(BatchNorm layer, string name, IReadOnlyList<string> inputs) => new()
    {
        Name = name,
        Inputs = inputs,
        Weight = layer.weight?.ToTensorData(),
        Bias = layer.bias?.ToTensorData(),
        RunningMean = layer.running_mean?.ToTensorData() ?? throw Unsupported(name, layer, "statistics of each batch"),
        RunningVariance = layer.running_var!.ToTensorData(),
        Epsilon = layer.eps,
    };

    private static long[] Padding(Conv2d layer, string name) => layer.padding_type switch
    {
        null => layer.padding!,
        TorchSharp.Padding.Valid => [0, 0],
        _ when layer.dilation.Zip(layer.kernel_size).All(d => d.First * (d.Second - 1) % 2 == 0) =>
            [.. layer.dilation.Zip(layer.kernel_size, (dilation, kernel) => dilation * (kernel - 1) / 2)],
        _ => throw Unsupported(name, layer, "a padding that is wider on one side"),
    };

    /// <summary>A window of PyTorch's lists, which have one number for both directions or two.</summary>
    private static WindowGeometry Window(long[] kernel, long[] stride, long[]? padding, long[]? dilation = null) => new(
        (int)kernel[0], (int)kernel[^1], (int)stride[0], (int)stride[^1], (int)(padding?[0] ?? 0), (int)(padding?[^1] ?? 0),
        (int)(dilation?[0] ?? 1), (int)(dilation?[^1] ?? 1));

    private static GraphException Unsupported(string name, Module module, string what) =>
        new($"The module '{name}' ({module.GetType().Name}) cannot be described in a graph with {what}.");
}
