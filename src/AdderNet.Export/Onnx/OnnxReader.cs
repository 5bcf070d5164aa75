using AdderNet.Checkpoints;
using AdderNet.Graph;
using Onnx;
using static AdderNet.Checkpoints.CheckpointText;

namespace AdderNet.Export;

/// <summary>
/// Makes a graph of an ONNX model: one of ours, whose nodes come back with their names, or a convolutional network as PyTorch's exporter
/// writes it, whose layers are named as their weights are in the state_dict.
/// </summary>
internal sealed class OnnxReader
{
    private const int OldestOpset = 9, NewestOpset = 25;

    private readonly string file;
    private readonly ModelProto model;
    private readonly bool ours;
    private readonly long opset;
    private readonly Dictionary<string, OnnxValue> values = [];
    private readonly Dictionary<string, int> readers;
    private readonly OrderedDictionary<string, GraphNode> nodes = [];

    private OnnxReader(ModelProto model, string file)
    {
        (this.model, this.file) = (model, file);
        ours = model.ProducerName == OnnxWriter.Producer;
        opset = model.OpsetImport.FirstOrDefault(set => set.Domain is "" or "ai.onnx")?.Version ?? 0;
        readers = model.Graph.Node.SelectMany(node => node.Input).Concat(model.Graph.Output.Select(output => output.Name))
            .CountBy(name => name).ToDictionary();
    }

    /// <exception cref="CheckpointException">It cannot be read.</exception>
    /// <exception cref="GraphException">Its nodes do not fit each other.</exception>
    public static NetworkGraph Read(ModelProto model, string file)
    {
        if (model.Graph is null || model.Graph.Node.Count == 0)
        {
            throw new CheckpointException($"{file} is no ONNX file, or one without a network in it.");
        }

        OnnxReader reader = new(model, file);
        return reader.opset is >= OldestOpset and <= NewestOpset
            ? reader.Read()
            : throw new CheckpointException(
                $"{file} uses version {reader.opset} of ONNX's operators; versions {OldestOpset} to {NewestOpset} can be read, so export it "
                + "with one of these.");
    }

    private NetworkGraph Read()
    {
        foreach (FunctionProto function in model.Functions)
        {
            if (function.Domain != OnnxFunctions.Domain || !function.Equals(OnnxFunctions.All.GetValueOrDefault(function.Name)))
            {
                throw new CheckpointException(
                    $"{file} has a function '{Shown(function.Name)}' that this version does not write; "
                    + "only networks of operators and of its own functions can be read.");
            }
        }

        foreach (TensorProto tensor in model.Graph.Initializer)
        {
            values[tensor.Name] = OnnxValue.Of(OnnxTensors.Read(tensor, $"{file}: the tensor '{Shown(tensor.Name)}'"), tensor.Name);
        }

        foreach (ValueInfoProto input in model.Graph.Input.Where(input => !values.ContainsKey(input.Name)))
        {
            values[input.Name] = Add(new InputNode { Name = input.Name, Shape = InputShape(input) }, input.Name);
        }

        NetworkMetadata metadata = OnnxMetadata.Read(model.MetadataProps);
        string? row = metadata.Boxes is null ? null : model.Graph.Node.FirstOrDefault(FindsBoxes)?.Input.FirstOrDefault();
        foreach (NodeProto node in model.Graph.Node.Where(node => row is null || !FindsBoxes(node)))
        {
            OnnxNode call = new(node, [.. node.Input.Select(name => name.Length == 0 ? OnnxValue.None : Value(node, name))], opset, file);
            if (node.Output.Count == 0)
            {
                throw call.Refused("gives nothing");
            }

            values[node.Output[0]] = Absorbed(call) ?? Compute(call);
        }

        // What makes boxes of a detector's output is no part of the network.
        IEnumerable<string> outputs = row is null ? model.Graph.Output.Select(output => output.Name) : [row];
        return new NetworkGraph(
            nodes.Values,
            outputs.Select(output => new GraphOutput(
                output,
                values.GetValueOrDefault(output)?.Node
                    ?? throw new CheckpointException($"{file}: the output '{Shown(output)}' is not computed from an input."))),
            metadata);
    }

    private bool FindsBoxes(NodeProto node) => ours && node.Name.StartsWith(OnnxBoxes.Prefix, StringComparison.Ordinal);

    private OnnxValue Value(NodeProto node, string name) => values.GetValueOrDefault(name)
        ?? throw new CheckpointException($"{file}: the node '{Shown(node.Name)}' reads '{Shown(name)}', which does not stand before it.");

