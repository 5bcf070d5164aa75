using AdderNet.Checkpoints;
using AdderNet.Graph;
using AdderNet.Models;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using Module = TorchSharp.torch.nn.Module<TorchSharp.torch.Tensor, TorchSharp.torch.Tensor>;

namespace AdderNet.Tests;

// Alone for the seeded generator, as ModuleGraphTests.
[Collection(nameof(ModuleGraphTests))]
public class DetectionModelTests
{
    public static TheoryData<string, LayerKind, Neck, LayerKind> Versions => new()
    {
        { "fcos-resnet20", LayerKind.Adder, Neck.RPafpn, LayerKind.Conv },
        { "fcos-resnet20", LayerKind.Conv, Neck.Fpn, LayerKind.Conv },
        { "fcos-resnet20", LayerKind.Adder, Neck.Fpn, LayerKind.Adder },
        { "fcos-resnet18", LayerKind.Adder, Neck.Fpn, LayerKind.Conv },
        { "fcos-resnet50", LayerKind.Adder, Neck.RPafpn, LayerKind.Conv },
    };

    [Theory]
    [MemberData(nameof(Versions))]
    public void A_detector_gives_a_row_of_all_maps_and_its_graph_gives_the_same(string name, LayerKind kind, Neck neck, LayerKind head)
    {
        const int classes = 2, side = 32;
        random.manual_seed(1);
        ModelInfo info = DetectionModels.Find(name);
        using Module model = DetectionModels.Create(name, LayerFactory.Inner(kind), new() { Neck = neck, HeadLayers = head }, classes, 1);
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        model.train();
        model.call(randn(3, 1, 64, 64));
        model.eval();
        Tensor x = randn(2, 1, side, side), rows = model.call(x);

        int places = info.Levels.Sum(l => (side + l.Stride - 1) / l.Stride * ((side + l.Stride - 1) / l.Stride));
        Assert.Equal([2, places * (classes + 5)], rows.shape);
        if (name == "fcos-resnet20")
        {
            NetworkGraph graph = model.ToGraph(new FeatureShape(1, side, side)).Fuse();
            Assert.All(graph.Nodes, n => Assert.False(n is BatchNormNode, n.Name));
            // The head's layers serve all maps and are counted once.
            Assert.Equal(
                model.parameters().Sum(p => p.numel()), OperationCounts.Of(model.ToGraph(new FeatureShape(1, side, side)).Nodes).Parameters);
            using MemoryStream file = new();
            graph.Save(file);
            file.Position = 0;
            float[] expected = rows[1].data<float>().ToArray(), actual = ReferenceInterpreter.Run(GraphFile.Load(file), x[1].contiguous().data<float>().ToArray());
            float tolerance = 1e-4f * (1 + expected.Max(Math.Abs));
            Assert.All(expected.Zip(actual), pair => Assert.Equal(pair.First, pair.Second, tolerance));
        }
    }

    [Theory]
    [InlineData("fcos-resnet20", "resnet20", Neck.RPafpn)]
    [InlineData("fcos-resnet18", "resnet18", Neck.Fpn)]
    [InlineData("fcos-resnet50", "resnet50", Neck.RPafpn)]
    public void The_backbone_is_a_classifiers_but_for_its_end(string name, string classifier, Neck neck)
    {
        using Module model = DetectionModels.Create(name, LayerFactory.Inner(LayerKind.Adder), new() { Neck = neck }), other = AdderNetModels.Create(classifier);
        var own = model.state_dict().Where(e => e.Key.StartsWith("backbone.", StringComparison.Ordinal)).ToDictionary(e => e.Key["backbone.".Length..], e => e.Value.shape);
        var theirs = other.state_dict().Where(e => e.Key.Split('.')[0] is not ("fc" or "bn2")).ToDictionary(e => e.Key, e => e.Value.shape);
        Assert.Equal(theirs.Keys.Order(), own.Keys.Order());
        Assert.All(theirs, e => Assert.Equal(e.Value, own[e.Key]));
        // A neck's and a tower's layers are of the kinds asked for, the last layers are convolutions.
        string[] adders = [.. model.named_modules().Where(m => m.module is Adder2d).Select(m => m.name)];
        Assert.Contains("neck.output0.layer", adders);
        Assert.DoesNotContain(adders, a => a.StartsWith("head.", StringComparison.Ordinal));
    }

