using System.Runtime.CompilerServices;

namespace AdderNet.Kernels.Bytes;

/// <summary>A number the JIT folds into a loop: vectors a tile, or taps a group.</summary>
internal interface IConstant
{
    static abstract int Value { get; }
}

internal readonly struct One : IConstant
{
    public static int Value => 1;
}

internal readonly struct Two : IConstant
{
    public static int Value => 2;
}

internal readonly struct Three : IConstant
{
    public static int Value => 3;
}

internal readonly struct Four : IConstant
{
    public static int Value => 4;
}

internal readonly struct Eight : IConstant
{
    public static int Value => 8;
}

/// <summary>The inner loop: one filter's taps on a tile of one to four vectors of pixels.</summary>
/// <typeparam name="TOps">Operations of one width.</typeparam>
/// <typeparam name="TVec">A vector of that width.</typeparam>
/// <typeparam name="TVectors">Vectors of pixels.</typeparam>
/// <typeparam name="TLarge">Taps of a large group.</typeparam>
/// <typeparam name="TSmall">Taps of a small group and of a group of plain sums.</typeparam>
/// <remarks>
/// The taps of a group are added in 8 bits. Two neighbouring pixels' sums s are then widened together, as one 16-bit lane:
/// total += s, high += s >> 8. In the end the odd pixel's sum is high, and the even one's is total - (high &lt;&lt; 8), modulo 65536.
/// </remarks>
internal static unsafe class ByteTile<TOps, TVec, TVectors, TLarge, TSmall>
    where TOps : struct, IByteSimd<TVec>
    where TVec : struct
    where TVectors : struct, IConstant
    where TLarge : struct, IConstant
    where TSmall : struct, IConstant
{
    /// <summary>Adds a piece's sums of min(x, w) to a tile's totals: all vectors of total, then all vectors of high.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run(byte* patch, ByteTap* tap, BytePiece* piece, byte* totals)
    {
        int lanes = TOps.Lanes;
        TVec a0 = default, a1 = default, a2 = default, a3 = default, h0 = default, h1 = default, h2 = default, h3 = default;
        if (piece->Start == BytePieceStart.Continue)
        {
            a0 = TOps.Load(totals);
            h0 = TOps.Load(totals + TVectors.Value * lanes);
            if (TVectors.Value > 1)
            {
                a1 = TOps.Load(totals + lanes);
                h1 = TOps.Load(totals + (TVectors.Value + 1) * lanes);
            }

            if (TVectors.Value > 2)
            {
                a2 = TOps.Load(totals + 2 * lanes);
                h2 = TOps.Load(totals + (TVectors.Value + 2) * lanes);
            }

            if (TVectors.Value > 3)
            {
                a3 = TOps.Load(totals + 3 * lanes);
                h3 = TOps.Load(totals + (TVectors.Value + 3) * lanes);
            }
        }

        tap += piece->FirstTap;
        for (ByteTap* end = tap + piece->Large * TLarge.Value; tap < end; tap += TLarge.Value)
        {
            TVec s0 = default, s1 = default, s2 = default, s3 = default;
            Compare(patch, tap, ref s0, ref s1, ref s2, ref s3, true);
            for (int k = 1; k < TLarge.Value; k++)
            {
                Compare(patch, tap + k, ref s0, ref s1, ref s2, ref s3, false);
            }

            Widen(ref a0, ref h0, s0);
            Widen(ref a1, ref h1, s1);
            Widen(ref a2, ref h2, s2);
            Widen(ref a3, ref h3, s3);
        }

        if (TSmall.Value < TLarge.Value)
        {
            for (ByteTap* end = tap + piece->Small * TSmall.Value; tap < end; tap += TSmall.Value)
            {
                TVec s0 = default, s1 = default, s2 = default, s3 = default;
                Compare(patch, tap, ref s0, ref s1, ref s2, ref s3, true);
                for (int k = 1; k < TSmall.Value; k++)
                {
                    Compare(patch, tap + k, ref s0, ref s1, ref s2, ref s3, false);
                }

                Widen(ref a0, ref h0, s0);
                Widen(ref a1, ref h1, s1);
                Widen(ref a2, ref h2, s2);
                Widen(ref a3, ref h3, s3);
            }
        }

        for (ByteTap* end = tap + piece->Plain * TSmall.Value; tap < end; tap += TSmall.Value)
        {
            TVec s0 = default, s1 = default, s2 = default, s3 = default;
            Add(patch, tap, ref s0, ref s1, ref s2, ref s3, true);
            for (int k = 1; k < TSmall.Value; k++)
            {
                Add(patch, tap + k, ref s0, ref s1, ref s2, ref s3, false);
            }

            Widen(ref a0, ref h0, s0);
            Widen(ref a1, ref h1, s1);
            Widen(ref a2, ref h2, s2);
            Widen(ref a3, ref h3, s3);
        }

        TOps.Store(totals, a0);
        TOps.Store(totals + TVectors.Value * lanes, h0);
        if (TVectors.Value > 1)
        {
            TOps.Store(totals + lanes, a1);
            TOps.Store(totals + (TVectors.Value + 1) * lanes, h1);
        }

        if (TVectors.Value > 2)
        {
            TOps.Store(totals + 2 * lanes, a2);
            TOps.Store(totals + (TVectors.Value + 2) * lanes, h2);
        }

        if (TVectors.Value > 3)
        {
            TOps.Store(totals + 3 * lanes, a3);
            TOps.Store(totals + (TVectors.Value + 3) * lanes, h3);
        }
    }

    /// <summary>s += min(x, w) for one tap, or s = min(x, w) for a group's first.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Compare(byte* patch, ByteTap* tap, ref TVec s0, ref TVec s1, ref TVec s2, ref TVec s3, bool first)
    {
        byte* x = patch + tap->Offset;
        TVec w = TOps.Broadcast(tap->Weight), m = TOps.Min8(w, TOps.Load(x));
        s0 = first ? m : TOps.Add8(s0, m);
        if (TVectors.Value > 1)
        {
            m = TOps.Min8(w, TOps.Load(x + TOps.Lanes));
            s1 = first ? m : TOps.Add8(s1, m);
        }

        if (TVectors.Value > 2)
        {
            m = TOps.Min8(w, TOps.Load(x + 2 * TOps.Lanes));
            s2 = first ? m : TOps.Add8(s2, m);
        }

        if (TVectors.Value > 3)
        {
            m = TOps.Min8(w, TOps.Load(x + 3 * TOps.Lanes));
            s3 = first ? m : TOps.Add8(s3, m);
        }
    }

    /// <summary>s += x for one tap whose weight no input exceeds, or s = x for a group's first.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add(byte* patch, ByteTap* tap, ref TVec s0, ref TVec s1, ref TVec s2, ref TVec s3, bool first)
    {
        byte* x = patch + tap->Offset;
        s0 = first ? TOps.Load(x) : TOps.Add8(s0, TOps.Load(x));
        if (TVectors.Value > 1)
        {
            s1 = first ? TOps.Load(x + TOps.Lanes) : TOps.Add8(s1, TOps.Load(x + TOps.Lanes));
        }

        if (TVectors.Value > 2)
        {
            s2 = first ? TOps.Load(x + 2 * TOps.Lanes) : TOps.Add8(s2, TOps.Load(x + 2 * TOps.Lanes));
        }

        if (TVectors.Value > 3)
        {
            s3 = first ? TOps.Load(x + 3 * TOps.Lanes) : TOps.Add8(s3, TOps.Load(x + 3 * TOps.Lanes));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Widen(ref TVec total, ref TVec high, TVec s)
    {
        total = TOps.Add16(total, s);
        high = TOps.Add16(high, TOps.Upper8(s));
    }
}