    private FeatureShape InputShape(ValueInfoProto input)
    {
        TypeProto.Types.Tensor? type = input.Type?.TensorType;
        long[] sizes = [.. type?.Shape?.Dim.Skip(1).Select(size => size.HasDimValue ? size.DimValue : 0) ?? []];
        return type?.ElemType == (int)TensorProto.Types.DataType.Float && sizes.All(size => size is > 0 and <= int.MaxValue)
            ? sizes switch
            {
                [long length] => FeatureShape.Vector((int)length),
                [long channels, long height, long width] => new FeatureShape((int)channels, (int)height, (int)width),
                _ => throw Unfit(),
            }
            : throw Unfit();

        CheckpointException Unfit() => new(
            $"{file}: the input '{Shown(input.Name)}' is not float32 [N, C, H, W] or [N, F] with fixed sizes but for N; "
            + "export it for images of one size.");
    }

    /// <summary>A step of a layer of ours, taken into the layer; null for any other node.</summary>
    private OnnxValue? Absorbed(OnnxNode call)
    {
        if (!ours || call.Inputs is not [{ Node: { } name }, ..]
            || !nodes.TryGetValue(name, out GraphNode? node) || node is not LayerNode layer
            || !call.Name.StartsWith(name + "/", StringComparison.Ordinal))
        {
            return null;
        }

        Epilogue done = layer.Epilogue ?? new Epilogue();
        LayerNode? finished = (call.Name[(name.Length + 1)..], call.Operator) switch
        {
            ("bias", "Add") => layer with { Bias = call.PerChannel(1, layer.Shape) },
            ("mean", "Sub") => layer with { Epilogue = done with { Mean = call.PerChannel(1, layer.Shape) } },
            ("scale", "Mul") => layer with { Epilogue = done with { Scale = call.PerChannel(1, layer.Shape) } },
            ("shift", "Add") => layer with { Epilogue = done with { Shift = call.PerChannel(1, layer.Shape) } },
            ("residual", "Add") => layer with
            {
                Inputs = [.. layer.Inputs, call.Activation(1)],
                Epilogue = done with { AddsResidual = true },
            },
            ("bounds", "Relu") => layer with { Epilogue = done with { Minimum = 0 } },
            ("bounds", "Clip") => layer with { Epilogue = done with { Minimum = call.OptionalNumber(1), Maximum = call.OptionalNumber(2) } },
            _ => null,
        };
        if (finished is null)
        {
            return null;
        }

        nodes[name] = Shaped(finished);
        return OnnxValue.Of(nodes[name]);
    }

