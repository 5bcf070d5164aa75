using System.Globalization;
using AdderNet.Checkpoints;
using AdderNet.Graph;
using Onnx;
using static AdderNet.Export.OnnxProtos;

namespace AdderNet.Export;

/// <summary>Writes a graph as an ONNX model. A node keeps its name; a layer of several steps has nodes named <c>layer/step</c>.</summary>
internal sealed class OnnxWriter
{
    /// <summary>Who wrote a file.</summary>
    public const string Producer = "AdderNet";

    /// <summary>How the names of tensors begin that stand for a BatchNorm's missing weight and bias.</summary>
    public const string Ones = "ones.", Zeros = "zeros.";

    // What has come out by the names of graph nodes, and the names that are taken.
    private readonly Dictionary<string, string> values = [], outputNames = [];
    private readonly HashSet<string> taken;
    private readonly Dictionary<(TensorData Tensor, int Rank), string> tensors = [];
    private readonly SortedSet<string> functions = new(StringComparer.Ordinal);
    private readonly NetworkGraph graph;
    private readonly GraphProto body = new();

    private OnnxWriter(NetworkGraph graph)
    {
        this.graph = graph;
        string[] boxes = graph.Metadata.Boxes is null ? [] : [.. OnnxBoxes.Outputs];
        taken = [.. graph.Nodes.Select(node => node.Name), .. graph.Outputs.Select(output => output.Name), .. boxes];
        HashSet<string> outputs = [.. graph.Outputs.Where(output => output.Name != output.Node).Select(output => output.Name), .. boxes];
        foreach (GraphNode node in graph.Nodes)
        {
            values[node.Name] = outputs.Contains(node.Name) ? Free(node.Name) : node.Name;
        }

        foreach (GraphOutput output in graph.Outputs)
        {
            // Of a detector the boxes have the first right to their names.
            outputNames[output.Name] = !boxes.Contains(output.Name) ? output.Name
                : output.Name == output.Node ? values[output.Node] : Free(output.Name);
        }
    }

    /// <exception cref="GraphException">A node cannot be written.</exception>
    public static ModelProto Write(NetworkGraph graph)
    {
        ArgumentNullException.ThrowIfNull(graph);
        if (graph.Nodes.Any(node => node.Grid is not null))
        {
            throw new GraphException(
                "The network is quantized, and ONNX files are written of float32 networks; export the run or the weights that it was made "
                + "of.");
        }

        if (graph.Metadata.Boxes is not null
            && graph.Nodes.FirstOrDefault(node => node.Name.StartsWith(OnnxBoxes.Prefix, StringComparison.Ordinal)) is { } like)
        {
            throw new GraphException(
                $"The node '{like.Name}' is named like those that make boxes; give it a name that does not begin with {OnnxBoxes.Prefix}.");
        }

        OnnxWriter writer = new(graph);
        writer.body.Name = graph.Metadata.Model is { Length: > 0 } model ? model : "network";
        foreach (GraphNode node in graph.Nodes)
        {
            writer.Add(node);
        }

        foreach (GraphOutput output in graph.Outputs)
        {
            string name = writer.outputNames[output.Name];
            if (output.Name != output.Node)
            {
                NodeProto identity = Node("Identity", [writer.values[output.Node]], name);
                identity.Name = writer.Free($"{name}/output");
                writer.body.Node.Add(identity);
            }

            writer.body.Output.Add(Value(name, graph[output.Node].Shape));
        }

        if (graph.Metadata.Boxes is { } boxes)
        {
            writer.body.Output.Clear();
            OnnxBoxes.Add(writer.body, writer.outputNames[graph.Outputs[0].Name], boxes, graph.Metadata.ClassNames!.Count);
        }

        HashSet<string> known = [.. writer.outputNames.Values];
        writer.body.ValueInfo.AddRange(
            from node in graph.Nodes
            where node is not InputNode && !known.Contains(writer.values[node.Name])
            select Value(writer.values[node.Name], node.Shape, writer.IsDetector));
        return new ModelProto
        {
            IrVersion = 8,
            ProducerName = Producer,
            ProducerVersion = typeof(OnnxWriter).Assembly.GetName().Version!.ToString(3),
            Graph = writer.body,
            OpsetImport = { OperatorSets(writer.functions.Count > 0) },
            Functions = { writer.functions.Select(function => OnnxFunctions.All[function]) },
            MetadataProps = { OnnxMetadata.Write(graph.Metadata) },
        };
    }

