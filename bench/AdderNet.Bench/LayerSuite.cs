using AdderNet.Kernels;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace AdderNet.Bench;

/// <summary>One adder layer against libtorch's convolution of the same shape, in whichever memory format suits the convolution better.</summary>
internal static class LayerSuite
{
    public const string Forward = "layer forward", ForwardBackward = "layer forward + backward";

    /// <summary>
    /// The layer as it is trained (lists, if any, made in each call) and as inference has it (planes, lists kept), each against libtorch.
    /// </summary>
    public static IEnumerable<Row> MeasureForward(LayerCase c, int threads, TimeSpan time)
    {
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        var (adder, conv, channelsLast, plain) = Make(c);
        Action kept = Kept(c);
        string name = LayerFilters.Describe(c);
        double[] s = Interleaved.Medians(time, 15, () => Run(adder, channelsLast), kept, () => Run(conv, channelsLast), () => Run(conv, plain));
        double peer = Math.Min(s[2], s[3]);
        return [new Row(Forward, name, threads, s[0], peer, "s"), new Row($"{Forward}, lists kept", name, threads, s[1], peer, "s")];

        static void Run(nn.Module<Tensor, Tensor> layer, Tensor x) => layer.forward(x).Dispose();
    }

    /// <summary>The layer as inference has it, against ONNX Runtime's convolution.</summary>
    public static Row MeasureAgainstOnnxRuntime(LayerCase c, int threads, TimeSpan time)
    {
        using OnnxPeer peer = OnnxConvolution.Float(c, threads);
        double[] s = Interleaved.Medians(time, 15, Kept(c), peer.Run);
        return new Row($"{Forward}, lists kept, against ONNX Runtime's Conv", LayerFilters.Describe(c), threads, s[0], s[1], "s");
    }

    private static Action Kept(LayerCase c)
    {
        AdderShape shape = c.Shape;
        float[] x = LayerFilters.Inputs(c), y = new float[shape.YLength];
        PackedTaps taps = new(shape, LayerFilters.Of(c).Values, InputRange.AfterRelu);
        return () => AdderKernel.Forward(shape, x, taps, y);
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
        return new Row(ForwardBackward, LayerFilters.Describe(c), threads, s[0], Math.Min(s[1], s[2]), "s");

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
        Tensor plain = tensor(LayerFilters.Inputs(c), c.Batch, c.C, c.H, c.W);
        Adder2d adder = Layers.Adder2d(c.C, c.O, c.Kernel, c.Stride, c.Padding);
        using (no_grad())
        {
            adder.Filters.copy_(tensor(LayerFilters.Of(c).Values, c.O, c.C, c.Kernel, c.Kernel));
        }

        return (
            adder,
            nn.Conv2d(c.C, c.O, c.Kernel, c.Stride, c.Padding, bias: false),
            ToChannelsLast(plain), plain);
    }

    private static Tensor ToChannelsLast(Tensor t) => t.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2).detach();
}
