using AdderNet.Graph;
using TorchSharp;
using static TorchSharp.torch;

namespace AdderNet.Tests;

public class Adder2dTests
{
    [Fact]
    public void Output_is_minus_the_distance_between_window_and_filter()
    {
        using var scope = NewDisposeScope();
        using Adder2d layer = Layers.Adder2d(1, 1, 2);
        using (no_grad())
        {
            layer.Filters.copy_(tensor(new float[] { 1, 2, 3, 4 }).view(1, 1, 2, 2));
        }

        Tensor y = layer.forward(tensor(new float[] { 0, 0, 0, 0 }).view(1, 1, 2, 2));

        Assert.Equal(-10, y.item<float>());
    }

    [Fact]
    public void Bias_shifts_the_output_and_gets_the_summed_gradient()
    {
        using var scope = NewDisposeScope();
        using Adder2d layer = Layers.Adder2d(2, 3, 3, padding: 1, bias: true);
        Tensor x = randn(2, 2, 5, 5);
        Tensor before = layer.forward(x).detach();
        using (no_grad())
        {
            layer.Bias!.add_(1);
        }

        Tensor after = layer.forward(x);
        after.sum().backward();

        Assert.True(allclose(before + 1, after));
        Assert.Equal(new float[] { 50, 50, 50 }, layer.Bias!.grad!.data<float>().ToArray());
    }

    [Fact]
    public void Grouped_layer_equals_a_layer_a_group()
    {
        using var scope = NewDisposeScope();
        using Adder2d grouped = Layers.Adder2d(4, 6, 3, groups: 2), one = Layers.Adder2d(2, 3, 3), other = Layers.Adder2d(2, 3, 3);
        Tensor x = randn(2, 4, 6, 6).requires_grad_(true), x2 = x.detach().clone().requires_grad_(true);
        using (no_grad())
        {
            one.Filters.copy_(grouped.Filters[..3]);
            other.Filters.copy_(grouped.Filters[3..]);
        }

        Tensor y = grouped.forward(x), y2 = cat([one.forward(x2[.., ..2]), other.forward(x2[.., 2..])], 1);
        Tensor g = randn_like(y);
        y.backward([g]);
        y2.backward([g]);

        Assert.True(allclose(y, y2, 1e-4, 1e-4));
        Assert.True(allclose(x.grad!, x2.grad!, 1e-4, 1e-4));
        Assert.True(allclose(grouped.Filters.grad!, cat([one.Filters.grad!, other.Filters.grad!]), 1e-4, 1e-4));
    }

    [Theory]
    [InlineData(WeightGradient.FullPrecision)]
    [InlineData(WeightGradient.Sign)]
    public void Gradient_of_a_single_window_is_the_papers_rule(WeightGradient kind)
    {
        using var scope = NewDisposeScope();
        using Adder2d layer = Layers.Adder2d(3, 2, 2, gradient: kind);
        Tensor x = randn(1, 3, 2, 2).requires_grad_(true), g = tensor(new float[] { 2, -3 }).view(1, 2, 1, 1);

        layer.forward(x).backward([g]);

        Tensor difference = x.detach() - layer.Filters.detach(), scale = g.view(2, 1, 1, 1);
        Assert.True(allclose(scale * (kind == WeightGradient.Sign ? difference.sign() : difference), layer.Filters.grad!, 1e-5, 1e-6));
        Assert.True(allclose((scale * (-difference).clamp(-1, 1)).sum(0, keepdim: true), x.grad!, 1e-5, 1e-6));
    }

    [Theory]
    [InlineData(WeightGradient.FullPrecision)]
    [InlineData(WeightGradient.Sign)]
    public void Gradient_over_so_many_windows_that_our_own_kernel_computes_it_is_the_papers_rule(WeightGradient kind)
    {
        using var scope = NewDisposeScope();
        using Adder2d layer = Layers.Adder2d(16, 6, 3, padding: 1, gradient: kind);
        Tensor x = randn(9, 16, 17, 16), g = randn(9, 6, 17, 16);

        layer.forward(x.requires_grad_(true)).backward([g]);

        // Windows [images, elements, pixels] in double precision.
        Tensor windows = nn.functional.unfold(x.detach(), 3, padding: 1).to(float64);
        for (int o = 0; o < 6; o++)
        {
            Tensor difference = windows - layer.Filters.detach()[o].reshape(1, -1, 1).to(float64), weight = g[.., o..(o + 1)].reshape(9, 1, -1).to(float64);
            Tensor expected = (weight * (kind == WeightGradient.Sign ? difference.sign() : difference)).sum([0, 2]);
            Assert.True(allclose(expected, layer.Filters.grad![o].reshape(-1).to(float64), 1e-4, 1e-3));
        }
    }

    [Fact]
    public void Ordinary_and_channels_last_inputs_give_the_same()
    {
        using var scope = NewDisposeScope();
        using Adder2d layer = Layers.Adder2d(5, 4, 3, stride: 2, padding: 1);
        Tensor x = randn(2, 5, 9, 7), channelsLast = x.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2);

