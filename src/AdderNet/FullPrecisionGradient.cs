using AdderNet.Kernels;
using static TorchSharp.torch;

namespace AdderNet;

/// <summary>
/// dL/dF = sum of g * (X - F) over all windows (equation 5) = (the weight gradient of an ordinary convolution) - F * (sum of g per
/// filter). Over many windows of many channels our kernel computes both at once; elsewhere libtorch's convolution gradient is faster, but
/// for layers that it does not compute rightly (<see cref="SkippedPixels"/>).
/// </summary>
internal static class FullPrecisionGradient
{
    /// <summary>Measured: below either, libtorch wins (docs/performance.md).</summary>
    private const int ManyWindows = 2048, ManyChannels = 16;

    private static readonly Lazy<jit.CompilationUnit> Compiled = new(() => jit.compile(
        """
        def weight_gradient(g: Tensor, x: Tensor, w: Tensor, sh: int, sw: int, ph: int, pw: int, dh: int, dw: int, groups: int):
            r = torch.convolution_backward(g, x, w, None, [sh, sw], [ph, pw], [dh, dw], False, [0, 0], groups, [False, True, False])
            return r[1] - w * g.sum([0, 2, 3]).view(-1, 1, 1, 1)

        """));

    /// <summary>The gradient, of the filters' shape [O, C / groups, kernel rows, kernel columns].</summary>
    public static Tensor Compute(AdderShape s, Tensor input, Tensor filters, Tensor gradOutput) =>
        ((long)s.N * s.OutH * s.OutW >= ManyWindows && s.GroupC >= ManyChannels)
        || SkippedPixels.OfFewChannels(s.GroupC, [s.KernelH, s.KernelW], [s.StrideH, s.StrideW])
            ? AdderTensors.WeightGradient(s, input, filters, gradOutput)
            : LibtorchGradient(s, input, filters, gradOutput);

    private static Tensor LibtorchGradient(AdderShape s, Tensor input, Tensor filters, Tensor gradOutput) =>
        (Tensor)Compiled.Value.invoke(
            "weight_gradient", gradOutput, input, filters, s.StrideH, s.StrideW, s.PaddingH, s.PaddingW, s.DilationH, s.DilationW, s.Groups);
}
