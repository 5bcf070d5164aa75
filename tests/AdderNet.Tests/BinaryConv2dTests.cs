using AdderNet.Checkpoints;
using AdderNet.Graph;
using AdderNet.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace AdderNet.Tests;

public class BinaryConv2dTests
{
    [Fact]
    public void Xnor_net_computes_with_signs_and_each_filters_mean_size()
    {
        using var scope = NewDisposeScope();
        using BinaryConv2d layer = Layer(Binarization.XnorNet, [0.5f, -1.5f, 0f, 4f]); // two filters of two elements

        Tensor y = layer.forward(tensor([-0.3f, 7f]).view(1, 2, 1, 1));

        // sign(x) = (-1, 1); filters (1, -1) * 1 and (1, 1) * 2, zero counting as positive.
        Assert.Equal([-2f, 0f], y.data<float>().ToArray());
    }

    [Fact]
    public void DoReFa_net_computes_with_zeros_and_ones_and_the_layers_mean_size()
    {
        using var scope = NewDisposeScope();
        using BinaryConv2d layer = Layer(Binarization.DoReFa, [0.5f, -1.5f, 0f, 4f]);

        Tensor y = layer.forward(tensor([0.4f, 7f]).view(1, 2, 1, 1));

        // x becomes (0, 1); the filters (1, -1) and (1, 1) times (0.5 + 1.5 + 0 + 4) / 4.
        Assert.Equal([-1.5f, 1.5f], y.data<float>().ToArray());
    }

    [Fact]
    public void Gradients_of_activations_pass_straight_through_where_the_step_does_not_clip()
    {
        using var scope = NewDisposeScope();
        float[] x = [-1.5f, -1, -0.2f, 0, 0.7f, 1, 1.01f], g = [1, 2, 3, 4, 5, 6, 7];

        Assert.Equal([0f, 2, 3, 4, 5, 6, 0], Gradient(Binarization.XnorNet.Activations, x, g, x.Length));
        Assert.Equal([0f, 0, 0, 4, 5, 6, 0], Gradient(Binarization.DoReFa.Activations, x, g, x.Length));
    }

    [Fact]
    public void Gradients_of_weights_are_the_papers()
    {
        using var scope = NewDisposeScope();
        random.manual_seed(1);
        const int Filters = 3, Elements = 2 * 3 * 3;
        float[] w = (randn(Filters * Elements) * 0.8).data<float>().ToArray(), g = randn(Filters * Elements).data<float>().ToArray();

        float[] xnor = Gradient(Binarization.XnorNet.Weights, w, g, Filters, 2, 3, 3);

        for (int f = 0; f < Filters; f++)
        {
            float[] wf = w[(f * Elements)..][..Elements], gf = g[(f * Elements)..][..Elements];
            double alpha = wf.Average(Math.Abs), sum = wf.Zip(gf, (wi, gi) => (double)Math.Sign(wi) * gi).Sum();
            for (int i = 0; i < Elements; i++)
            {
                double expected = (Math.Abs(wf[i]) <= 1 ? alpha * gf[i] : 0) + Math.Sign(wf[i]) * sum / Elements;
                Assert.Equal(expected, xnor[f * Elements + i], 1e-5);
            }
        }

        Assert.Equal(g, Gradient(Binarization.DoReFa.Weights, w, g, Filters, 2, 3, 3));
    }

    [Fact]
    public void One_bit_values_are_exact_and_broken_numbers_stay_broken()
    {
        using var scope = NewDisposeScope();
        Tensor x = cat([randn(1000) * 3, tensor([0f, -0f, 1e-30f, float.PositiveInfinity, float.NegativeInfinity])]);

        Assert.All(Binarization.XnorNet.Activations(x).data<float>().ToArray(), v => Assert.True(v is 1 or -1));
        Assert.All(Binarization.DoReFa.Activations(x).data<float>().ToArray(), v => Assert.True(v is 1 or 0));
        Assert.All((Binarization[])[Binarization.XnorNet, Binarization.DoReFa], b => Assert.True(b.Activations(tensor([float.NaN])).isnan().item<bool>()));
    }