    /// <summary>Whether it gives boxes, which it does for one image at a time.</summary>
    private bool IsDetector => graph.Metadata.Boxes is not null;

    private static IEnumerable<OperatorSetIdProto> OperatorSets(bool ours)
    {
        yield return new OperatorSetIdProto { Domain = "", Version = OnnxFunctions.Opset };
        if (ours)
        {
            yield return new OperatorSetIdProto { Domain = OnnxFunctions.Domain, Version = 1 };
        }
    }

    private void Add(GraphNode node)
    {
        switch (node)
        {
            case InputNode:
                body.Input.Add(Value(values[node.Name], node.Shape, IsDetector));
                break;
            case LayerNode layer:
                AddLayer(layer);
                break;
            case BatchNormNode norm:
                long[] channels = [norm.Shape.Channels];
                Emit(norm, Node(
                    "BatchNormalization",
                    [
                        values[norm.Inputs[0]],
                        norm.Weight is null ? Constant(Ones, 1, channels[0]) : Tensor(norm, "weight", norm.Weight, channels),
                        norm.Bias is null ? Constant(Zeros, 0, channels[0]) : Tensor(norm, "bias", norm.Bias, channels),
                        Tensor(norm, "running_mean", norm.RunningMean, channels),
                        Tensor(norm, "running_var", norm.RunningVariance, channels),
                    ],
                    node.Name, ("epsilon", (float)norm.Epsilon)));
                break;
            case ReluNode:
                Emit(node, Node("Relu", Inputs(node), node.Name));
                break;
            case HardTanhNode clip:
                Emit(node, Node(
                    "Clip", [.. Inputs(node), Number(node, "minimum", clip.Minimum), Number(node, "maximum", clip.Maximum)], node.Name));
                break;
            case SigmoidNode:
                Emit(node, Node("Sigmoid", Inputs(node), node.Name));
                break;
            case AddNode:
                Emit(node, Node(node.Inputs.Count == 2 ? "Add" : "Sum", Inputs(node), node.Name));
                break;
            case MultiplyNode:
                AddProduct(node);
                break;
            case MaxPoolNode pool:
                Emit(node, Node("MaxPool", Inputs(node), node.Name, [.. Kernel(pool.Window), ("dilations", Dilations(pool.Window))]));
                break;
            case AveragePoolNode pool:
                Emit(node, Node(
                    "AveragePool", Inputs(node), node.Name, [.. Kernel(pool.Window), ("count_include_pad", pool.CountsPadding ? 1 : 0)]));
                break;
            case GlobalAveragePoolNode:
                Emit(node, Node("GlobalAveragePool", Inputs(node), node.Name));
                break;
            case ConcatenateNode:
                Emit(node, Node("Concat", Inputs(node), node.Name, ("axis", 1)));
                break;
            case FlattenNode:
                Emit(node, Node("Flatten", Inputs(node), node.Name, ("axis", 1)));
                break;
            case UpsampleNode upsample:
                string scales = Free($"{node.Name}.scales");
                body.Initializer.Add(OnnxProtos.Tensor(scales, [1, 1, upsample.Factor, upsample.Factor], 4));
                Emit(node, Node(
                    "Resize", [.. Inputs(node), "", scales], node.Name, ("mode", "nearest"), ("coordinate_transformation_mode", "asymmetric"),
                    ("nearest_mode", "floor")));
                break;
            case ChannelShuffleNode shuffle:
                Emit(node, Call(OnnxFunctions.ChannelShuffle, Inputs(node), node.Name, ("groups", shuffle.Groups)));
                break;
            case SelectChannelsNode select:
                string picked = Integers(node, "channels", [.. select.Channels.Select(c => (long)c)]);
                Emit(node, Node("Gather", [.. Inputs(node), picked], node.Name, ("axis", 1)));
                break;
            case ShiftNode shift:
                AddShift(shift);
                break;
            default:
                throw new GraphException($"The node '{node.Name}' ({node.GetType().Name}) cannot be written to an ONNX file.");
        }
    }

