using Onnx;
using static AdderNet.Export.OnnxProtos;
using static Onnx.AttributeProto.Types;

namespace AdderNet.Export;

/// <summary>The layers that ONNX has no operators for, as functions of standard operators that a file brings along.</summary>
internal static class OnnxFunctions
{
    /// <summary>Whose functions they are, as ONNX has it.</summary>
    public const string Domain = "addernet";

    /// <summary>The version of standard operators that files use.</summary>
    public const int Opset = 17;

    public const string Adder = "Adder2d", XnorNet = "XnorConv2d", DoReFa = "DoReFaConv2d", ChannelShuffle = "ChannelShuffle",
        Shift = "Shift";

    private static readonly string[] windowAttributes = ["strides", "pads", "dilations", "group"];

    private static readonly (string, object)[] windowReferences =
    [
        ("strides", new Reference("strides", AttributeType.Ints)), ("pads", new Reference("pads", AttributeType.Ints)),
        ("dilations", new Reference("dilations", AttributeType.Ints)), ("group", new Reference("group", AttributeType.Int)),
    ];

    /// <summary>All functions by name.</summary>
    public static IReadOnlyDictionary<string, FunctionProto> All { get; } =
        new[] { AdderFunction(), XnorNetFunction(), DoReFaFunction(), ChannelShuffleFunction(), ShiftFunction() }.ToDictionary(f => f.Name);

    /// <summary>
    /// Minus the L1 distance of each window of X [N, C, H, W] to each filter of W [O, C / group, kh, kw]. A convolution with one-hot
    /// filters lays out the windows, kh * kw values for each of X; then filter by filter, so that memory does not grow with their number,
    /// the distances to all windows are summed. Zero padding takes part as X = 0.
    /// </summary>
    private static FunctionProto AdderFunction()
    {
        GraphProto filter = new()
        {
            Name = "filter",
            Input = { new ValueInfoProto { Name = "f" } },
            Output = { new ValueInfoProto { Name = "sum" } },
            Node =
            {
                Node("Sub", ["windows", "f"], "difference"),
                Node("Abs", ["difference"], "distance"),
                Node("ReduceSum", ["distance", "elements"], "sum", ("keepdims", 0)),
            },
        };
        return Function(Adder, "Minus the L1 distance of each window of X to each filter of W.", ["X", "W"], windowAttributes,
        [
            Node("Constant", [], "rest", ("value_ints", (long[])[-1])),
            Node("Constant", [], "one", ("value_ints", (long[])[1])),
            Node("Constant", [], "elements", ("value_ints", (long[])[2])),
            Node("Constant", [], "groups", ("value_int", new Reference("group", AttributeType.Int))),
            Node("Reshape", ["groups", "one"], "G"),
            Node("Shape", ["X"], "N", ("start", 0), ("end", 1)),
            Node("Shape", ["X"], "HW", ("start", 2)),
            Node("Shape", ["W"], "O", ("start", 0), ("end", 1)),
            Node("Shape", ["W"], "filter_shape", ("start", 1)),
            Node("Shape", ["W"], "kernel", ("start", 2)),
            // Each channel as an image, and a filter for each tap that picks it.
            Node("Concat", ["rest", "one", "HW"], "planes_shape", ("axis", 0)),
            Node("Reshape", ["X", "planes_shape"], "planes"),
            Node("ReduceProd", ["kernel"], "taps", ("keepdims", 1)),
            Node("Concat", ["taps", "taps"], "taps_taps", ("axis", 0)),
            Node("ConstantOfShape", ["taps_taps"], "zeros"),
            Node("EyeLike", ["zeros"], "one_hot"),
            Node("Concat", ["taps", "one", "kernel"], "pick_shape", ("axis", 0)),
            Node("Reshape", ["one_hot", "pick_shape"], "pick"),
            Node("Conv", ["planes", "pick"], "picked", windowReferences.AsSpan()[..3]),
            // [N, groups, elements of a filter, windows] and [groups, filters of each, elements, 1].
            Node("ReduceProd", ["filter_shape"], "K", ("keepdims", 1)),
            Node("Concat", ["N", "G", "K", "rest"], "windows_shape", ("axis", 0)),
            Node("Reshape", ["picked", "windows_shape"], "windows"),
            Node("Concat", ["G", "rest", "K", "one"], "filters_shape", ("axis", 0)),
            Node("Reshape", ["W", "filters_shape"], "filters"),
            Node(
                "Scan", ["filters"], "sums", ("body", filter), ("num_scan_inputs", 1), ("scan_input_axes", (long[])[1]),
                ("scan_output_axes", (long[])[2])),
            Node("Shape", ["picked"], "sizes", ("start", 2)),
            Node("Concat", ["N", "O", "sizes"], "shape", ("axis", 0)),
            Node("Reshape", ["sums", "shape"], "distances"),
            Node("Neg", ["distances"], "Y"),
        ]);
    }