    [Fact]
    public void Kinds_of_layers_differ_by_part()
    {
        using Module mixed = DetectionModels.Create(
            "fcos-resnet20", LayerFactory.Inner(LayerKind.Adder), new() { NeckLayers = LayerKind.Conv, HeadLayers = LayerKind.Adder });
        var kinds = mixed.named_modules().Where(m => m.module is Adder2d or Conv2d).ToLookup(m => m.name.Split('.')[0], m => m.module is Adder2d);
        Assert.Contains(true, kinds["backbone"]);
        Assert.DoesNotContain(true, kinds["neck"]);
        Assert.Contains(true, kinds["head"]);
        Assert.Contains("binary", Assert.Throws<ArgumentException>(() => DetectionModels.Create("fcos-resnet20", LayerFactory.Inner(LayerKind.Binary))).Message);
        Assert.Contains("fcos-resnet18", Assert.Throws<ArgumentException>(() => DetectionModels.Find("yolo")).Message);
    }

    [Fact]
    public void A_detectors_weights_come_back_from_a_file()
    {
        using TempFolder folder = new();
        using Module one = DetectionModels.Create("fcos-resnet20", LayerFactory.Inner(LayerKind.Adder), null, 3, 1), other = DetectionModels.Create("fcos-resnet20", LayerFactory.Inner(LayerKind.Adder), null, 3, 1);
        using (FileStream stream = File.Create(folder["w.safetensors"]))
        {
            Safetensors.Write(stream, StateDict.FromModule(one), new Dictionary<string, string>());
        }

        StateDict.LoadInto(other, Safetensors.Read(folder["w.safetensors"]).Tensors);
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        one.eval();
        other.eval();
        Tensor x = randn(1, 1, 32, 32);
        Assert.Equal(one.call(x).data<float>().ToArray(), other.call(x).data<float>().ToArray());
    }

    /// <summary>dL/dX = sum of g * sgn(F - X) over all windows and filters, by a plain loop.</summary>
    [Fact]
    public void The_input_gradient_can_be_the_true_sign()
    {
        random.manual_seed(2);
        using var scope = NewDisposeScope();
        using Adder2d layer = Layers.Adder2d(3, 5, 3, stride: 2, padding: 1, inputGradient: InputGradient.Sign);
        Tensor x = randn(2, 3, 7, 6).mul_(0.5);
        using (no_grad())
        {
            // Differences far below 1 are signs, too, and equal ones are 0.
            layer.Filters.mul_(0.3);
            x[0, 0, 3, 3] = layer.Filters[1, 0, 1, 1];
        }

        x.requires_grad_(true);
        Tensor y = layer.forward(x), g = randn_like(y);
        y.backward([g]);
        float[,,,] expected = new float[2, 3, 7, 6];
        for (int n = 0; n < 2; n++)
            for (int o = 0; o < 5; o++)
                for (int i = 0; i < y.shape[2]; i++)
                    for (int j = 0; j < y.shape[3]; j++)
                        for (int c = 0; c < 3; c++)
                            for (int u = 0; u < 3; u++)
                                for (int v = 0; v < 3; v++)
                                    if (2 * i + u - 1 is >= 0 and < 7 and var row && 2 * j + v - 1 is >= 0 and < 6 and var column)
                                        expected[n, c, row, column] += g[n, o, i, j].item<float>()
                                            * Math.Sign(layer.Filters[o, c, u, v].item<float>() - x[n, c, row, column].item<float>());
        Assert.All(expected.Cast<float>().Zip(x.grad!.contiguous().data<float>().ToArray()), pair => Assert.Equal(pair.First, pair.Second, 1e-4f));
    }
}
