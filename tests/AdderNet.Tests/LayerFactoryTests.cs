using AdderNet.Checkpoints;
using AdderNet.Graph;
using AdderNet.Models;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using Module = TorchSharp.torch.nn.Module<TorchSharp.torch.Tensor, TorchSharp.torch.Tensor>;

namespace AdderNet.Tests;

public class LayerFactoryTests
{
    [Fact]
    public void A_mixed_network_has_the_layers_asked_for_between_ordinary_ones()
    {
        using var scope = NewDisposeScope();
        using Module model = AdderNetModels.Create(
            "resnet20", LayerFactory.Inner(slot => slot.Name.StartsWith("layer1.", StringComparison.Ordinal) ? LayerKind.Conv : LayerKind.Adder));

        string[] convolutions = [.. model.ToGraph(new FeatureShape(3, 32, 32)).Nodes.OfType<ConvolutionNode>().Select(n => n.Name)];

        Assert.Equal(["conv1", .. Enumerable.Range(0, 6).Select(i => $"layer1.{i / 2}.conv{i % 2 + 1}"), "fc"], convolutions);
        Assert.Equal(14, model.modules().OfType<Adder2d>().Count());
        Assert.Equal([2, 10], model.forward(randn(2, 3, 32, 32)).shape);
    }

    [Theory]
    [InlineData("resnet20", "layer1.")]
    [InlineData("resnet50", "layer3.")]
    [InlineData("lenet5-bn", "conv3")]
    [InlineData("vgg-small", "conv")]
    public void A_file_tells_of_each_layer_whether_it_is_an_adder_layer_or_a_convolution(string name, string convolutions)
    {
        using var scope = NewDisposeScope();
        using TempFolder folder = new();
        using Module mixed = AdderNetModels.Create(
            name, LayerFactory.Inner(slot => slot.Name.StartsWith(convolutions, StringComparison.Ordinal) ? LayerKind.Conv : LayerKind.Adder), classes: 7);
        Safetensors.Write(folder["mixed.safetensors"], StateDict.FromModule(mixed));

        using Module loaded = AdderNetModels.Load(folder["mixed.safetensors"], name);

        mixed.eval();
        Tensor x = randn(1, name == "lenet5-bn" ? 1 : 3, 32, 32);
        Assert.True(mixed.forward(x).equal(loaded.forward(x)).all().item<bool>());
    }

    [Fact]
    public void A_file_whose_first_and_last_layers_are_adder_layers_is_loaded_with_its_classes_and_channels()
    {
        using var scope = NewDisposeScope();
        using TempFolder folder = new();
        using Module all = AdderNetModels.Create("lenet5-bn", new LayerFactory(_ => LayerKind.Adder), classes: 3, inputChannels: 2);
        Safetensors.Write(folder["all.safetensors"], StateDict.FromModule(all));

        using Module loaded = AdderNetModels.Load(folder["all.safetensors"], "lenet5-bn");

        Assert.Equal([1, 3], loaded.forward(randn(1, 2, 32, 32)).shape);
    }

    [Fact]
    public void First_and_last_layer_can_be_adder_layers_too()
    {
        using Module model = AdderNetModels.Create("lenet5-bn", new LayerFactory(_ => LayerKind.Adder));

        Assert.Superset(new HashSet<string> { "conv1.adder", "fc.adder", "fc.bias" }, model.state_dict().Keys.ToHashSet());
        Assert.Empty(model.modules().OfType<Conv2d>());
    }

    /// <summary>A sign behind a ReLU would always be +1, and an ordinary layer gets what a ReLU gives, whatever stands before it.</summary>
    [Theory]
    [InlineData("resnet20", "layer2.")]
    [InlineData("vgg-small", "conv4")]
    public void Only_a_layer_that_sees_bits_has_no_relu_before_it(string name, string binary)
    {
        using var scope = NewDisposeScope();
        using Module model = AdderNetModels.Create(
            name, LayerFactory.Inner(slot => slot.Name.StartsWith(binary, StringComparison.Ordinal) ? LayerKind.Binary : LayerKind.Adder));
        Dictionary<string, float> least = [];
        foreach (var (layerName, module) in model.named_modules().Where(m => m.module is Adder2d or BinaryConv2d or Conv2d && m.name != "conv1"))
        {
            ((Module)module).register_forward_pre_hook((_, input) =>
            {
                least[layerName] = input.min().item<float>();
                return input;
            });
        }

        model.forward(randn(4, 3, 32, 32));

        Assert.NotEmpty(least);
        Assert.All(least, layer => Assert.Equal(layer.Key.StartsWith(binary, StringComparison.Ordinal), layer.Value < 0));
    }

    public static TheoryData<LayerKind> Kinds => [.. Enum.GetValues<LayerKind>()];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Grouped_and_depthwise_layers_are_of_every_kind(LayerKind kind)
    {
        using var scope = NewDisposeScope();
        LayerFactory layers = LayerFactory.Inner(kind);
        using Module model = nn.Sequential(
            ("grouped", layers.Create(new LayerSlot("grouped", LayerPosition.Inner, 6, 8, 1, Groups: 2))),
            ("depthwise", layers.Create(new LayerSlot("depthwise", LayerPosition.Inner, 8, 8, 3, Stride: 2, Padding: 1, Groups: 8))));
        model.eval();
        Tensor x = randn(1, 6, 5, 5);

        NetworkGraph graph = model.ToGraph(new FeatureShape(6, 5, 5));
        float[] expected = model.forward(x).data<float>().ToArray(), actual = ReferenceInterpreter.Run(graph, x.data<float>().ToArray());

        Assert.Equal([(3, 2), (1, 8)], graph.Nodes.OfType<FilterNode>().Select(n => ((int)n.Filters.Shape[1], n.Groups)));
        Assert.Equal(8 * 9, model.forward(x).numel());
        Assert.All(expected.Zip(actual), pair => Assert.Equal(pair.First, pair.Second, 1e-4));
    }

    [Fact]
    public void A_binary_layer_with_a_bias_is_refused_by_the_name_of_its_place() =>
        Assert.Contains(
            "'fc'", Assert.Throws<ArgumentException>(() => AdderNetModels.Create("lenet5-bn", new LayerFactory(_ => LayerKind.Binary))).Message);
}
