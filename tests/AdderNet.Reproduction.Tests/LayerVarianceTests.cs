using AdderNet.Models;
using TorchSharp;
using static TorchSharp.torch;
using Module = TorchSharp.torch.nn.Module<TorchSharp.torch.Tensor, TorchSharp.torch.Tensor>;

namespace AdderNet.Reproduction.Tests;

public class LayerVarianceTests
{
    [Fact]
    public void The_formulas_are_the_papers()
    {
        LayerVariance conv = new("a", IsAdder: false, Taps: 9, Input: 2, Filters: 3, 0, 0);
        Assert.Equal(9 * 2 * 3, conv.Expected);
        Assert.Equal(0.3633802276 * 9 * (2 + 3), (conv with { IsAdder = true }).Expected, 1e-8);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Independent_normal_inputs_and_filters_give_the_variance_of_the_formula(bool adder)
    {
        random.manual_seed(1);
        using var scope = NewDisposeScope();
        Module layer = adder ? Layers.Adder2d(8, 256, 3, padding: 1) : nn.Conv2d(8, 256, 3, padding: 1, bias: false);
        using Module model = nn.Sequential(("layer", layer), ("norm", nn.BatchNorm2d(256)));

        LayerVariance measured = Assert.Single(LayerMeasurements.Variances(model, 1.5 * randn(16, 8, 12, 12)));

        Assert.Equal(("layer", adder, 72L), (measured.Name, measured.IsAdder, measured.Taps));
        Assert.Equal(2.25, measured.Input, 0.05);
        Assert.Equal(1, measured.NormalOutput / measured.Expected, 0.1);
    }

    [Fact]
    public void Layers_are_measured_in_the_order_of_the_pass_and_hooks_go_away()
    {
        using var scope = NewDisposeScope();
        using Module model = AdderNetModels.Create("resnet20");
        Tensor images = randn(2, 3, 32, 32);

        IReadOnlyList<LayerVariance> first = LayerMeasurements.Variances(model, images), second = LayerMeasurements.Variances(model, images);
        var norms = LayerMeasurements.GradientNorms(model, images, tensor([0L, 1L]), LearningRateScaling.Adaptive());

        Assert.Equal(22, first.Count);
        Assert.Equal(("conv1", "layer1.0.conv1", "fc"), (first[0].Name, first[1].Name, first[^1].Name));
        Assert.Equal(first.Select(v => v.Name), second.Select(v => v.Name));
        Assert.Equal(first.Select(v => v.Name), norms.Select(n => n.Name));
        Assert.Equal(20, first.Count(v => v.IsAdder));
        Assert.All(first, v => Assert.True(v.NormalOutput > 0, v.Name));
    }

    [Fact]
    public void The_gradient_norm_is_that_of_the_mean_cross_entropy()
    {
        using var scope = NewDisposeScope();
        using Module model = nn.Sequential(("conv", nn.Conv2d(1, 2, 1, bias: false)), ("flatten", nn.Flatten()));
        nn.init.zeros_(model.parameters().First());

        var norm = Assert.Single(LayerMeasurements.GradientNorms(model, full([1, 1, 1, 1], 3f), tensor([0L]), LearningRateScaling.Adaptive()));

        // Both classes have probability 1/2: the gradient is 3 * (-1/2, 1/2).
        Assert.Equal(3 * Math.Sqrt(0.5), norm.Norm, 1e-6);
        Assert.Equal(norm.Norm, norm.Scaled);
    }

    [Fact]
    public void Adaptive_scaling_gives_adder_layers_the_norm_eta_sqrt_k()
    {
        random.manual_seed(1);
        using var scope = NewDisposeScope();
        using Module model = AdderNetModels.Create("lenet5-bn");

        var norms = LayerMeasurements.GradientNorms(model, randn(4, 1, 32, 32), tensor([0L, 1L, 2L, 3L]), LearningRateScaling.Adaptive(0.2));

        Assert.Equal(["conv1", "conv2", "conv3", "conv4", "fc"], norms.Select(n => n.Name));
        Assert.Equal([false, true, true, true, false], norms.Select(n => n.IsAdder));
        Assert.Equal(0.2 * Math.Sqrt(6 * 16 * 25), norms[1].Scaled, 1e-3);
        Assert.Equal(0.2 * Math.Sqrt(16 * 120 * 25), norms[2].Scaled, 1e-3);
        Assert.NotEqual(norms[1].Norm, norms[1].Scaled, 1e-3);
    }
}