    [Theory]
    [InlineData(LayerKind.Binary)]
    [InlineData(LayerKind.DoReFa)]
    public void Every_binary_layer_sees_both_bits(LayerKind kind)
    {
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        random.manual_seed(1);
        foreach (string name in (string[])["lenet5-bn", "vgg-small", "resnet20", "resnet18"])
        {
            ModelInfo info = AdderNetModels.Find(name);
            using nn.Module<Tensor, Tensor> model = AdderNetModels.Create(name, kind);
            Dictionary<string, double> share = [];
            foreach (var (layerName, layer) in model.named_modules().Where(m => m.module is BinaryConv2d))
            {
                ((BinaryConv2d)layer).register_forward_pre_hook((_, input) =>
                {
                    share[layerName] = input.gt(kind == LayerKind.Binary ? 0 : 0.5).to_type(ScalarType.Float32).mean().item<float>();
                    return input;
                });
            }

            int size = Math.Min(info.InputSize, 64);
            model.forward(randn(4, info.InputChannels, size, size));

            Assert.NotEmpty(share);
            Assert.All(share, s => Assert.InRange(s.Value, kind == LayerKind.Binary ? 0.35 : 0.2, 0.65));
        }
    }

    [Theory]
    [InlineData(LayerKind.Binary)]
    [InlineData(LayerKind.DoReFa)]
    public void The_classifier_gets_what_a_relu_gives(LayerKind kind)
    {
        using var scope = NewDisposeScope();
        using nn.Module<Tensor, Tensor> model = AdderNetModels.Create("resnet20", kind);
        var classifier = (nn.Module<Tensor, Tensor>)model.named_modules().Single(m => m.name == "fc").module;
        float least = -1;
        classifier.register_forward_pre_hook((_, input) =>
        {
            least = input.min().item<float>();
            return input;
        });

        model.forward(randn(4, 3, 32, 32));

        Assert.True(least >= 0);
    }

    [Theory]
    [InlineData("resnet20", 40_813_184)]
    [InlineData("vgg-small", 607_600_640)]
    public void A_binary_product_is_an_xnor_and_an_addition(string name, long products)
    {
        NetworkGraph graph = AdderNetModels.Graph(name, LayerKind.Binary);
        OperationCounts total = OperationCounts.Of(graph.Nodes);

        Assert.Equal(products, total.Additions);
        Assert.Equal(products, total.Multiplications + total.Xnors);
        Assert.Equal(["conv1", "fc"], graph.Nodes.Where(n => OperationCounts.Of(n).Multiplications > 0).Select(n => n.Name));
        Assert.All(
            graph.Nodes.OfType<BinaryConvolutionNode>().Select(OperationCounts.Of), n => Assert.Equal((n.Xnors, 0), (n.Additions, n.Multiplications)));
    }

    [Fact]
    public void Weights_in_a_file_become_the_kind_of_network_that_is_asked_for()
    {
        using var scope = NewDisposeScope();
        using TempFolder folder = new();
        using nn.Module<Tensor, Tensor> model = AdderNetModels.Create("lenet5-bn", LayerKind.Binary);
        model.eval();
        Tensor x = randn(2, 1, 32, 32);
        string file = folder["binary.pth"];
        PyTorchFile.Write(file, StateDict.FromModule(model));

        using nn.Module<Tensor, Tensor> binary = AdderNetModels.Load(file, "lenet5-bn", LayerKind.Binary), doReFa = AdderNetModels.Load(file, "lenet5-bn", LayerKind.DoReFa);

        Assert.Equal([10, 84, 1, 1], model.state_dict()["fc.weight"].shape);
        Assert.Contains("conv2.weight", model.state_dict().Keys);
        Assert.True(model.forward(x).equal(binary.forward(x)).all().item<bool>());
        Assert.False(allclose(model.forward(x), doReFa.forward(x)));
        Assert.Contains("conv2.adder", Assert.Throws<CheckpointException>(() => AdderNetModels.Load(file, "lenet5-bn", LayerKind.Adder)).Message);
    }

    private static BinaryConv2d Layer(Binarization binarization, float[] weights)
    {
        BinaryConv2d layer = new(2, 2, 1, 1, 0, binarization);
        using var guard = no_grad();
        layer.Weight.copy_(tensor(weights).view(2, 2, 1, 1));
        return layer;
    }

    private static float[] Gradient(Func<Tensor, Tensor> function, float[] x, float[] g, params long[] shape)
    {
        Tensor input = tensor(x).view(shape).requires_grad_();
        (function(input) * tensor(g).view(shape)).sum().backward();
        return input.grad!.data<float>().ToArray();
    }
}