    private OnnxValue Compute(OnnxNode call)
    {
        string[] x = [.. call.Inputs.Where(input => input.Node is not null).Select(input => input.Node!)];
        switch (call.Domain, call.Operator)
        {
            case (OnnxFunctions.Domain, OnnxFunctions.Adder):
                return Layer(call, new AdderNode
                {
                    Name = "",
                    Inputs = [call.Activation(0)],
                    Filters = call.Tensor(1),
                    Window = call.Window(call.Tensor(1)),
                    Groups = call.Groups,
                });
            case (OnnxFunctions.Domain, OnnxFunctions.XnorNet or OnnxFunctions.DoReFa):
                return Layer(call, new BinaryConvolutionNode
                {
                    Name = "",
                    Inputs = [call.Activation(0)],
                    Filters = call.Tensor(1),
                    Window = call.Window(call.Tensor(1)),
                    Groups = call.Groups,
                    Rule = call.Operator == OnnxFunctions.XnorNet ? BinarizationRule.XnorNet : BinarizationRule.DoReFa,
                });
            case (OnnxFunctions.Domain, OnnxFunctions.ChannelShuffle):
                return Add(new ChannelShuffleNode { Name = "", Inputs = x, Groups = call.Integer("groups", 1) }, call);
            case (OnnxFunctions.Domain, OnnxFunctions.Shift):
                return Add(Shift(call), call);
            case (not ("" or "ai.onnx"), _):
                break;
            case (_, "Conv"):
                return Layer(call, new ConvolutionNode
                {
                    Name = "",
                    Inputs = [call.Activation(0)],
                    Filters = call.Tensor(1),
                    Bias = call.OptionalTensor(2),
                    Window = call.Window(call.Tensor(1)),
                    Groups = call.Groups,
                });
            case (_, "Gemm"):
                return Gemm(call);
            case (_, "MatMul"):
                return Layer(call, new LinearNode
                {
                    Name = "",
                    Inputs = [call.Activation(0)],
                    Weight = OnnxTensors.Transposed(call.Tensor(1), call),
                });
            case (_, "BatchNormalization"):
                return Norm(call);
            case (_, "Relu"):
                return Add(new ReluNode { Name = "", Inputs = x }, call);
            case (_, "Resize" or "Upsample"):
                return Resized(call);
            case (_, "Sigmoid"):
                return Add(new SigmoidNode { Name = "", Inputs = x }, call);
            case (_, "Clip"):
                return Add(new HardTanhNode
                {
                    Name = "",
                    Inputs = [call.Activation(0)],
                    Minimum = (opset < 11 ? call.OptionalFloat("min") : call.OptionalNumber(1)) ?? float.NegativeInfinity,
                    Maximum = (opset < 11 ? call.OptionalFloat("max") : call.OptionalNumber(2)) ?? float.PositiveInfinity,
                }, call);
            case (_, "Add" or "Sum") when x.Length == call.Inputs.Count:
                return Add(new AddNode { Name = "", Inputs = x }, call);
            case (_, "Mul") when x.Length == 2:
                return Add(new MultiplyNode { Name = "", Inputs = ShapeOf(x[1]).Count > ShapeOf(x[0]).Count ? [x[1], x[0]] : x }, call);
            case (_, "Add" or "Sub" or "Mul" or "Div") when x.Length == 1:
                return Affine(call);
            case (_, "MaxPool"):
                return Add(new MaxPoolNode { Name = "", Inputs = x, Window = call.Window(null) }, call);
            case (_, "AveragePool"):
                return Add(new AveragePoolNode
                {
                    Name = "",
                    Inputs = x,
                    Window = call.Window(null),
                    CountsPadding = call.Integer("count_include_pad", 0) != 0,
                }, call);
            case (_, "GlobalAveragePool"):
                return Add(new GlobalAveragePoolNode { Name = "", Inputs = x }, call);
            case (_, "ReduceMean"):
                return Mean(call);
            case (_, "Concat") when x.Length > 0 && x.Length == call.Inputs.Count:
                return call.Axis(1, ShapeOf(x[0])) == 1
                    ? Add(new ConcatenateNode { Name = "", Inputs = x }, call)
                    : throw call.Refused("joins another axis than the channels");
            case (_, "Flatten"):
                return call.Axis(1, ShapeOf(call.Activation(0))) == 1
                    ? Add(new FlattenNode { Name = "", Inputs = x }, call)
                    : throw call.Refused("flattens the batch, too");
            case (_, "Reshape" or "Squeeze" or "Unsqueeze") when x.Length == 1:
                return Reshaped(call);
            case (_, "Gather") when x.Length == 1 && call.Inputs is [{ Node: not null }, { Integers: { } picked, Tensor: not { Shape.Length: 0 } }]:
                int given = ShapeOf(x[0]).Channels;
                return call.Axis(0, ShapeOf(x[0])) == 1 && picked.Length > 0 && picked.All(c => c >= -given && c < given)
                    ? Add(new SelectChannelsNode { Name = "", Inputs = x, Channels = [.. picked.Select(c => (int)(c < 0 ? c + given : c))] }, call)
                    : throw call.Refused("picks other elements than channels that are there");
            case (_, "Identity" or "Dropout") when call.Inputs.Count > 0:
                return call.Inputs[0];
            case (_, "Pad") when x.Length == 1 && call.PadsNothing:
                return call.Inputs[0];
            case (_, "Shape") when x.Length == 1:
                return OnnxValue.Of([OnnxValue.Batch, .. ShapeOf(x[0]).Sizes]);
            default:
                if (x.Length == 0 && OnnxIntegers.Compute(call) is { } constant)
                {
                    return constant;
                }

                break;
        }

        throw call.Refused("is none of those that can be read: Conv, Gemm, MatMul, BatchNormalization, Relu, Clip, Sigmoid, Add, Sub, Mul, Div, Sum, "
            + "MaxPool, AveragePool, GlobalAveragePool, ReduceMean, Resize, Concat, Gather, Flatten, Reshape, Identity, Dropout, and this library's own");
    }

    private OnnxValue Gemm(OnnxNode call)
    {
        if (call.Float("alpha", 1) != 1 || call.Float("beta", 1) != 1 || call.Integer("transA", 0) != 0)
        {
            throw call.Refused("scales or transposes what it multiplies");
        }

        TensorData weight = call.Integer("transB", 0) != 0 ? call.Tensor(1) : OnnxTensors.Transposed(call.Tensor(1), call);
        return Layer(call, new LinearNode
        {
            Name = "",
            Inputs = [call.Activation(0)],
            Weight = weight,
            Bias = call.OptionalTensor(2) is null || weight.Shape.Length < 1 ? null : call.PerChannel(2, FeatureShape.Vector((int)weight.Shape[0])),
        });
    }

