using System.Runtime.CompilerServices;

namespace AdderNet.Kernels;

/// <summary>The inner loop of the input gradient.</summary>
internal static unsafe class InputGradientTile<TOps, TVec>
    where TOps : struct, ISimd<TVec>
    where TVec : struct
{
    /// <summary>
    /// Sums g * min(max(F, X - 1), X + 1), from which g * HardTanh(F - X) follows by taking X * (sum of g) away, or in the
    /// absolute form g * HardTanh(F - X) itself, over a chunk's segments for a tile of pixels and one vector of channels. Where the
    /// hardware has a clamp, both forms sum g * HardTanh(F - X), but the first counts HardTanh(NaN) as 1 or -1.
    /// </summary>
    /// <param name="filters">The chunk's filters: a vector for each element.</param>
    /// <param name="segment">First segment.</param>
    /// <param name="end">One behind the last segment.</param>
    /// <param name="source">The gradient at the output; what the offsets are relative to.</param>
    /// <param name="offsets">Of the tile's pixels.</param>
    /// <param name="x">Inputs [Pixels, Lanes].</param>
    /// <param name="sums">Totals [Pixels, Lanes], which this adds to.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run<TSize, TForm>(
        float* filters, Segment* segment, Segment* end, float* source, nint* offsets, float* x, float* sums)
        where TSize : struct, ITileSize
        where TForm : struct, IForm
    {
        float* g0 = source + offsets[0];
        float* g1 = TSize.Rows > 1 ? source + offsets[1] : g0;
        float* g2 = TSize.Rows > 2 ? source + offsets[2] : g0;
        float* g3 = TSize.Rows > 3 ? source + offsets[3] : g0;
        float* g4 = TSize.Rows > 4 ? source + offsets[4] : g0;
        float* g5 = TSize.Rows > 5 ? source + offsets[5] : g0;
        float* g6 = TSize.Rows > 6 ? source + offsets[6] : g0;
        float* g7 = TSize.Rows > 7 ? source + offsets[7] : g0;
        TVec zero = TOps.Create(0), one = TOps.Create(1);
        TVec a0 = zero, a1 = zero, a2 = zero, a3 = zero, a4 = zero, a5 = zero, a6 = zero, a7 = zero;
        Bounds<TSize, TForm>(x, 0, out TVec l0, out TVec h0);
        Bounds<TSize, TForm>(x, 1, out TVec l1, out TVec h1);
        Bounds<TSize, TForm>(x, 2, out TVec l2, out TVec h2);
        Bounds<TSize, TForm>(x, 3, out TVec l3, out TVec h3);
        Bounds<TSize, TForm>(x, 4, out TVec l4, out TVec h4);
        Bounds<TSize, TForm>(x, 5, out TVec l5, out TVec h5);
        Bounds<TSize, TForm>(x, 6, out TVec l6, out TVec h6);
        Bounds<TSize, TForm>(x, 7, out TVec l7, out TVec h7);
        do
        {
            nint k = segment->Source, to = k + segment->Length;
            TVec f;
            for (; k < to - 1; k += 2)
            {
                f = TOps.Load(filters);
                a0 = Add<TForm>(a0, g0 + k, f, l0, h0, one, false);
                if (TSize.Rows > 1) { a1 = Add<TForm>(a1, g1 + k, f, l1, h1, one, true); }
                if (TSize.Rows > 2) { a2 = Add<TForm>(a2, g2 + k, f, l2, h2, one, false); }
                if (TSize.Rows > 3) { a3 = Add<TForm>(a3, g3 + k, f, l3, h3, one, true); }
                if (TSize.Rows > 4) { a4 = Add<TForm>(a4, g4 + k, f, l4, h4, one, false); }
                if (TSize.Rows > 5) { a5 = Add<TForm>(a5, g5 + k, f, l5, h5, one, true); }
                if (TSize.Rows > 6) { a6 = Add<TForm>(a6, g6 + k, f, l6, h6, one, false); }
                if (TSize.Rows > 7) { a7 = Add<TForm>(a7, g7 + k, f, l7, h7, one, true); }
                f = TOps.Load(filters + TOps.Lanes);
                a0 = Add<TForm>(a0, g0 + k + 1, f, l0, h0, one, false);
                if (TSize.Rows > 1) { a1 = Add<TForm>(a1, g1 + k + 1, f, l1, h1, one, true); }
                if (TSize.Rows > 2) { a2 = Add<TForm>(a2, g2 + k + 1, f, l2, h2, one, false); }
                if (TSize.Rows > 3) { a3 = Add<TForm>(a3, g3 + k + 1, f, l3, h3, one, true); }
                if (TSize.Rows > 4) { a4 = Add<TForm>(a4, g4 + k + 1, f, l4, h4, one, false); }
                if (TSize.Rows > 5) { a5 = Add<TForm>(a5, g5 + k + 1, f, l5, h5, one, true); }
                if (TSize.Rows > 6) { a6 = Add<TForm>(a6, g6 + k + 1, f, l6, h6, one, false); }
                if (TSize.Rows > 7) { a7 = Add<TForm>(a7, g7 + k + 1, f, l7, h7, one, true); }
                filters += 2 * TOps.Lanes;
            }

            if (k < to)
            {
                f = TOps.Load(filters);
                a0 = Add<TForm>(a0, g0 + k, f, l0, h0, one, false);
                if (TSize.Rows > 1) { a1 = Add<TForm>(a1, g1 + k, f, l1, h1, one, true); }
                if (TSize.Rows > 2) { a2 = Add<TForm>(a2, g2 + k, f, l2, h2, one, false); }
                if (TSize.Rows > 3) { a3 = Add<TForm>(a3, g3 + k, f, l3, h3, one, true); }
                if (TSize.Rows > 4) { a4 = Add<TForm>(a4, g4 + k, f, l4, h4, one, false); }
                if (TSize.Rows > 5) { a5 = Add<TForm>(a5, g5 + k, f, l5, h5, one, true); }
                if (TSize.Rows > 6) { a6 = Add<TForm>(a6, g6 + k, f, l6, h6, one, false); }
                if (TSize.Rows > 7) { a7 = Add<TForm>(a7, g7 + k, f, l7, h7, one, true); }
                filters += TOps.Lanes;
            }
        }
        while (++segment < end);

        Put<TSize>(sums, 0, a0);
        Put<TSize>(sums, 1, a1);
        Put<TSize>(sums, 2, a2);
        Put<TSize>(sums, 3, a3);
        Put<TSize>(sums, 4, a4);
        Put<TSize>(sums, 5, a5);
        Put<TSize>(sums, 6, a6);
        Put<TSize>(sums, 7, a7);
    }

    /// <summary>HardTanh(f - x), NaN where either is.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVec HardTanh(TVec f, TVec x) =>
        TOps.Min(TOps.Create(1), TOps.Max(TOps.Create(-1), TOps.Sub(f, x)));

    /// <summary>What a pixel's elements are compared with: X - 1 and X + 1, or X, or for odd pixels and <see cref="ISimd{TVec}.Clamp"/> -X.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Bounds<TSize, TForm>(float* x, int pixel, out TVec low, out TVec high)
        where TSize : struct, ITileSize
        where TForm : struct, IForm
    {
        low = high = TOps.Load(x + (pixel < TSize.Rows ? pixel : 0) * TOps.Lanes);
        if (!TForm.Plain && !TOps.HasClamp)
        {
            low = TOps.Sub(low, TOps.Create(1));
            high = TOps.Add(high, TOps.Create(1));
        }
        else if (!TForm.Plain && pixel % 2 == 1)
        {
            low = TOps.Sub(TOps.Create(0), low);
        }
    }

    /// <summary>sum + g * HardTanh(f - x), give or take g * x.</summary>
    /// <param name="sum">The sum so far.</param>
    /// <param name="g">One element, by its address, so that the compiler can make the broadcast part of the multiply-add.</param>
    /// <param name="f">Filters.</param>
    /// <param name="low">The pixel's lower bound.</param>
    /// <param name="high">The pixel's upper bound.</param>
    /// <param name="one">A vector of ones.</param>
    /// <param name="odd">Whether the pixel is one with -X. Then the difference is a fused multiply-add, too: that and the plain
    /// subtraction have different execution ports, and half of each fills both.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVec Add<TForm>(TVec sum, float* g, TVec f, TVec low, TVec high, TVec one, bool odd)
        where TForm : struct, IForm =>
        TOps.MulAdd(
            TForm.Plain ? HardTanh(f, low)
            : !TOps.HasClamp ? TOps.Min(high, TOps.Max(low, f))
            : odd ? TOps.Clamp(TOps.Accumulate(f, low, one), one)
            : TOps.Clamp(TOps.Sub(f, low), one),
            TOps.Create(*g),
            sum);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put<TSize>(float* sums, int pixel, TVec a)
        where TSize : struct, ITileSize
    {
        if (pixel < TSize.Rows)
        {
            float* at = sums + pixel * TOps.Lanes;
            TOps.Store(at, TOps.Add(TOps.Load(at), a));
        }
    }
}
