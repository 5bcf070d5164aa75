using AdderNet.Graph;
using AdderNet.Models;
using TorchSharp;
using static TorchSharp.torch;
using Module = TorchSharp.torch.nn.Module<TorchSharp.torch.Tensor, TorchSharp.torch.Tensor>;

namespace AdderNet.Tests;

public class GraphModuleTests
{
    private static Dictionary<string, Func<Module>> Modules { get; } = new()
    {
        ["resnet20"] = () => AdderNetModels.Create("resnet20", LayerKind.Adder, inputChannels: 4),
        ["vgg-small-cnn"] = () => AdderNetModels.Create("vgg-small", LayerKind.Conv, inputChannels: 4),
        ["windows"] = () => nn.Sequential(
            ("hard", nn.ReLU6()), ("a", Layers.Adder2d(4, 6, (3, 2), stride: (2, 1), padding: (1, 0), dilation: (1, 2), groups: 2, bias: true)),
            ("b", nn.Conv2d(6, 6, 3, stride: 2, padding: 1, groups: 3, bias: false)), ("gate", nn.Sigmoid()),
            ("max", nn.MaxPool2d(3, stride: 2, padding: 1)), ("average", nn.AvgPool2d(2, 1, 1, count_include_pad: false)), ("shuffle", nn.ChannelShuffle(2))),
        ["vector"] = () => nn.Sequential(
            ("pool", nn.AdaptiveAvgPool2d(1)), ("flat", nn.Flatten()), ("one", nn.Linear(4, 7)), ("norm", nn.BatchNorm1d(7, eps: 1e-3, affine: false)),
            ("two", nn.Linear(7, 3, hasBias: false))),
    };

    public static TheoryData<string> Names => [.. Modules.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void A_module_of_a_graph_gives_what_the_graphs_own_module_gives_and_the_same_graph_again(string name)
    {
        random.manual_seed(1);
        using var scope = NewDisposeScope();
        using Module model = Modules[name]();
        Tensor x = randn(2, 4, 32, 32);
        using (no_grad())
        {
            model.call(x); // BatchNorm has statistics of its own then.
        }

        model.eval();
        NetworkGraph graph = model.ToGraph(new FeatureShape(4, 32, 32));

        using Module again = graph.ToModule();

        Assert.True(again.training);
        again.eval();
        NetworkGraph back = again.ToGraph(new FeatureShape(4, 32, 32));
        Assert.Equal(graph.Nodes.Select(n => (n.GetType(), n.Name, n.Shape)), back.Nodes.Select(n => (n.GetType(), n.Name, n.Shape)));
        Assert.Equal(Tensors(graph), Tensors(back));
        using (no_grad())
        {
            Assert.InRange((model.call(x) - again.call(x)).abs().max().item<float>(), 0, 1e-3);
        }

        // What is trained under the same names is found under them.
        Assert.Equal(model.named_parameters().Select(p => p.name).Order(), again.named_parameters().Select(p => p.name).Order());
    }

    [Fact]
    public void What_cannot_be_trained_is_named()
    {
        NetworkGraph graph = AdderNetModels.Graph("resnet20", LayerKind.Binary);

        Assert.Contains("layer1.0.conv1", Assert.Throws<GraphException>(() => graph.ToModule()).Message);
        Assert.Contains("fused", Assert.Throws<GraphException>(() => AdderNetModels.Graph("resnet20").Fuse().ToModule()).Message);
    }

    private static IEnumerable<string> Tensors(NetworkGraph graph) => graph.Nodes.SelectMany(
        n => n.Tensors.Select(t => $"{n.Name}.{t.Key} {t.Value} {Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(t.Value.Data.Span))}"));
}
