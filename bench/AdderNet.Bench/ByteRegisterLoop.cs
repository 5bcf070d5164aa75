using System.Runtime.CompilerServices;
using AdderNet.Kernels.Bytes;

namespace AdderNet.Bench;

/// <summary>
/// The arithmetic of the loop on bytes at 7 bits without its memory: groups of four minima added in 8 bits and then widened, for four vectors of
/// pixels whose totals stay in registers, operands from a small cached buffer.
/// </summary>
internal static unsafe class ByteRegisterLoop<TOps, TVec>
    where TOps : struct, IByteSimd<TVec>
    where TVec : struct
{
    private const int Taps = 4, Vectors = 4;

    /// <summary>Terms of a sum that one round computes.</summary>
    public static int TermsPerRound => Taps * Vectors * TOps.Lanes;

    /// <summary>Runs so many rounds over 4 KB of operands, and leaves what they summed up there.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void Run(long rounds, byte* operands)
    {
        TVec a0 = default, a1 = default, a2 = default, a3 = default, h0 = default, h1 = default, h2 = default, h3 = default;
        for (long round = 0; round < rounds; round++)
        {
            byte* x = operands + (round & 7) * (Vectors * TOps.Lanes);
            TVec s0 = default, s1 = default, s2 = default, s3 = default;
            for (int k = 0; k < Taps; k++)
            {
                TVec w = TOps.Broadcast(*(int*)(x + k * sizeof(int)));
                s0 = TOps.Add8(s0, TOps.Min8(w, TOps.Load(x)));
                s1 = TOps.Add8(s1, TOps.Min8(w, TOps.Load(x + TOps.Lanes)));
                s2 = TOps.Add8(s2, TOps.Min8(w, TOps.Load(x + 2 * TOps.Lanes)));
                s3 = TOps.Add8(s3, TOps.Min8(w, TOps.Load(x + 3 * TOps.Lanes)));
            }

            (a0, h0) = (TOps.Add16(a0, s0), TOps.Add16(h0, TOps.Upper8(s0)));
            (a1, h1) = (TOps.Add16(a1, s1), TOps.Add16(h1, TOps.Upper8(s1)));
            (a2, h2) = (TOps.Add16(a2, s2), TOps.Add16(h2, TOps.Upper8(s2)));
            (a3, h3) = (TOps.Add16(a3, s3), TOps.Add16(h3, TOps.Upper8(s3)));
        }

        TVec totals = TOps.Add16(TOps.Add16(a0, a1), TOps.Add16(a2, a3)), high = TOps.Add16(TOps.Add16(h0, h1), TOps.Add16(h2, h3));
        TOps.Store(operands, TOps.Add16(totals, high));
    }
}
