using System.Runtime.CompilerServices;
using AdderNet.Kernels;

namespace AdderNet.Bench;

/// <summary>
/// The kernels' arithmetic without their memory: twelve independent sums in registers, one new operand a round from a small cached
/// buffer. What the processor can do at most with these instructions.
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
            TVec x = TOps.Load(operands + (k & 31) * 16);
            a0 = TOps.Accumulate(a0, TOps.Max(x, a0), one);
            a1 = TOps.Accumulate(a1, TOps.Max(x, a1), one);
            a2 = TOps.Accumulate(a2, TOps.Max(x, a2), one);
            a3 = TOps.Accumulate(a3, TOps.Max(x, a3), one);
            a4 = TOps.Accumulate(a4, TOps.Max(x, a4), one);
            a5 = TOps.Accumulate(a5, TOps.Max(x, a5), one);
            a6 = TOps.Accumulate(a6, TOps.Max(x, a6), one);
            a7 = TOps.Accumulate(a7, TOps.Max(x, a7), one);
            a8 = TOps.Accumulate(a8, TOps.Max(x, a8), one);
            a9 = TOps.Accumulate(a9, TOps.Max(x, a9), one);
            a10 = TOps.Accumulate(a10, TOps.Max(x, a10), one);
            a11 = TOps.Accumulate(a11, TOps.Max(x, a11), one);
        }

        a0 = TOps.Add(TOps.Add(TOps.Add(a0, a1), TOps.Add(a2, a3)), TOps.Add(TOps.Add(a4, a5), TOps.Add(a6, a7)));
        return TOps.Sum(TOps.Add(a0, TOps.Add(TOps.Add(a8, a9), TOps.Add(a10, a11))));
    }

    /// <summary>sum += g * min(max(f, x - 1), x + 1), as the input gradient does it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static float InputGradient(long rounds, float* operands)
    {
        TVec one = TOps.Load(operands);
        TVec a0 = one, a1 = one, a2 = one, a3 = one, a4 = one, a5 = one, a6 = one, a7 = one, a8 = one, a9 = one, a10 = one, a11 = one;
        for (long k = 0; k < rounds; k++)
        {
            TVec x = TOps.Load(operands + (k & 31) * 16);
            a0 = TOps.MulAdd(TOps.Min(TOps.Max(x, a0), one), one, a0);
            a1 = TOps.MulAdd(TOps.Min(TOps.Max(x, a1), one), one, a1);
            a2 = TOps.MulAdd(TOps.Min(TOps.Max(x, a2), one), one, a2);
            a3 = TOps.MulAdd(TOps.Min(TOps.Max(x, a3), one), one, a3);
            a4 = TOps.MulAdd(TOps.Min(TOps.Max(x, a4), one), one, a4);
            a5 = TOps.MulAdd(TOps.Min(TOps.Max(x, a5), one), one, a5);
            a6 = TOps.MulAdd(TOps.Min(TOps.Max(x, a6), one), one, a6);
            a7 = TOps.MulAdd(TOps.Min(TOps.Max(x, a7), one), one, a7);
            a8 = TOps.MulAdd(TOps.Min(TOps.Max(x, a8), one), one, a8);
            a9 = TOps.MulAdd(TOps.Min(TOps.Max(x, a9), one), one, a9);
            a10 = TOps.MulAdd(TOps.Min(TOps.Max(x, a10), one), one, a10);
            a11 = TOps.MulAdd(TOps.Min(TOps.Max(x, a11), one), one, a11);
        }

        a0 = TOps.Add(TOps.Add(TOps.Add(a0, a1), TOps.Add(a2, a3)), TOps.Add(TOps.Add(a4, a5), TOps.Add(a6, a7)));
        return TOps.Sum(TOps.Add(a0, TOps.Add(TOps.Add(a8, a9), TOps.Add(a10, a11))));
    }
}
