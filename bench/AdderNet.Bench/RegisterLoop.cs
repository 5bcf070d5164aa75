using System.Runtime.CompilerServices;
using AdderNet.Kernels;

namespace AdderNet.Bench;

/// <summary>
/// The kernels' arithmetic without their memory: twelve independent sums in registers, their operands from a small cached buffer.
/// What the processor can do at most with these instructions.
/// </summary>
internal static unsafe class RegisterLoop<TOps, TVec>
    where TOps : struct, ISimd<TVec>
    where TVec : struct
{
    private const int Sums = 12;

    /// <summary>Terms of a sum that one round computes.</summary>
    public static int TermsPerRound => Sums * TOps.Lanes;

    /// <summary>sum += max(x, f), as the forward pass does it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static float Forward(long rounds, float* operands)
    {
        TVec one = TOps.Load(operands);
        TVec a0 = one, a1 = one, a2 = one, a3 = one, a4 = one, a5 = one, a6 = one, a7 = one, a8 = one, a9 = one, a10 = one, a11 = one;
        for (long k = 0; k < rounds; k++)
        {
            float* x = operands + (k & 31) * 16;
            TVec f = TOps.Load(x);
            a0 = TOps.Accumulate(a0, TOps.Max(f, TOps.Create(x[0])), one);
            a1 = TOps.Accumulate(a1, TOps.Max(f, TOps.Create(x[1])), one);
            a2 = TOps.Accumulate(a2, TOps.Max(f, TOps.Create(x[2])), one);
            a3 = TOps.Accumulate(a3, TOps.Max(f, TOps.Create(x[3])), one);
            a4 = TOps.Accumulate(a4, TOps.Max(f, TOps.Create(x[4])), one);
            a5 = TOps.Accumulate(a5, TOps.Max(f, TOps.Create(x[5])), one);
            a6 = TOps.Accumulate(a6, TOps.Max(f, TOps.Create(x[6])), one);
            a7 = TOps.Accumulate(a7, TOps.Max(f, TOps.Create(x[7])), one);
            a8 = TOps.Accumulate(a8, TOps.Max(f, TOps.Create(x[8])), one);
            a9 = TOps.Accumulate(a9, TOps.Max(f, TOps.Create(x[9])), one);
            a10 = TOps.Accumulate(a10, TOps.Max(f, TOps.Create(x[10])), one);
            a11 = TOps.Accumulate(a11, TOps.Max(f, TOps.Create(x[11])), one);
        }

        a0 = TOps.Add(TOps.Add(TOps.Add(a0, a1), TOps.Add(a2, a3)), TOps.Add(TOps.Add(a4, a5), TOps.Add(a6, a7)));
        return TOps.Sum(TOps.Add(a0, TOps.Add(TOps.Add(a8, a9), TOps.Add(a10, a11))));
    }

    /// <summary>
    /// sum += g * min(max(f, x - 1), x + 1), or g * clamp(f - x), as the input gradient does it. Every term has an
    /// input of its own.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static float InputGradient(long rounds, float* operands)
    {
        TVec one = TOps.Load(operands);
        TVec a0 = one, a1 = one, a2 = one, a3 = one, a4 = one, a5 = one, a6 = one, a7 = one, a8 = one, a9 = one, a10 = one, a11 = one;
        for (long k = 0; k < rounds; k++)
        {
            TVec f = TOps.Load(operands + (k & 31) * 16);
            a0 = TOps.MulAdd(Clamp(f, operands, one, false), one, a0);
            a1 = TOps.MulAdd(Clamp(f, operands + 1 * 16, one, true), one, a1);
            a2 = TOps.MulAdd(Clamp(f, operands + 2 * 16, one, false), one, a2);
            a3 = TOps.MulAdd(Clamp(f, operands + 3 * 16, one, true), one, a3);
            a4 = TOps.MulAdd(Clamp(f, operands + 4 * 16, one, false), one, a4);
            a5 = TOps.MulAdd(Clamp(f, operands + 5 * 16, one, true), one, a5);
            a6 = TOps.MulAdd(Clamp(f, operands + 6 * 16, one, false), one, a6);
            a7 = TOps.MulAdd(Clamp(f, operands + 7 * 16, one, true), one, a7);
            a8 = TOps.MulAdd(Clamp(f, operands + 8 * 16, one, false), one, a8);
            a9 = TOps.MulAdd(Clamp(f, operands + 9 * 16, one, true), one, a9);
            a10 = TOps.MulAdd(Clamp(f, operands + 10 * 16, one, false), one, a10);
            a11 = TOps.MulAdd(Clamp(f, operands + 11 * 16, one, true), one, a11);
        }

        a0 = TOps.Add(TOps.Add(TOps.Add(a0, a1), TOps.Add(a2, a3)), TOps.Add(TOps.Add(a4, a5), TOps.Add(a6, a7)));
        return TOps.Sum(TOps.Add(a0, TOps.Add(TOps.Add(a8, a9), TOps.Add(a10, a11))));
    }

    private static TVec Clamp(TVec f, float* x, TVec one, bool odd) =>
        !TOps.HasClamp ? TOps.Min(TOps.Max(TOps.Load(x), f), one)
        : TOps.Clamp(odd ? TOps.Accumulate(f, TOps.Load(x), one) : TOps.Sub(f, TOps.Load(x)), one);
}
