using AdderNet.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace AdderNet.Tests;

/// <summary>Gradients of 1x1 layers that skip pixels of channels-last maps: a wrong one may also end this process (oneDNN's issue 6035).</summary>
public class SkippedPixelsTests
{
    public static TheoryData<LayerKind, int> KindsAndChannels =>
        new(from kind in Enum.GetValues<LayerKind>() from channels in (int[])[1, 3, 4, 7, 8, 12, 15, 16, 20] select (kind, channels));

    [Theory]
    [MemberData(nameof(KindsAndChannels))]
    public void The_weight_gradient_is_the_formulas(LayerKind kind, int channels)
    {
        using var scope = NewDisposeScope();
        using nn.Module<Tensor, Tensor> layer = new LayerFactory(_ => kind).Create(
            new LayerSlot("downsample", LayerPosition.Inner, channels, 16, 1, Stride: 2));
        Tensor input = randn(3, 32, 32, channels).permute(0, 3, 1, 2), gradient = randn(3, 16, 16, 16);
        Tensor computed = WeightGradient(layer, input, gradient).to(ScalarType.Float64);
        (input, gradient) = (input.to(ScalarType.Float64), gradient.to(ScalarType.Float64));
        Tensor expected;
        if (kind == LayerKind.Adder)
        {
            Tensor filters = Assert.Single(layer.parameters()).detach().to(ScalarType.Float64), seen = input[.., .., EverySecond, EverySecond];
            expected = einsum("nohw,nchw->oc", gradient, seen).view(16, channels, 1, 1) - filters * gradient.sum([0L, 2L, 3L]).view(-1, 1, 1, 1);
        }
        else
        {
            // Of double precision, which oneDNN leaves to libtorch's own convolution.
            expected = WeightGradient(layer.to(ScalarType.Float64), input, gradient);
        }

        Assert.InRange((computed - expected).abs().max().item<double>(), 0, 1e-3);
    }

    private static TensorIndex EverySecond => TensorIndex.Slice(null, null, 2);

    /// <summary>The last of several: the first ones' writes past the end may have hit nothing.</summary>
    private static Tensor WeightGradient(nn.Module<Tensor, Tensor> layer, Tensor input, Tensor gradient)
    {
        for (int i = 0; i < 5; i++)
        {
            layer.zero_grad();
            layer.call(input).backward([gradient]);
        }

        return Assert.Single(layer.parameters()).grad!.clone();
    }
}
