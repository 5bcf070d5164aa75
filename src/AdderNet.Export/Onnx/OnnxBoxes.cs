using AdderNet.Graph;
using Onnx;
using static AdderNet.Export.OnnxProtos;

namespace AdderNet.Export;

/// <summary>
/// A detector's boxes in ONNX's own operators, behind its output for one image: what <see cref="BoxDecoding"/> says, step by step. Names of
/// nodes and values begin with <see cref="Prefix"/>.
/// </summary>
internal sealed class OnnxBoxes
{
    /// <summary>How the names begin of all that is no part of the network.</summary>
    public const string Prefix = "detection/";

    private readonly GraphProto body;
    private readonly BoxDecoding decoding;
    private readonly int classes;

    private OnnxBoxes(GraphProto body, BoxDecoding decoding, int classes) => (this.body, this.decoding, this.classes) = (body, decoding, classes);

    /// <summary>What the file gives: [M, 4] left, upper, right and lower edges in pixels of the input, [M] scores, the surest first, and [M]
    /// indices of classes.</summary>
    public static IReadOnlyList<string> Outputs { get; } = ["boxes", "scores", "labels"];

    /// <summary>Adds the boxes and makes them the model's outputs.</summary>
    /// <param name="body">The model; the network is in it.</param>
    /// <param name="row">What the network gives, [1, ...].</param>
    /// <param name="decoding">How it is read.</param>
    /// <param name="classes">Classes.</param>
    public static void Add(GraphProto body, string row, BoxDecoding decoding, int classes) => new OnnxBoxes(body, decoding, classes).Add(row);

    private void Add(string row)
    {
        string[] maps = Split("maps", row, 1, [.. decoding.Strides.Select(stride => Places(stride) * (classes + BoxDecoding.ValuesBeside))]);
        var candidates = decoding.Strides.Select((stride, i) => Candidates($"map{i}", maps[i], stride)).ToArray();
        string boxes = Emit("candidate_boxes", "Concat", candidates.Select(c => c.Boxes), ("axis", 0));
        string scores = Emit("candidate_scores", "Concat", candidates.Select(c => c.Scores), ("axis", 0));
        string labels = Emit("candidate_labels", "Concat", candidates.Select(c => c.Labels), ("axis", 0));

        // A box that is empty is none: its score becomes 0.
        string starts = Emit("starts", "Gather", [boxes, Integers("first_edges", [2], 0, 1)], ("axis", 1));
        string ends = Emit("ends", "Gather", [boxes, Integers("last_edges", [2], 2, 3)], ("axis", 1));
        string side = Emit("shorter_sides", "ReduceMin", [Emit("sides", "Sub", [ends, starts])], ("axes", (long[])[1]), ("keepdims", 0));
        string zero = Floats("zero", [], 0);
        string valid = Emit("valid_scores", "Where", [Emit("is_box", "Greater", [side, zero]), scores, zero]);

        // Suppression class by class: a candidate has its score in its own class and 0 in the others.
        string own = Emit("is_class", "Equal", [labels, Integers("classes", [classes, 1], [.. Enumerable.Range(0, classes)])]);
        string byClass = Emit("class_scores", "Unsqueeze", [Emit("scores_by_class", "Where", [own, valid, zero]), Integers("images", [1], 0)]);
        string selected = Emit(
            "selected", "NonMaxSuppression",
            [
                Emit("image_boxes", "Unsqueeze", [boxes, Prefix + "images"]), byClass, Integers("most", [1], BoxDecoding.Most),
                Floats("most_overlap", [1], BoxDecoding.MostOverlap), Floats("least_score", [1], BoxDecoding.LeastScore),
            ]);
        string places = Emit("places", "Gather", [selected, Integers("box_column", [], 2)], ("axis", 1));

        // The surest of all classes.
        string found = Emit("found_scores", "Gather", [valid, places]);
        string count = Emit("count", "Min", [Emit("found", "Shape", [found]), Prefix + "most"]);
        string order = TopK("order", found, count, Outputs[1]);
        string kept = Emit("kept", "Gather", [places, order]);
        body.Node.Add(Named(Node("Gather", [boxes, kept], Outputs[0])));
        body.Node.Add(Named(Node("Gather", [labels, kept], Outputs[2])));
        body.Output.Add(Output(Outputs[0], TensorProto.Types.DataType.Float, 4));
        body.Output.Add(Output(Outputs[1], TensorProto.Types.DataType.Float));
        body.Output.Add(Output(Outputs[2], TensorProto.Types.DataType.Int64));
    }

