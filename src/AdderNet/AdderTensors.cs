using System.Runtime.InteropServices;
using AdderNet.Kernels;
using static TorchSharp.torch;

namespace AdderNet;

/// <summary>Hands the memory of tensors to the kernels. Nothing here takes part in autograd.</summary>
internal static class AdderTensors
{
    static AdderTensors() => TorchThreads.Share();

    /// <summary>Y [N, O, H', W'], channels-last.</summary>
    public static Tensor Forward(AdderShape shape, Tensor input, Tensor filters)
    {
        using Tensor x = ChannelsLast(input), f = filters.contiguous();
        Tensor y = empty(shape.N, shape.OutH, shape.OutW, shape.O);
        AdderKernel.Forward(shape, Floats(x), Floats(f), Floats(y));
        return AsNchw(y);
    }

    /// <summary>dL/dX [N, C, H, W], channels-last.</summary>
    public static Tensor InputGradient(AdderShape shape, Tensor input, Tensor filters, Tensor gradOutput, InputGradient kind)
    {
        // HardTanh(s (F - X)) is sgn(F - X) where they differ by 1 / s or more, and no two numbers of any use differ by less than 2^-64. A
        // power of two changes no digit of either.
        const float large = 1.8446744e19f;
        bool sign = kind == AdderNet.InputGradient.Sign;
        using Tensor scaledX = sign ? input.Times(large) : input.alias(), scaledF = sign ? filters.Times(large) : filters.alias();
        using Tensor x = ChannelsLast(scaledX), f = scaledF.contiguous(), g = ChannelsLast(gradOutput);
        Tensor gradX = empty(shape.N, shape.H, shape.W, shape.C);
        AdderKernel.InputGradient(shape, Floats(x), Floats(f), Floats(g), Floats(gradX));
        return AsNchw(gradX);
    }

    /// <summary>dL/dF with X - F, of the filters' shape.</summary>
    public static Tensor WeightGradient(AdderShape shape, Tensor input, Tensor filters, Tensor gradOutput) =>
        FiltersGradient(shape, input, filters, gradOutput, AdderKernel.WeightGradient);

    /// <summary>dL/dF with sgn(X - F), of the filters' shape.</summary>
    public static Tensor SignWeightGradient(AdderShape shape, Tensor input, Tensor filters, Tensor gradOutput) =>
        FiltersGradient(shape, input, filters, gradOutput, AdderKernel.SignWeightGradient);

    private delegate void FiltersGradientKernel(
        AdderShape shape, ReadOnlySpan<float> x, ReadOnlySpan<float> filters, ReadOnlySpan<float> gradY, Span<float> gradFilters);

    private static Tensor FiltersGradient(AdderShape shape, Tensor input, Tensor filters, Tensor gradOutput, FiltersGradientKernel kernel)
    {
        using Tensor x = ChannelsLast(input), f = filters.contiguous(), g = ChannelsLast(gradOutput);
        Tensor gradF = empty_like(f);
        kernel(shape, Floats(x), Floats(f), Floats(g), Floats(gradF));
        return gradF;
    }

    /// <summary>[N, C, H, W] as [N, H, W, C] without gaps: the same memory where it is channels-last already.</summary>
    private static Tensor ChannelsLast(Tensor t)
    {
        using Tensor permuted = t.permute(0, 2, 3, 1);
        return permuted.contiguous();
    }

    private static Tensor AsNchw(Tensor channelsLast)
    {
        using (channelsLast)
        {
            return channelsLast.permute(0, 3, 1, 2);
        }
    }

    private static Span<float> Floats(Tensor t) => MemoryMarshal.Cast<byte, float>(t.bytes);
}