    private OnnxValue Norm(OnnxNode call)
    {
        if (call.Integer("training_mode", 0) != 0)
        {
            throw call.Refused("is in training mode; export the model after model.eval()");
        }

        return Add(
            new BatchNormNode
            {
                Name = "",
                Inputs = [call.Activation(0)],
                Weight = Learned(1, OnnxWriter.Ones),
                Bias = Learned(2, OnnxWriter.Zeros),
                RunningMean = call.Tensor(3),
                RunningVariance = call.Tensor(4),
                Epsilon = call.Decimal("epsilon", 1e-5),
            },
            call, call.Inputs[1].Tensor is null ? null : call.Inputs[1].Name);

        TensorData? Learned(int input, string missing) =>
            ours && call.Inputs.ElementAtOrDefault(input)?.Name?.StartsWith(missing, StringComparison.Ordinal) == true ? null : call.Tensor(input);
    }

    /// <summary>What is done to each channel by a constant: a layer's bias, or what a BatchNorm of mean 0 and variance 1 does.</summary>
    private OnnxValue Affine(OnnxNode call)
    {
        int constant = call.Inputs[0].Node is null ? 0 : 1;
        string input = call.Activation(1 - constant);
        FeatureShape shape = ShapeOf(input);
        TensorData number = call.PerChannel(constant, shape);
        if (call.Operator == "Add" && nodes[input] is LayerNode { Bias: null, Epilogue: null } layer
            && readers.GetValueOrDefault(call.InputNames[1 - constant]) == 1)
        {
            nodes[input] = Shaped(layer with { Bias = number });
            return OnnxValue.Of(nodes[input]);
        }

        TensorData zeros = Filled(0), ones = Filled(1);
        BatchNormNode same = new() { Name = "", Inputs = [input], RunningMean = zeros, RunningVariance = ones, Epsilon = 0 };
        return (call.Operator, constant) switch
        {
            ("Add", _) => Add(same with { Bias = number }, call),
            ("Mul", _) => Add(same with { Weight = number }, call),
            ("Sub", 1) => Add(same with { RunningMean = number }, call),
            ("Sub", 0) => Add(same with { Weight = Filled(-1), Bias = number }, call),
            ("Div", 1) => Add(
                same with { Weight = TensorData.FromFloats(Array.ConvertAll(number.ToFloats(), v => 1 / v), shape.Channels) }, call),
            _ => throw call.Refused("divides by an activation"),
        };

        TensorData Filled(float value) => TensorData.FromFloats([.. Enumerable.Repeat(value, shape.Channels)], shape.Channels);
    }

    private OnnxValue Mean(OnnxNode call)
    {
        string input = call.Activation(0);
        long[]? axes = call.Axes(1, newest: 18, rank: ShapeOf(input).Sizes.Count + 1);
        if (ShapeOf(input).IsVector || axes is not [2, 3])
        {
            throw call.Refused("takes the mean of other axes than rows and columns");
        }

        GlobalAveragePoolNode pool = new() { Name = "", Inputs = [input] };
        return call.Integer("keepdims", 1) != 0
            ? Add(pool, call)
            : Add(new FlattenNode { Name = "", Inputs = [Add(pool, call).Node!] }, call);
    }

    private OnnxValue Reshaped(OnnxNode call)
    {
        string input = call.Activation(0);
        FeatureShape shape = ShapeOf(input);
        long[] current = [OnnxValue.Batch, .. shape.Sizes];
        long[] sizes = call.Operator switch
        {
            "Reshape" => OnnxIntegers.Resolve(call, current),
            "Squeeze" => [.. current.Where((size, axis) => size != 1 || !(call.Axes(1, 13, current.Length)?.Contains(axis) ?? true))],
            _ => OnnxIntegers.Unsqueezed(current, call.Axes(1, 13, -1) ?? throw call.Refused("has no axes")),
        };
        return sizes.SequenceEqual(current) ? call.Inputs[0]
            : sizes is [OnnxValue.Batch, long length] && length == shape.Count ? Add(new FlattenNode { Name = "", Inputs = [input] }, call)
            // One number a channel as a map of one pixel: what multiplies a map takes either.
            : shape.IsVector && sizes is [OnnxValue.Batch, long channels, 1, 1] && channels == shape.Channels ? call.Inputs[0]
            : throw call.Refused("rearranges a map in another way than to [N, -1]");
    }