    /// <summary>A convolution of the signs of X, sign(0) = 1, with the signs of W times the mean of |W| over each filter.</summary>
    private static FunctionProto XnorNetFunction() => Function(
        XnorNet, "XNOR-Net's convolution of one-bit values.", ["X", "W"], windowAttributes,
        [
            .. BinaryFilters(Node("ReduceMean", ["magnitudes"], "scale", ("axes", (long[])[1, 2, 3]), ("keepdims", 1))),
            Node("Constant", [], "plus", ("value_float", 1f)),
            Node("Constant", [], "minus", ("value_float", -1f)),
            Node("GreaterOrEqual", ["X", "zero"], "x_positive"),
            Node("Where", ["x_positive", "plus", "minus"], "x_bits"),
            Node("Conv", ["x_bits", "w_bits"], "Y", windowReferences),
        ]);

    /// <summary>A convolution of X clipped to 0..1 and rounded, a half to 0, with the signs of W times the mean of |W| over the layer.</summary>
    private static FunctionProto DoReFaFunction() => Function(
        DoReFa, "DoReFa-Net's convolution of one-bit values.", ["X", "W"], windowAttributes,
        [
            .. BinaryFilters(Node("ReduceMean", ["magnitudes"], "scale", ("keepdims", 1))),
            Node("Constant", [], "one", ("value_float", 1f)),
            Node("Clip", ["X", "zero", "one"], "clipped"),
            Node("Round", ["clipped"], "x_bits"),
            Node("Conv", ["x_bits", "w_bits"], "Y", windowReferences),
        ]);

    private static IEnumerable<NodeProto> BinaryFilters(NodeProto scale) =>
    [
        Node("Constant", [], "zero", ("value_float", 0f)),
        Node("Abs", ["W"], "magnitudes"),
        scale,
        Node("Neg", ["scale"], "negative"),
        Node("GreaterOrEqual", ["W", "zero"], "w_positive"),
        Node("Where", ["w_positive", "scale", "negative"], "w_bits"),
    ];

    /// <summary>The channels as a table of so many rows, read by columns.</summary>
    private static FunctionProto ChannelShuffleFunction() => Function(
        ChannelShuffle, "Channels as a table of so many rows, read by columns.", ["X"], ["groups"],
        [
            Node("Constant", [], "rest", ("value_ints", (long[])[-1])),
            Node("Constant", [], "one", ("value_ints", (long[])[1])),
            Node("Constant", [], "groups", ("value_int", new Reference("groups", AttributeType.Int))),
            Node("Reshape", ["groups", "one"], "G"),
            Node("Shape", ["X"], "shape"),
            Node("Shape", ["X"], "N", ("start", 0), ("end", 1)),
            Node("Shape", ["X"], "C", ("start", 1), ("end", 2)),
            Node("Div", ["C", "G"], "columns"),
            Node("Concat", ["N", "G", "columns", "rest"], "table_shape", ("axis", 0)),
            Node("Reshape", ["X", "table_shape"], "table"),
            Node("Transpose", ["table"], "transposed", ("perm", (long[])[0, 2, 1, 3])),
            Node("Reshape", ["transposed", "shape"], "Y"),
        ]);

    /// <summary>Each channel moved as its one-hot filter in W [C, 1, kh, kw] says.</summary>
    private static FunctionProto ShiftFunction() => Function(
        Shift, "Each channel moved by as many rows and columns as its one-hot filter says.", ["X", "W"], ["pads", "group"],
        [Node("Conv", ["X", "W"], "Y", windowReferences[1], windowReferences[3])]);

    private static FunctionProto Function(
        string name, string description, IEnumerable<string> inputs, IEnumerable<string> attributes, IEnumerable<NodeProto> nodes) => new()
        {
            Name = name,
            Domain = Domain,
            DocString = description,
            Input = { inputs },
            Output = { "Y" },
            Attribute = { attributes },
            Node = { nodes },
            OpsetImport = { new OperatorSetIdProto { Domain = "", Version = Opset } },
        };
}
