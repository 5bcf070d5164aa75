using System.Globalization;
using AdderNet.Checkpoints;
using AdderNet.Graph;
using Onnx;
using static AdderNet.Checkpoints.CheckpointText;

namespace AdderNet.Export;

/// <summary>What a name in an ONNX graph stands for while it is read: a node's output, or a constant.</summary>
internal sealed record OnnxValue
{
    /// <summary>The number of images, in lists of sizes.</summary>
    public const long Batch = long.MinValue;

    /// <summary>An input that is left out.</summary>
    public static OnnxValue None { get; } = new();

    /// <summary>The graph's node.</summary>
    public string? Node { get; private init; }

    /// <summary>The constant.</summary>
    public TensorData? Tensor { get; private init; }

    /// <summary>The constant's name in the file.</summary>
    public string? Name { get; private init; }

    /// <summary>The constant as one number a channel, once a node has read it so.</summary>
    public TensorData? Channels { get; set; }

    /// <summary>A constant list of integers, or of one, such as sizes.</summary>
    public long[]? Integers { get; private init; }

    public static OnnxValue Of(GraphNode node) => new() { Node = node.Name };

    public static OnnxValue Of(long[] integers) => new() { Integers = integers };

    public static OnnxValue Of(TensorData tensor, string? name = null) =>
        new() { Tensor = tensor, Name = name, Integers = OnnxTensors.Integers(tensor) };
}

/// <summary>A node of an ONNX graph with what it reads; what does not fit is refused in a sentence that names it.</summary>
internal sealed class OnnxNode(NodeProto node, IReadOnlyList<OnnxValue> inputs, long opset, string file)
{
    public string Operator => node.OpType;

    public string Domain => node.Domain;

    public string Name => node.Name;

    public string Output => node.Output[0];

    public IReadOnlyList<OnnxValue> Inputs => inputs;

    public IReadOnlyList<string> InputNames => node.Input;

    public int Groups => Integer("group", 1);

    /// <summary>Whether a Pad adds nothing: PyTorch writes one before pools.</summary>
    public bool PadsNothing =>
        ((opset < 11 ? Attribute("pads")?.Ints.ToArray() : inputs.ElementAtOrDefault(1)?.Integers) ?? [1]).All(pad => pad == 0);

    public CheckpointException Refused(string what)
    {
        string name = node.Name.Length > 0 ? node.Name : node.Output.FirstOrDefault() ?? "";
        return new($"{file}: the operator {Shown(node.OpType)} (node '{Shown(name)}') {what}.");
    }

    public string Activation(int input) => inputs.ElementAtOrDefault(input)?.Node
        ?? throw Refused($"has a constant, or nothing, as input {input + 1}");

    public TensorData? OptionalTensor(int input) =>
        inputs.ElementAtOrDefault(input) is null || inputs[input] == OnnxValue.None ? null : Tensor(input);

    public TensorData Tensor(int input) => inputs.ElementAtOrDefault(input)?.Tensor is { Dtype: TensorDtype.F32 } tensor
        ? tensor
        : throw Refused($"has no float constant as input {input + 1}");

    public float? OptionalNumber(int input) => OptionalTensor(input) switch
    {
        null => null,
        { Count: 1 } tensor => tensor.ToFloats()[0],
        _ => throw Refused($"has several numbers as input {input + 1}"),
    };

    /// <summary>A constant as one number a channel, whichever way its sizes say so.</summary>
    public TensorData PerChannel(int input, FeatureShape shape)
    {
        TensorData tensor = Tensor(input);
        if (tensor.Count == 1)
        {
            return shape.Channels <= 1 << 16
                ? TensorData.FromFloats([.. Enumerable.Repeat(tensor.ToFloats()[0], shape.Channels)], shape.Channels)
                : throw Refused("has too many channels");
        }

        int behind = shape.IsVector ? 0 : 2, axis = tensor.Shape.Length - 1 - behind;
        return axis >= 0 && tensor.Count == shape.Channels && tensor.Shape[axis] == shape.Channels
            // Once for all nodes that read it: what shares a tensor goes on sharing it.
            ? inputs[input].Channels ??= new TensorData(TensorDtype.F32, [shape.Channels], tensor.Data)
            : throw Refused($"has a constant of {tensor} where one number a channel can be read");
    }