        Assert.True(layer.forward(x).equal(layer.forward(channelsLast)).all().item<bool>());
    }

    [Theory]
    [InlineData(4)]
    [InlineData(7)]
    public void With_a_grid_the_output_is_that_of_integer_codes_and_what_clamping_takes_from_filters(int bits)
    {
        using var scope = NewDisposeScope();
        using Adder2d layer = Layers.Adder2d(3, 4, 3, stride: 2, padding: 1);
        Grid grid = layer.Grid = Grid.To(1.5, bits);
        Tensor x = randn(2, 3, 7, 6).relu_();

        Tensor y = layer.forward(x);

        // Windows [images, elements, pixels] of codes; padding is code 0.
        Tensor codes = nn.functional.unfold(Codes(x), 3, padding: 1, stride: 2), w = layer.Filters.detach().to(float64);
        for (int o = 0; o < 4; o++)
        {
            Tensor sums = (codes - Codes(w[o]).reshape(1, -1, 1)).abs().sum(1), outside = (w[o] - w[o].clamp(0, 1.5)).abs().sum();
            Assert.True(allclose(-(grid.Step * sums + outside), y[.., o].flatten(1).to(float64), 1e-5, 1e-5));
        }

        Tensor Codes(Tensor values) => tensor(values.to(float64).data<double>().Select(v => (double)grid.Code(v)).ToArray()).view(values.shape);
    }

    [Fact]
    public void With_a_grid_gradients_are_the_papers_of_rounded_inputs_and_real_filters_and_pass_no_clamped_input()
    {
        using var scope = NewDisposeScope();
        using Adder2d layer = Layers.Adder2d(3, 2, 2);
        layer.Grid = Grid.To(1, 4);
        Tensor x = randn(1, 3, 2, 2).abs_().mul_(0.8), g = tensor(new float[] { 2, -3 }).view(1, 2, 1, 1);
        x[0, 0, 0, 0] = tensor(2f); // One at least is clamped.
        x.requires_grad_(true);

        layer.forward(x).backward([g]);

        Tensor rounded = x.detach().clamp(0, 1).mul(15).add(0.5).floor().div(15), difference = rounded - layer.Filters.detach();
        Assert.True(allclose(g.view(2, 1, 1, 1) * difference, layer.Filters.grad!, 1e-5, 1e-5));
        Tensor inside = x.detach().le(1).to_type(ScalarType.Float32);
        Assert.True(inside.sum().item<float>() < 12);
        Assert.True(allclose((g.view(2, 1, 1, 1) * (-difference).clamp(-1, 1)).sum(0, keepdim: true) * inside, x.grad!, 1e-5, 1e-5));
    }

    [Fact]
    public void Frozen_filters_get_no_gradient_but_the_input_does()
    {
        using var scope = NewDisposeScope();
        using Adder2d layer = Layers.Adder2d(1, 1, 3);
        layer.Filters.requires_grad = false;
        Tensor x = randn(1, 1, 4, 4).requires_grad_(true);

        layer.forward(x).sum().backward();

        Assert.Null(layer.Filters.grad);
        Assert.NotNull(x.grad);
    }

    [Fact]
    public void Gradients_accumulate_over_backward_calls()
    {
        using var scope = NewDisposeScope();
        using Adder2d layer = Layers.Adder2d(2, 2, 3);
        Tensor x = randn(1, 2, 4, 4);
        layer.forward(x).sum().backward();
        Tensor once = layer.Filters.grad!.clone();

        layer.forward(x).sum().backward();

        Assert.True(allclose(2 * once, layer.Filters.grad!));
    }

    [Theory]
    [InlineData(new long[] { 1, 3, 8, 8 }, "[N, 2, H, W]")]
    [InlineData(new long[] { 2, 8, 8 }, "[N, 2, H, W]")]
    [InlineData(new long[] { 1, 2, 2, 2 }, "larger than the padded input")]
    public void Input_that_does_not_fit_is_refused_in_a_sentence(long[] shape, string says)
    {
        using var scope = NewDisposeScope();
        using Adder2d layer = Layers.Adder2d(2, 2, 3);

        Assert.Contains(says, Assert.Throws<ArgumentException>(() => layer.forward(zeros(shape))).Message);
    }

    [Fact]
    public void Other_types_are_refused_in_a_sentence()
    {
        using var scope = NewDisposeScope();
        using Adder2d layer = Layers.Adder2d(2, 2, 3);

        Assert.Contains("float32", Assert.Throws<ArgumentException>(() => layer.forward(zeros([1, 2, 4, 4], float64))).Message);
    }

    [Fact]
    public void Sizes_that_make_no_layer_are_refused() => Assert.All(
        (Action[])
        [
            () => Layers.Adder2d(0, 1, 1), () => Layers.Adder2d(3, 2, 1, groups: 2), () => Layers.Adder2d(1, 1, 0),
            () => Layers.Adder2d(1, 1, 1, stride: 0), () => Layers.Adder2d(1, 1, 1, padding: -1), () => Layers.Adder2d(1, 1, 1, dilation: 0),
        ],
        make => Assert.Throws<ArgumentException>(make));

    [Fact]
    public void State_dict_has_the_official_names()
    {
        using Adder2d layer = Layers.Adder2d(2, 3, 5, bias: true);

        Assert.Equal(["adder", "bias"], layer.state_dict().Keys.Order());
        Assert.Equal([3, 2, 5, 5], layer.Filters.shape);
    }
}