    /// <summary>A layer and what it does before it writes an output, each a step that begins with what the one before it gave.</summary>
    private void AddLayer(LayerNode layer)
    {
        List<(string Step, NodeProto Node)> steps = [("sum", Sums(layer))];
        Epilogue epilogue = layer.Epilogue ?? new Epilogue();
        Channels("bias", "Add", layer is ConvolutionNode or LinearNode ? null : layer.Bias);
        Channels("mean", "Sub", epilogue.Mean);
        Channels("scale", "Mul", epilogue.Scale);
        Channels("shift", "Add", epilogue.Shift);
        if (epilogue.AddsResidual)
        {
            Next("residual", "Add", values[layer.Inputs[^1]]);
        }

        if (epilogue.IsRelu)
        {
            Next("bounds", "Relu");
        }
        else if (epilogue is not { Minimum: null, Maximum: null })
        {
            // An empty name stands for no bound.
            Next(
                "bounds", "Clip", epilogue.Minimum is { } minimum ? Number(layer, "minimum", minimum) : "",
                epilogue.Maximum is { } maximum ? Number(layer, "maximum", maximum) : "");
        }

        foreach ((int i, (string step, NodeProto node)) in steps.Index())
        {
            bool last = i == steps.Count - 1;
            if (steps.Count > 1)
            {
                node.Name = $"{layer.Name}/{step}";
            }

            if (i > 0)
            {
                node.Input[0] = steps[i - 1].Node.Output[0];
            }

            node.Output[0] = last ? values[layer.Name] : Free(node.Name);
            body.Node.Add(node);
        }

        void Channels(string step, string operation, TensorData? tensor)
        {
            if (tensor is not null)
            {
                ReadOnlySpan<long> shape = layer.Shape.IsVector ? [layer.Shape.Channels] : [layer.Shape.Channels, 1, 1];
                Next(step, operation, Tensor(layer, step, tensor, shape));
            }
        }

        void Next(string step, string operation, params string[] others) => steps.Add((step, Node(operation, ["", .. others], layer.Name)));
    }

    private NodeProto Sums(LayerNode layer)
    {
        string input = values[layer.Inputs[0]], role = layer is AdderNode ? "adder" : "weight";
        string weights = Tensor(layer, role, layer.Weights, layer.Weights.Shape);
        string[] bias = layer is ConvolutionNode or LinearNode && layer.Bias is not null
            ? [Tensor(layer, "bias", layer.Bias, [layer.Shape.Channels])]
            : [];
        return layer switch
        {
            AdderNode adder => Call(OnnxFunctions.Adder, [input, weights], layer.Name, Window(adder)),
            BinaryConvolutionNode binary => Call(
                binary.Rule == BinarizationRule.XnorNet ? OnnxFunctions.XnorNet : OnnxFunctions.DoReFa, [input, weights], layer.Name, Window(binary)),
            ConvolutionNode convolution => Node(
                "Conv", [input, weights, .. bias], layer.Name,
                [("kernel_shape", (long[])[convolution.Window.KernelH, convolution.Window.KernelW]), .. Window(convolution)]),
            LinearNode => Node("Gemm", [input, weights, .. bias], layer.Name, ("transB", 1)),
            _ => throw new GraphException($"The layer '{layer.Name}' ({layer.GetType().Name}) cannot be written to an ONNX file."),
        };
    }

    private void AddProduct(GraphNode node)
    {
        (FeatureShape map, FeatureShape factors) = (graph[node.Inputs[0]].Shape, graph[node.Inputs[1]].Shape);
        string factor = values[node.Inputs[1]];
        if (map.IsVector != factors.IsVector)
        {
            // [N, C] and [N, C, 1, 1] as each other.
            string name = Free($"{node.Name}/factors");
            body.Node.Add(map.IsVector
                ? Node("Flatten", [factor], name, ("axis", 1))
                : Node("Unsqueeze", [factor, Integers(node, "axes", 2, 3)], name));
            factor = name;
        }

        Emit(node, Node("Mul", [values[node.Inputs[0]], factor], node.Name));
    }

