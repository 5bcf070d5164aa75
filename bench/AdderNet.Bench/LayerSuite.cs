using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace AdderNet.Bench;

/// <summary>One adder layer against libtorch's convolution of the same shape, in whichever memory format suits the convolution better.</summary>
internal static class LayerSuite
{
    public const string Forward = "layer forward", ForwardBackward = "layer forward + backward";

    public static Row MeasureForward(LayerCase c, int threads, TimeSpan time)
    {
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        var (adder, conv, channelsLast, plain) = Make(c);
        double[] s = Interleaved.Medians(time, 15, () => Run(adder, channelsLast), () => Run(conv, channelsLast), () => Run(conv, plain));
        return new Row(Forward, c.ToString(), threads, s[0], Math.Min(s[1], s[2]), "s");

        static void Run(nn.Module<Tensor, Tensor> layer, Tensor x) => layer.forward(x).Dispose();
    }

    public static Row MeasureForwardBackward(LayerCase c, int threads, TimeSpan time)
    {
        using var scope = NewDisposeScope();
        var (adder, conv, channelsLast, plain) = Make(c);
        channelsLast.requires_grad = true;
        plain.requires_grad = true;
        Tensor shape = conv.forward(plain), gPlain = randn_like(shape), g = ToChannelsLast(gPlain);
        double[] s = Interleaved.Medians(
            time, 15, () => Run(adder, channelsLast, g), () => Run(conv, channelsLast, g), () => Run(conv, plain, gPlain));
        return new Row(ForwardBackward, c.ToString(), threads, s[0], Math.Min(s[1], s[2]), "s");

        static void Run(nn.Module<Tensor, Tensor> layer, Tensor x, Tensor g)
        {
            using var inner = NewDisposeScope();
            layer.forward(x).backward([g]);
            x.grad = null;
            layer.zero_grad();
        }
    }

    private static (Adder2d Adder, Conv2d Conv, Tensor ChannelsLast, Tensor Plain) Make(LayerCase c)
    {
        Tensor plain = randn(c.Batch, c.C, c.H, c.W);
        return (
            Layers.Adder2d(c.C, c.O, c.Kernel, c.Stride, c.Padding),
            nn.Conv2d(c.C, c.O, c.Kernel, c.Stride, c.Padding, bias: false),
            ToChannelsLast(plain), plain);
    }

    private static Tensor ToChannelsLast(Tensor t) => t.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2).detach();
}