    /// <summary>Each pixel as a square: a Resize by a whole number to the nearest pixel, in whichever of its ways comes to that.</summary>
    private OnnxValue Resized(OnnxNode call)
    {
        // Before version 11 there is one way, and the factors are the second input.
        bool old = opset < 11;
        string way = old ? "asymmetric, floor"
            : $"{call.Text("coordinate_transformation_mode", "half_pixel")}, {call.Text("nearest_mode", "round_prefer_floor")}";
        bool nearest = call.Text("mode", "nearest") == "nearest"
            && way is "asymmetric, floor" or "half_pixel, round_prefer_floor" or "half_pixel, round_prefer_ceil";
        long[] sizes = [1, .. ShapeOf(call.Activation(0)).Sizes], axes = [.. call.Integers("axes", [0, 1, 2, 3]).Select(axis => axis < 0 ? axis + sizes.Length : axis)];
        double[] factors = call.OptionalTensor(old ? 1 : 2) is { Count: > 0 } scales
            ? [.. scales.ToFloats().Select(factor => (double)factor)]
            // To a size: how many times the map's own it is. The number of images stays what it is.
            : [.. (call.Inputs.ElementAtOrDefault(3)?.Integers ?? []).Zip(axes, (size, axis) =>
                size == OnnxValue.Batch ? 1 : axis >= 0 && axis < sizes.Length ? size / (double)sizes[axis] : 0)];
        double[] all = [1, 1, 1, 1];
        foreach ((long axis, double factor) in axes.Zip(factors).Where(pair => pair.First is >= 0 and < 4))
        {
            all[axis] = factor;
        }

        return nearest && sizes.Length == all.Length && factors.Length == axes.Length && all is [1, 1, double rows, double columns] && rows == columns
            && rows is >= 1 and <= 64 && rows == Math.Floor(rows)
            ? Add(new UpsampleNode { Name = "", Inputs = [call.Activation(0)], Factor = (int)rows }, call)
            : throw call.Refused("makes a map larger in another way than by a whole number, each pixel a square");
    }

    private static ShiftNode Shift(OnnxNode call)
    {
        TensorData filters = call.Tensor(1);
        if (filters.Shape is not [>= 1, 1, >= 1, >= 1])
        {
            throw call.Refused("has no filter for each channel");
        }

        (int height, int width) = ((int)filters.Shape[2], (int)filters.Shape[3]);
        int[] ones = [.. filters.ToFloats().Chunk(height * width).Select(filter => Array.IndexOf(filter, 1f))];
        return ones.Contains(-1)
            ? throw call.Refused("has a filter that is not one-hot")
            : new ShiftNode
            {
                Name = "",
                Inputs = [call.Activation(0)],
                Rows = [.. ones.Select(at => at / width - height / 2)],
                Columns = [.. ones.Select(at => at % width - width / 2)],
            };
    }

    private FeatureShape ShapeOf(string node) => nodes[node].Shape;

    private OnnxValue Layer(OnnxNode call, LayerNode layer) => Add(layer, call, call.Inputs[1].Name);

    private OnnxValue Add(GraphNode node, OnnxNode call, string? weights = null) => Add(node, Named(call, weights));

    private OnnxValue Add(GraphNode node, string name)
    {
        GraphNode complete = Shaped(node with { Name = name });
        nodes[name] = complete;
        return OnnxValue.Of(complete);
    }

    /// <summary>A file of ours has the names in its nodes; others have them in the names of weights, if anywhere.</summary>
    private string Named(OnnxNode call, string? weights)
    {
        string own = call.Name.EndsWith("/sum", StringComparison.Ordinal) ? call.Name[..^"/sum".Length] : call.Name;
        string module = weights?.LastIndexOf('.') is > 0 and int dot ? weights[..dot] : "";
        string[] names = ours ? [own, call.Output] : [module, call.Name, call.Output];
        string name = names.FirstOrDefault(name => name.Length > 0 && !nodes.ContainsKey(name)) ?? call.Output;
        while (name.Length == 0 || nodes.ContainsKey(name))
        {
            name += "'";
        }

        return name;
    }

    /// <summary>The node with its shape, by a graph of it alone.</summary>
    private GraphNode Shaped(GraphNode node)
    {
        if (node is InputNode)
        {
            return node;
        }

        NetworkGraph alone = new(
            [.. node.Inputs.Distinct().Select(input => InputNode.Of(input, ShapeOf(input))), node with { Shape = default }],
            [new GraphOutput("y", node.Name)]);
        return alone[node.Name];
    }
}