    private void AddShift(ShiftNode shift)
    {
        // Beyond the whole map there is nothing but zeros.
        int[] rows = [.. shift.Rows.Select(row => Math.Clamp(row, -shift.Shape.Height, shift.Shape.Height))];
        int[] columns = [.. shift.Columns.Select(column => Math.Clamp(column, -shift.Shape.Width, shift.Shape.Width))];
        int radiusH = rows.Max(Math.Abs), radiusW = columns.Max(Math.Abs), height = 2 * radiusH + 1, width = 2 * radiusW + 1;
        float[] oneHot = new float[checked(rows.Length * height * width)];
        for (int c = 0; c < rows.Length; c++)
        {
            oneHot[(c * height + radiusH + rows[c]) * width + radiusW + columns[c]] = 1;
        }

        string filters = Free($"{shift.Name}.weight");
        body.Initializer.Add(OnnxProtos.Tensor(filters, oneHot, rows.Length, 1, height, width));
        Emit(shift, Call(
            OnnxFunctions.Shift, [.. Inputs(shift), filters], shift.Name,
            ("pads", (long[])[radiusH, radiusW, radiusH, radiusW]), ("group", rows.Length)));
    }

    private void Emit(GraphNode node, NodeProto proto)
    {
        proto.Output[0] = values[node.Name];
        body.Node.Add(proto);
    }

    private NodeProto Call(string function, IEnumerable<string> inputs, string name, params ReadOnlySpan<(string, object)> attributes)
    {
        functions.Add(function);
        NodeProto node = Node(function, inputs, name, attributes);
        node.Domain = OnnxFunctions.Domain;
        return node;
    }

    private IEnumerable<string> Inputs(GraphNode node) => node.Inputs.Select(input => values[input]);

    private static (string, object)[] Window(FilterNode layer) =>
        [.. Kernel(layer.Window)[1..], ("dilations", Dilations(layer.Window)), ("group", layer.Groups)];

    private static (string, object)[] Kernel(WindowGeometry w) =>
    [
        ("kernel_shape", (long[])[w.KernelH, w.KernelW]), ("strides", (long[])[w.StrideH, w.StrideW]),
        ("pads", (long[])[w.PaddingH, w.PaddingW, w.PaddingH, w.PaddingW]),
    ];

    private static long[] Dilations(WindowGeometry w) => [w.DilationH, w.DilationW];

    /// <summary>A node's tensor; nodes that share one share it in the file, too.</summary>
    private string Tensor(GraphNode node, string role, TensorData tensor, ReadOnlySpan<long> shape)
    {
        if (!tensors.TryGetValue((tensor, shape.Length), out string? name))
        {
            tensors[(tensor, shape.Length)] = name = Free($"{node.Name}.{role}");
            body.Initializer.Add(OnnxProtos.Tensor(name, tensor, shape));
        }

        return name;
    }

    private string Number(GraphNode node, string role, float value)
    {
        string name = Free($"{node.Name}.{role}");
        body.Initializer.Add(OnnxProtos.Tensor(name, [value]));
        return name;
    }

    private string Integers(GraphNode node, string role, params long[] values)
    {
        string name = Free($"{node.Name}.{role}");
        body.Initializer.Add(new TensorProto
        {
            Name = name,
            DataType = (int)TensorProto.Types.DataType.Int64,
            Dims = { values.Length },
            Int64Data = { values },
        });
        return name;
    }

    /// <summary>As many of one number, once in the file.</summary>
    private string Constant(string kind, float value, long count)
    {
        string name = kind + count.ToString(CultureInfo.InvariantCulture);
        if (taken.Add(name))
        {
            float[] values = new float[count];
            Array.Fill(values, value);
            body.Initializer.Add(OnnxProtos.Tensor(name, values, count));
        }

        return name;
    }

    private string Free(string name)
    {
        while (!taken.Add(name))
        {
            name += "'";
        }

        return name;
    }
}
