using AdderNet.Graph;
using AdderNet.Models;
using TorchSharp;
using static TorchSharp.torch;
using Module = TorchSharp.torch.nn.Module<TorchSharp.torch.Tensor, TorchSharp.torch.Tensor>;

namespace AdderNet.Tests;

// Alone, so that no other test draws from the seeded generator: a binary layer turns a rounding error beside 0 into a whole sign, which
// unseeded inputs hit once in many runs.
[CollectionDefinition(nameof(ModuleGraphTests), DisableParallelization = true)]
[Collection(nameof(ModuleGraphTests))]
public class ModuleGraphTests
{
    /// <summary>Each builder once with layers of every kind, where plain loops take no more than a second.</summary>
    public static TheoryData<string, LayerKind> EveryBuilder =>
    [
        .. from name in (string[])["lenet5-bn", "resnet20", "resnet18"] from kind in Enum.GetValues<LayerKind>() select (name, kind),
        .. from name in (string[])["lenet++", "vgg-small", "resnet50", "se-resnet20", "addressnet20", "versatile-channel-resnet20"] select (name, LayerKind.Adder),
    ];

    [Theory]
    [MemberData(nameof(EveryBuilder))]
    public void Graph_of_a_model_computes_the_models_scores(string name, LayerKind kind)
    {
        ModelInfo info = AdderNetModels.Find(name);
        int size = info.InputSize == 224 ? 32 : info.InputSize;
        random.manual_seed(1);
        using Module model = Trained(AdderNetModels.Create(name, kind), info.InputChannels, size);

        AssertSameScores(model, fused: true, info.InputChannels, size, size);
    }

    [Theory]
    [MemberData(nameof(ModelTests.EveryModel), MemberType = typeof(ModelTests))]
    public void Every_model_has_a_graph(string name, LayerKind kind)
    {
        ModelInfo info = AdderNetModels.Find(name);
        using Module model = AdderNetModels.Create(name, kind, classes: 7);

        NetworkGraph graph = model.ToGraph(new FeatureShape(info.InputChannels, info.InputSize, info.InputSize)).Fuse();

        Assert.Equal(FeatureShape.Vector(7), graph[graph.Outputs[0].Node].Shape);
        // Binary networks pool between a layer and its BatchNorm, and no layer ends in what reads a product or a concatenation.
        Assert.True(kind is LayerKind.Binary or LayerKind.DoReFa || graph.Nodes.All(n =>
            n is not (BatchNormNode or ReluNode or AddNode)
            || n is not BatchNormNode && n.Inputs.Any(input => graph[input] is MultiplyNode or ConcatenateNode or AddNode)));
    }

    public static TheoryData<string> UserModels => [.. Modules.Keys];