    public WindowGeometry Window(TensorData? filters)
    {
        long[] kernel = filters is null ? Integers("kernel_shape", []) : filters.Shape is [_, _, long h, long w] ? [h, w] : [];
        long[] strides = Integers("strides", [1, 1]), pads = Integers("pads", [0, 0, 0, 0]), dilations = Integers("dilations", [1, 1]);
        string automatic = Attribute("auto_pad")?.S.ToStringUtf8() ?? "NOTSET";
        if (kernel.Length != 2 || strides.Length != 2 || dilations.Length != 2 || pads.Length != 4)
        {
            throw Refused("has no window of rows and columns");
        }

        if (automatic is "SAME_UPPER" or "SAME_LOWER" && strides is [1, 1]
            && kernel.Zip(dilations).All(k => (k.First - 1) * k.Second % 2 == 0))
        {
            long[] half = [.. kernel.Zip(dilations, (k, d) => (k - 1) * d / 2)];
            pads = [.. half, .. half];
        }
        else if (automatic is not ("NOTSET" or "VALID" or ""))
        {
            throw Refused($"has a padding of {Shown(automatic)} that depends on the image");
        }

        if (pads[0] != pads[2] || pads[1] != pads[3])
        {
            throw Refused("has a padding that is wider on one side");
        }

        return Integer("ceil_mode", 0) == 0
            ? new WindowGeometry(
                Small(kernel[0]), Small(kernel[1]), Small(strides[0]), Small(strides[1]), Small(pads[0]), Small(pads[1]), Small(dilations[0]),
                Small(dilations[1]))
            : throw Refused("rounds its size up (ceil_mode)");
    }

    public int Integer(string name, int usual) => Attribute(name) is { } attribute ? Small(attribute.I) : usual;

    public string Text(string name, string usual) => Attribute(name)?.S.ToStringUtf8() ?? usual;

    public float Float(string name, float usual) => Attribute(name)?.F ?? usual;

    public float? OptionalFloat(string name) => Attribute(name)?.F;

    /// <summary>A number as it was written before it was rounded to float32.</summary>
    public double Decimal(string name, double usual) => Attribute(name) is { } attribute
        ? double.Parse(attribute.F.ToString("R", CultureInfo.InvariantCulture), CultureInfo.InvariantCulture)
        : usual;

    public TensorProto? Constant => Attribute("value")?.T;

    public long[] Integers(string name, long[] usual) => Attribute(name)?.Ints.ToArray() ?? usual;

    public AttributeProto? Attribute(string name) => node.Attribute.FirstOrDefault(attribute => attribute.Name == name);

    /// <summary>The axis it works along, counted from the front.</summary>
    public int Axis(int usual, FeatureShape shape)
    {
        int axis = Integer("axis", usual);
        return axis < 0 ? axis + shape.Sizes.Count + 1 : axis;
    }

    /// <summary>The axes it works on, in order and counted from the front; null where it names none.</summary>
    /// <param name="input">The input that has them since version <paramref name="newest"/> of the operators; before, an attribute.</param>
    /// <param name="newest">That version.</param>
    /// <param name="rank">Number of axes; -1 where none may be counted from the end.</param>
    public long[]? Axes(int input, int newest, int rank)
    {
        long[]? axes = opset >= newest ? inputs.ElementAtOrDefault(input)?.Integers : Attribute("axes")?.Ints.ToArray();
        return axes is null ? null : [.. axes.Select(axis => axis < 0 && rank > 0 ? axis + rank : axis).Order()];
    }

    private int Small(long number) =>
        number is >= int.MinValue and <= int.MaxValue ? (int)number : throw Refused($"has a number of {number}");
}
