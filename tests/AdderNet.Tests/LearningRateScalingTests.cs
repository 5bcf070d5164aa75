using TorchSharp;
using static TorchSharp.torch;

namespace AdderNet.Tests;

public class LearningRateScalingTests
{
    [Fact]
    public void Adaptive_rate_makes_the_gradient_norm_eta_times_the_root_of_k()
    {
        using var scope = NewDisposeScope();
        using nn.Module<Tensor, Tensor> model = WithGradient();
        using var layer = (Adder2d)model.children().First();

        LearningRateScaling.Adaptive(0.3).Apply(model);

        Assert.Equal(0.3 * Math.Sqrt(layer.Filters.numel()), layer.Filters.grad!.norm().item<float>(), 1e-4);
    }

    [Fact]
    public void Norm_is_of_the_accumulated_gradient()
    {
        using var scope = NewDisposeScope();
        using Adder2d layer = Layers.Adder2d(2, 2, 3);
        Tensor x = randn(4, 2, 5, 5);
        layer.forward(x).square().sum().backward();
        LearningRateScaling.Adaptive().Apply(layer);
        Tensor whole = layer.Filters.grad!.clone();
        layer.zero_grad();

        layer.forward(x[..2]).square().sum().backward();
        layer.forward(x[2..]).square().sum().backward();
        LearningRateScaling.Adaptive().Apply(layer);

        Assert.True(allclose(whole, layer.Filters.grad!, 1e-4, 1e-6));
    }

    [Fact]
    public void Increased_rate_multiplies_adder_filters_only()
    {
        using var scope = NewDisposeScope();
        using nn.Module<Tensor, Tensor> model = WithGradient();
        Tensor[] before = [.. model.parameters().Select(p => p.grad!.clone())];

        LearningRateScaling.Increased(100).Apply(model);

        Tensor[] after = [.. model.parameters().Select(p => p.grad!)];
        Assert.True(allclose(100 * before[0], after[0]));
        Assert.True(allclose(before[1], after[1]));
    }

    [Fact]
    public void No_scaling_changes_nothing()
    {
        using var scope = NewDisposeScope();
        using nn.Module<Tensor, Tensor> model = WithGradient();
        Tensor before = model.parameters().First().grad!.clone();

        LearningRateScaling.None.Apply(model);

        Assert.True(allclose(before, model.parameters().First().grad!));
    }

    [Fact]
    public void Vanished_gradient_stays_finite()
    {
        using var scope = NewDisposeScope();
        using Adder2d layer = Layers.Adder2d(1, 1, 2);
        (layer.forward(ones(1, 1, 2, 2)) * 0).sum().backward();

        LearningRateScaling.Adaptive().Apply(layer);

        Assert.Equal(0, layer.Filters.grad!.abs().sum().item<float>());
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(double.NaN)]
    [InlineData(double.PositiveInfinity)]
    public void Eta_and_factor_must_be_positive_numbers(double value)
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => LearningRateScaling.Adaptive(value));
        Assert.Throws<ArgumentOutOfRangeException>(() => LearningRateScaling.Increased(value));
    }

    private static TorchSharp.Modules.Sequential WithGradient()
    {
        TorchSharp.Modules.Sequential model = nn.Sequential(Layers.Adder2d(2, 3, 3), nn.Conv2d(3, 1, 1, bias: false));
        model.forward(randn(2, 2, 5, 5)).square().sum().backward();
        return model;
    }
}
