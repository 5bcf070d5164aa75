using AdderNet.Graph;
using TorchSharp;
using static TorchSharp.torch;

namespace AdderNet;

/// <summary>
/// How a binary layer makes one bit of each activation and of each weight. A step has no useful derivative, so the gradient passes
/// straight through it (the straight-through estimator), where the value lies in the range that the step clips to.
/// </summary>
/// <param name="Rule">What graphs call it.</param>
/// <param name="Activations">X to its one-bit version, of the same shape.</param>
/// <param name="Weights">W [O, C, kernel rows, kernel columns] to its one-bit version, of the same shape.</param>
internal sealed record Binarization(BinarizationRule Rule, Func<Tensor, Tensor> Activations, Func<Tensor, Tensor> Weights)
{
    /// <summary>
    /// XNOR-Net (Rastegari et al., ECCV 2016): sign(x); sign(w) * mean |w|, the mean over each output channel's filter. With n elements
    /// in a filter, g passes to x as g * [|x| &lt;= 1], and to w_i as mean |w| * g_i * [|w_i| &lt;= 1] + sign(w_i) / n * sum_j g_j * sign(w_j).
    /// So a weight beyond 1 is pushed no further, and weight decay brings it back: it needs no clipping between steps.
    /// </summary>
    public static Binarization XnorNet { get; } = new(BinarizationRule.XnorNet, Sign, w => Sign(w) * w.abs().mean([1, 2, 3], keepdim: true));

    /// <summary>
    /// DoReFa-Net (Zhou et al., 2016) with one bit for each: clip(x, 0, 1) rounded to 0 or 1; sign(w) * E|w|, the mean over the layer.
    /// g passes to x as g * [0 &lt;= x &lt;= 1], and to w as it is.
    /// </summary>
    public static Binarization DoReFa { get; } = new(
        BinarizationRule.DoReFa,
        x =>
        {
            Tensor clipped = x.Clamped(0, 1);
            return StraightThrough(clipped.detach().round(), clipped);
        },
        w =>
        {
            Tensor real = w.detach();
            return StraightThrough(SignBits(real).mul_(real.abs().mean()), w);
        });

    private static Tensor Sign(Tensor x) => StraightThrough(SignBits(x.detach()), x.Clamped(-1, 1));

    /// <summary>1 where x >= 0, else -1: two values, so zero, which <c>torch.sign</c> would keep, has to be one of them.</summary>
    private static Tensor SignBits(Tensor x)
    {
        using Scalar zero = Arithmetic.Number(0L);
        return x.ge(zero).to_type(x.dtype).Scale(2).Add(-1);
    }

    /// <summary>The values of the first with the gradient of the second. Subtracted first, so that the zero is exact; NaN stays NaN.</summary>
    private static Tensor StraightThrough(Tensor values, Tensor gradients) => (gradients - gradients.detach()).Add(values);
}