    private static Dictionary<string, Func<Module>> Modules { get; } = new()
    {
        ["windows"] = () => nn.Sequential(
            ("a", Layers.Adder2d(4, 6, (3, 2), stride: (2, 1), padding: (1, 0), dilation: (1, 2), groups: 2, bias: true)),
            ("b", nn.Conv2d(6, 6, 3, padding: TorchSharp.Padding.Same, groups: 6)),
            ("c", nn.Conv2d(6, 4, 2, padding: TorchSharp.Padding.Valid, bias: false))),
        ["depthwise"] = () => nn.Sequential(("a", Layers.Adder2d(4, 4, 3, padding: 1, groups: 4)), ("b", nn.BatchNorm2d(4)), ("c", nn.ReLU6())),
        ["pooling"] = () => nn.Sequential(
            nn.MaxPool2d(3, stride: 2, padding: 1, dilation: 1), nn.AvgPool2d(2, padding: 1), nn.AvgPool2d(2, 1, 1, count_include_pad: false)),
        ["vector"] = () => nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(.9), nn.Linear(4, 7), nn.BatchNorm1d(7), nn.Identity(), nn.Sigmoid(), nn.Linear(7, 3, hasBias: false)),
        ["nested"] = () => nn.Sequential(("a", nn.Sequential(nn.Conv2d(4, 8, 1), nn.ChannelShuffle(4))), ("b", nn.Sequential(nn.BatchNorm2d(8, affine: false)))),
        ["one layer"] = () => nn.Conv2d(4, 2, 3),
    };

    [Theory]
    [MemberData(nameof(UserModels))]
    public void Graph_of_a_users_model_computes_its_outputs(string name)
    {
        random.manual_seed(2);
        using Module model = Trained(Modules[name](), 4, 9);

        AssertSameScores(model, fused: false, 4, 9, 9);
        AssertSameScores(model, fused: true, 4, 9, 9);
    }

    /// <summary>TorchSharp's own Hardtanh gives its input back as it is, so it cannot be compared with.</summary>
    [Fact]
    public void Hardtanh_clips_as_PyTorchs_does()
    {
        using Module model = nn.Sequential(nn.Hardtanh(-.5, .7));

        Assert.Equal([-.5f, .3f, .7f], ReferenceInterpreter.Run(model.ToGraph(new FeatureShape(1, 1, 3)), [-1, .3f, 4]));
    }

    [Fact]
    public void Nodes_have_the_names_of_the_modules_and_weights_those_of_the_state_dict()
    {
        using Module model = AdderNetModels.Create("resnet20");

        NetworkGraph graph = model.ToGraph(new FeatureShape(3, 32, 32));

        Assert.Equal("64x8x8", graph["layer3.0.conv1"].Shape.ToString());
        Assert.Equal(["layer2.0.sum.relu"], graph["layer2.1.conv1"].Inputs);
        var learned = model.named_parameters().ToDictionary(p => p.name, p => p.parameter.shape);
        var inGraph = graph.Nodes.SelectMany(n => n.Tensors.Select(t => (Name: $"{n.Name}.{t.Key}", t.Value)))
            .Where(t => !t.Name.Contains("running_")).ToDictionary(t => t.Name, t => t.Value.Shape.ToArray());
        Assert.Equal(learned.Keys.Order(), inGraph.Keys.Order());
        Assert.All(learned, p => Assert.Equal(p.Value, inGraph[p.Key]));
    }

    [Fact]
    public void A_module_that_no_graph_has_is_named_with_those_that_are_known()
    {
        string message = Refused(nn.Sequential(("features", nn.Sequential(("0", nn.Conv2d(3, 4, 3)), ("1", nn.GELU())))));

        Assert.Contains("'features.1' (GELU)", message);
        Assert.Contains("Adder2d, Conv2d", message);
    }

    [Fact]
    public void An_option_that_no_graph_has_is_named()
    {
        Assert.Contains("(MaxPool2d) cannot be described in a graph with ceil_mode", Refused(nn.Sequential(nn.MaxPool2d(2, ceil_mode: true))));
        Assert.Contains("2x2", Refused(nn.Sequential(nn.AdaptiveAvgPool2d(2))));
        Assert.Contains("zeros", Refused(nn.Sequential(nn.Conv2d(3, 4, 3, padding: 1, padding_mode: PaddingModes.Reflect))));
        Assert.Contains("statistics", Refused(nn.Sequential(nn.BatchNorm2d(3, track_running_stats: false))));
        Assert.Contains("wider on one side", Refused(nn.Sequential(nn.Conv2d(3, 4, 2, padding: TorchSharp.Padding.Same))));
    }

    [Fact]
    public void An_input_that_does_not_fit_is_refused() =>
        Assert.Contains("'0'", Refused(nn.Sequential(("0", nn.Conv2d(5, 4, 3)))));

    [Fact]
    public void Reading_a_model_leaves_it_alone()
    {
        using Module model = AdderNetModels.Create("lenet5-bn");
        float[] before = model.state_dict()["bn1.running_mean"].data<float>().ToArray();

        model.ToGraph(new FeatureShape(1, 32, 32));

        Assert.True(model.training);
        Assert.Equal(before, model.state_dict()["bn1.running_mean"].data<float>().ToArray());
    }

    private static string Refused(Module model)
    {
        using (model)
        {
            return Assert.Throws<GraphException>(() => model.ToGraph(new FeatureShape(3, 8, 8))).Message;
        }
    }

    /// <summary>The model with statistics, weights and biases of BatchNorm that are not those it starts with.</summary>
    private static Module Trained(Module model, long channels, long size)
    {
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        foreach (var (_, value) in model.named_parameters().Where(p => p.name.Contains("bn") || p.name.EndsWith("bias", StringComparison.Ordinal)))
        {
            value.add_(rand_like(value));
        }

        model.train();
        model.forward(randn(4, channels, size, size));
        model.eval();
        return model;
    }

    private static void AssertSameScores(Module model, bool fused, int channels, int height, int width)
    {
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        Tensor x = randn(1, channels, height, width);
        float[] image = x.data<float>().ToArray(), expected = model.forward(x).flatten().data<float>().ToArray();
        NetworkGraph graph = model.ToGraph(new FeatureShape(channels, height, width));
        using MemoryStream file = new();
        (fused ? graph.Fuse() : graph).Save(file);
        file.Position = 0;

        float[] actual = ReferenceInterpreter.Run(GraphFile.Load(file), image);

        float tolerance = 1e-4f * (1 + expected.Max(Math.Abs));
        Assert.Equal(expected.Length, actual.Length);
        Assert.All(expected.Zip(actual), pair => Assert.Equal(pair.First, pair.Second, tolerance));
    }
}
