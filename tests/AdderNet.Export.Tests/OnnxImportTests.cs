using AdderNet.Checkpoints;
using AdderNet.Graph;
using AdderNet.Inference;
using Google.Protobuf;
using Onnx;
using static AdderNet.Export.OnnxProtos;

namespace AdderNet.Export.Tests;

public class OnnxImportTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_written_graph_comes_back_as_it_was(bool fused)
    {
        NetworkGraph graph = fused ? Graphs.Everything().Fuse() : Graphs.Everything();

        NetworkGraph read = OnnxFile.Load(new MemoryStream(OnnxRuntime.Bytes(graph)));

        Assert.Equal(Graphs.Bytes(graph), Graphs.Bytes(read));
    }

    [Fact]
    public void A_convolutional_network_as_PyTorch_writes_it_is_read_with_the_names_of_its_state_dict()
    {
        Random random = new(1);
        ModelProto model = Model(
            [
                Node("Conv", ["input", "conv1.weight", "conv1.bias"], "/conv1/Conv_output_0",
                    ("kernel_shape", (long[])[3, 3]), ("pads", (long[])[1, 1, 1, 1]), ("strides", (long[])[2, 2]), ("dilations", (long[])[1, 1]), ("group", 1)),
                Node("BatchNormalization", ["/conv1/Conv_output_0", "bn1.weight", "bn1.bias", "bn1.running_mean", "bn1.running_var"], "bn", ("epsilon", 1e-5f)),
                Node("Relu", ["bn"], "relu"),
                Node("Clip", ["relu", "", "six"], "clip"),
                Node("MaxPool", ["clip"], "pool", ("kernel_shape", (long[])[2, 2]), ("strides", (long[])[2, 2])),
                Node("Conv", ["pool", "conv2.weight"], "same", ("kernel_shape", (long[])[1, 1])),
                Node("Add", ["same", "pool"], "sum"),
                Node("Mul", ["sum", "two"], "scaled"),
                Node("ReduceMean", ["scaled"], "mean", ("axes", (long[])[-1, -2]), ("keepdims", 1)),
                // x.view(x.size(0), -1), step by step.
                Node("Shape", ["mean"], "shape"),
                Node("Gather", ["shape", "zero"], "n", ("axis", 0)),
                Node("Unsqueeze", ["n", "zero_list"], "n_list"),
                Node("Concat", ["n_list", "rest"], "sizes", ("axis", 0)),
                Node("Reshape", ["mean", "sizes"], "flat"),
                Node("Gemm", ["flat", "fc.weight", "fc.bias"], "hidden", ("alpha", 1f), ("beta", 1f), ("transB", 1)),
                Node("Sigmoid", ["hidden"], "sigmoid"),
                Node("MatMul", ["sigmoid", "matrix"], "product"),
                Node("Add", ["product", "shift"], "biased"),
                Node("Identity", ["biased"], "output"),
            ],
            [
                Drawn("conv1.weight", 4, 3, 3, 3), Drawn("conv1.bias", 4), Drawn("bn1.weight", 4), Drawn("bn1.bias", 4), Drawn("bn1.running_mean", 4),
                Tensor("bn1.running_var", [.5f, 1, 2, 3], 4), Tensor("six", [6f]), Drawn("conv2.weight", 4, 4, 1, 1), Tensor("two", [2f]),
                Drawn("fc.weight", 5, 4), Drawn("fc.bias", 5), Drawn("matrix", 5, 3), Drawn("shift", 3),
                Integers("zero", [], 0), Integers("zero_list", [1], 0), Integers("rest", [1], -1),
            ]);

        NetworkGraph graph = OnnxFile.Load(new MemoryStream(model.ToByteArray()));

        Assert.Equal(["conv1", "bn1", "conv2", "fc"], graph.Nodes.Select(node => node.Name).Where(name => name is "conv1" or "bn1" or "conv2" or "fc"));
        Assert.Equal(
            [typeof(InputNode), typeof(ConvolutionNode), typeof(BatchNormNode), typeof(ReluNode), typeof(HardTanhNode), typeof(MaxPoolNode),
             typeof(ConvolutionNode), typeof(AddNode), typeof(BatchNormNode), typeof(GlobalAveragePoolNode), typeof(FlattenNode), typeof(LinearNode),
             typeof(SigmoidNode), typeof(LinearNode)],
            graph.Nodes.Select(node => node.GetType()));
        float[] image = Graphs.Values(random, 3 * 8 * 8);
        float[] expected = OnnxRuntime.Run(model.ToByteArray(), graph, new Dictionary<string, float[]> { ["input"] = image })["output"];
        Networks.AssertClose(expected, ReferenceInterpreter.Run(graph, image), 1e-5);

        TensorProto Drawn(string name, params long[] shape) => Tensor(name, Graphs.Tensor(random, shape), shape);
    }

    [Fact]
    public void A_file_that_PyTorch_wrote_gives_PyTorchs_scores()
    {
        // make_pytorch_cnn.py beside the file printed them.
        float[] expected =
        [
            -0.07457113f, -0.13302428f, 0.12717147f, 0.14229450f, -0.01487729f, -0.13134243f, -0.29807249f, 0.03425167f, -0.22694685f, -0.06171311f,
            -0.07558196f, -0.13390991f, 0.13026956f, 0.14576584f, -0.02124902f, -0.13233116f, -0.30889091f, 0.03006206f, -0.22791097f, -0.06166166f,
        ];
        float[] images = [.. Enumerable.Range(0, 2 * 32 * 32).Select(i => i * 37 % 101 / 50f - 1)];

        NetworkGraph graph = OnnxFile.Load(Path.Combine("TestData", "pytorch_cnn.onnx"));

        using Engine engine = new(graph);
        Networks.AssertClose(expected, engine.Run(images), 1e-5);
        // The exporter takes BatchNorm into the convolutions before it, which leaves their weights without a name; others keep it.
        Assert.Superset(new HashSet<string> { "conv1", "fc" }, graph.Nodes.Select(node => node.Name).ToHashSet());
    }

    [Theory]
    [InlineData(9, "Upsample", "scales")]
    [InlineData(10, "Resize", "scales")]
    [InlineData(11, "Resize", "empty", "empty", "sizes")]
    [InlineData(17, "Resize", "", "scales")]
    [InlineData(17, "Resize", "", "", "sizes")]
    [InlineData(18, "Resize", "", "", "columns and rows")]
    public void Maps_made_larger_are_read_in_the_way_of_each_version(int version, string operation, params string[] inputs)
    {
        (string, object)[] way = version < 11 ? [] : [("coordinate_transformation_mode", "asymmetric"), ("nearest_mode", "floor")];
        (string, object)[] axes = version < 18 ? [] : [("axes", (long[])[-1, 2])];
        NodeProto larger = Node(operation, ["input", .. inputs], "output", [("mode", "nearest"), .. way, .. axes]);
        ModelProto model = Model(
            [
                Node("Shape", ["input"], "shape"), Node("Slice", ["shape", "zero", "two", "zero"], "images"),
                Node("Concat", ["images", "rows"], "sizes", ("axis", 0)), larger,
            ],
            [
                Tensor("scales", [1f, 1, 2, 2], 4), Tensor("empty", [], 0), Integers("zero", [1], 0), Integers("two", [1], 2),
                Integers("rows", [2], 16, 16), Integers("columns and rows", [2], 16, 16),
            ]);
        if (version == 9)
        {
            // Slice took its bounds otherwise.
            model.Graph.Node.RemoveAt(1);
            model.Graph.Node.RemoveAt(1);
        }

        model.OpsetImport[0].Version = version;

        NetworkGraph graph = OnnxFile.Load(new MemoryStream(model.ToByteArray()));

        Assert.Equal(2, Assert.Single(graph.Nodes.OfType<UpsampleNode>()).Factor);
        Dictionary<string, float[]> image = Graphs.Images(graph);
        Assert.Equal(OnnxRuntime.Run(model.ToByteArray(), graph, image)["output"], ReferenceInterpreter.Run(graph, image)["output"]);
    }

    [Fact]
    public void A_file_cut_anywhere_is_refused_in_a_sentence()
    {
        byte[] whole = File.ReadAllBytes(Path.Combine("TestData", "pytorch_cnn.onnx"));

        foreach (int length in (int[])[0, 1, 100, whole.Length / 2, whole.Length - 1])
        {
            string message = Assert.Throws<CheckpointException>(() => OnnxFile.Load(new MemoryStream(whole[..length]), "cut.onnx")).Message;
            Assert.StartsWith("cut.onnx", message);
            Assert.DoesNotContain('\n', message);
        }
    }

    [Fact]
    public void What_cannot_be_read_is_refused_in_a_sentence()
    {
        Assert.Contains("Softmax", Refused(Model([Node("Softmax", ["input"], "output")], [])));
        Assert.Contains("wider on one side", Refused(Model(
            [Node("MaxPool", ["input"], "output", ("kernel_shape", (long[])[2, 2]), ("pads", (long[])[0, 0, 1, 1]))], [])));
        Assert.Contains("'nowhere'", Refused(Model([Node("Relu", ["nowhere"], "output")], [])));
        Assert.Contains("by a whole number", Refused(Model(
            [Node("Resize", ["input", "", "", "sizes"], "output", ("coordinate_transformation_mode", "asymmetric"), ("nearest_mode", "floor"))],
            [Integers("sizes", [4], 1, 3, 16, 12)])));
        ModelProto later = Model([Node("Relu", ["input"], "output")], []);
        later.OpsetImport[0].Version = 99;
        Assert.Contains("version 99", Refused(later));
        later.OpsetImport[0].Version = 6;
        Assert.Contains("version 6", Refused(later));
        ModelProto apart = Model([Node("Relu", ["input"], "output")], [Tensor("w", [1f], 1)]);
        apart.Graph.Initializer[0].DataLocation = TensorProto.Types.DataLocation.External;
        Assert.Contains("another file", Refused(apart));
        ModelProto wrong = Model([Node("Conv", ["input", "w"], "output")], [Tensor("w", new float[4], 1, 4, 1, 1)]);
        Assert.Contains("'output' does not fit", Refused(wrong));
        Assert.Contains("m.onnx: the tensor 'w' holds NaN", Refused(Model(
            [Node("Conv", ["input", "w"], "output")], [Tensor("w", [1f, float.NaN, 1f], 1, 3, 1, 1)])));
        ModelProto changed = ModelProto.Parser.ParseFrom(OnnxRuntime.Bytes(Graphs.Everything()));
        changed.Functions[0].Node[^1].OpType = "Identity";
        Assert.Contains("function", Refused(changed));
        Assert.Contains("no ONNX file", Assert.Throws<CheckpointException>(() => OnnxFile.Load(new MemoryStream([1, 2, 3, 4]))).Message);
    }

    [Fact]
    public void Damaged_files_are_read_or_refused() =>
        Fuzz.Check(OnnxRuntime.Bytes(Graphs.Everything()), data => OnnxFile.Load(new MemoryStream(data)), typeof(CheckpointException));

    private static string Refused(ModelProto model) =>
        Assert.Throws<CheckpointException>(() => OnnxFile.Load(new MemoryStream(model.ToByteArray()), "m.onnx")).Message;

    private static TensorProto Integers(string name, long[] shape, params long[] values) =>
        new() { Name = name, DataType = (int)TensorProto.Types.DataType.Int64, Dims = { shape }, Int64Data = { values } };

    private static ModelProto Model(IEnumerable<NodeProto> nodes, IEnumerable<TensorProto> tensors) => new()
    {
        IrVersion = 8,
        ProducerName = "pytorch",
        OpsetImport = { new OperatorSetIdProto { Domain = "", Version = 17 } },
        Graph = new GraphProto
        {
            Name = "main_graph",
            Input = { Value("input", new FeatureShape(3, 8, 8)) },
            Output = { new ValueInfoProto { Name = "output", Type = new TypeProto { TensorType = new TypeProto.Types.Tensor { ElemType = 1 } } } },
            Node = { nodes },
            Initializer = { tensors },
        },
    };
}