    /// <summary>The surest pairs of place and class of one map.</summary>
    private (string Boxes, string Scores, string Labels) Candidates(string name, string map, int stride)
    {
        (int rows, int columns) = decoding.Map(stride);
        int places = rows * columns;
        string table = Emit($"{name}/table", "Reshape", [map, Integers($"{name}/table_shape", [2], classes + BoxDecoding.ValuesBeside, places)]);
        string[] parts = Split($"{name}/parts", table, 0, classes, 4, 1);
        string probabilities = Emit($"{name}/class", "Sigmoid", [parts[0]]), centre = Emit($"{name}/centre", "Sigmoid", [parts[2]]);
        string scores = Emit($"{name}/score", "Sqrt", [Emit($"{name}/product", "Mul", [probabilities, centre])]);
        string pairs = Emit(
            $"{name}/pairs", "Reshape", [Emit($"{name}/by_place", "Transpose", [scores], ("perm", (long[])[1, 0])), Integers($"{name}/all", [1], -1)]);
        string most = Integers($"{name}/most", [1], Math.Min(BoxDecoding.MostPerMap, places * classes)), surest = $"{Prefix}{name}/surest";
        string indices = TopK($"{name}/indices", pairs, most, surest), each = Integers($"{name}/classes", [1], classes);
        string place = Emit($"{name}/place", "Div", [indices, each]), label = Emit($"{name}/label", "Mod", [indices, each]);

        string distances = Emit(
            $"{name}/distances", "Exp", [Emit($"{name}/logarithms", "Min", [parts[1], Floats($"{name}/most_logarithm", [], BoxDecoding.MostLogarithm)])]);
        string offsets = Emit($"{name}/offsets", "Mul", [distances, Floats($"{name}/stride", [4, 1], -stride, -stride, stride, stride)]);
        float[] x = [.. Enumerable.Range(0, places).Select(i => (i % columns + 0.5f) * stride)];
        float[] y = [.. Enumerable.Range(0, places).Select(i => (i / columns + 0.5f) * stride)];
        string edges = Emit($"{name}/edges", "Add", [offsets, Floats($"{name}/centres", [4, places], [.. x, .. y, .. x, .. y])]);
        string inside = Emit(
            $"{name}/inside", "Min",
            [edges, Floats($"{name}/size", [4, 1], decoding.Width, decoding.Height, decoding.Width, decoding.Height)]);
        inside = Emit($"{name}/clipped", "Max", [inside, Floats($"{name}/corner", [], 0)]);
        string boxes = Emit($"{name}/boxes", "Gather", [Emit($"{name}/edges_by_place", "Transpose", [inside], ("perm", (long[])[1, 0])), place]);
        return (boxes, surest, label);
    }

    private int Places(int stride)
    {
        (int rows, int columns) = decoding.Map(stride);
        return rows * columns;
    }

    private string Emit(string name, string operation, IEnumerable<string> inputs, params ReadOnlySpan<(string, object)> attributes)
    {
        NodeProto node = Node(operation, inputs, Prefix + name, attributes);
        body.Node.Add(node);
        return node.Output[0];
    }

    private string[] Split(string name, string input, int axis, params int[] sizes)
    {
        string[] parts = [.. sizes.Select((_, i) => $"{Prefix}{name}/{i}")];
        NodeProto node = Node("Split", [input, Integers($"{name}/sizes", [sizes.Length], sizes)], parts[0], ("axis", axis));
        node.Output.Add(parts[1..]);
        body.Node.Add(Named(node, name));
        return parts;
    }

    /// <summary>The largest values in order; returns where they stood.</summary>
    private string TopK(string name, string input, string count, string values)
    {
        NodeProto node = Node("TopK", [input, count], values, ("axis", 0));
        node.Output.Add(Prefix + name);
        body.Node.Add(Named(node, name));
        return node.Output[1];
    }

    private static NodeProto Named(NodeProto node, string? name = null)
    {
        node.Name = Prefix + (name ?? node.Name);
        return node;
    }

    private string Integers(string name, long[] shape, params int[] values)
    {
        body.Initializer.Add(new TensorProto
        {
            Name = Prefix + name,
            DataType = (int)TensorProto.Types.DataType.Int64,
            Dims = { shape },
            Int64Data = { values.Select(value => (long)value) },
        });
        return Prefix + name;
    }

    private string Floats(string name, long[] shape, params float[] values)
    {
        body.Initializer.Add(Tensor(Prefix + name, values, shape));
        return Prefix + name;
    }

    private static ValueInfoProto Output(string name, TensorProto.Types.DataType type, params long[] sizes)
    {
        TensorShapeProto shape = new() { Dim = { new TensorShapeProto.Types.Dimension { DimParam = "M" } } };
        shape.Dim.AddRange(sizes.Select(size => new TensorShapeProto.Types.Dimension { DimValue = size }));
        return new() { Name = name, Type = new() { TensorType = new() { ElemType = (int)type, Shape = shape } } };
    }
}
