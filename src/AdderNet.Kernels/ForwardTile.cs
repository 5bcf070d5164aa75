using System.Runtime.CompilerServices;

namespace AdderNet.Kernels;

/// <summary>The inner loop of the forward pass.</summary>
internal static unsafe class ForwardTile<TOps, TVec>
    where TOps : struct, ISimd<TVec>
    where TVec : struct
{
    /// <summary>
    /// Sums max(x, f), or |x - f|, over a chunk's segments for a tile of pixels and output channels. All sums stay in
    /// registers; each filter vector is loaded once for all pixels and each input element once for all channels.
    /// </summary>
    /// <param name="filters">The chunk's filters: Vectors vectors for each element.</param>
    /// <param name="segment">First segment.</param>
    /// <param name="end">One behind the last segment.</param>
    /// <param name="source">What the offsets are relative to.</param>
    /// <param name="offsets">Of the tile's pixels.</param>
    /// <param name="sums">Totals [Pixels, Vectors]: set by the first chunk, increased by the others.</param>
    /// <param name="first">Whether this is the first chunk.</param>
    /// <param name="ones">A vector of ones, in memory so that the compiler keeps it in a register.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run<TSize, TForm>(
        float* filters, Segment* segment, Segment* end, float* source, nint* offsets, float* sums, bool first, float* ones)
        where TSize : struct, ITileSize
        where TForm : struct, IForm
    {
        float* p0 = source + offsets[0];
        float* p1 = TSize.Rows > 1 ? source + offsets[1] : p0;
        float* p2 = TSize.Rows > 2 ? source + offsets[2] : p0;
        float* p3 = TSize.Rows > 3 ? source + offsets[3] : p0;
        float* p4 = TSize.Rows > 4 ? source + offsets[4] : p0;
        float* p5 = TSize.Rows > 5 ? source + offsets[5] : p0;
        float* p6 = TSize.Rows > 6 ? source + offsets[6] : p0;
        float* p7 = TSize.Rows > 7 ? source + offsets[7] : p0;
        TVec one = TOps.Load(ones), zero = TOps.Create(0);
        TVec a0 = zero, a1 = zero, a2 = zero, a3 = zero, a4 = zero, a5 = zero, a6 = zero, a7 = zero;
        TVec b0 = zero, b1 = zero, b2 = zero, b3 = zero, b4 = zero, b5 = zero, b6 = zero, b7 = zero;
        do
        {
            // Two steps a round: one would spend a sixth of its instructions on the loop itself.
            nint k = segment->Source, to = k + segment->Length;
            TVec f, g;
            for (; k < to - 1; k++)
            {
                f = TOps.Load(filters);
                g = TSize.Vectors > 1 ? TOps.Load(filters + TOps.Lanes) : f;
                Add<TSize, TForm>(p0, k, f, g, one, ref a0, ref b0);
                if (TSize.Rows > 1) { Add<TSize, TForm>(p1, k, f, g, one, ref a1, ref b1); }
                if (TSize.Rows > 2) { Add<TSize, TForm>(p2, k, f, g, one, ref a2, ref b2); }
                if (TSize.Rows > 3) { Add<TSize, TForm>(p3, k, f, g, one, ref a3, ref b3); }
                if (TSize.Rows > 4) { Add<TSize, TForm>(p4, k, f, g, one, ref a4, ref b4); }
                if (TSize.Rows > 5) { Add<TSize, TForm>(p5, k, f, g, one, ref a5, ref b5); }
                if (TSize.Rows > 6) { Add<TSize, TForm>(p6, k, f, g, one, ref a6, ref b6); }
                if (TSize.Rows > 7) { Add<TSize, TForm>(p7, k, f, g, one, ref a7, ref b7); }
                k++;
                f = TOps.Load(filters + TSize.Vectors * TOps.Lanes);
                g = TSize.Vectors > 1 ? TOps.Load(filters + TSize.Vectors * TOps.Lanes + TOps.Lanes) : f;
                Add<TSize, TForm>(p0, k, f, g, one, ref a0, ref b0);
                if (TSize.Rows > 1) { Add<TSize, TForm>(p1, k, f, g, one, ref a1, ref b1); }
                if (TSize.Rows > 2) { Add<TSize, TForm>(p2, k, f, g, one, ref a2, ref b2); }
                if (TSize.Rows > 3) { Add<TSize, TForm>(p3, k, f, g, one, ref a3, ref b3); }
                if (TSize.Rows > 4) { Add<TSize, TForm>(p4, k, f, g, one, ref a4, ref b4); }
                if (TSize.Rows > 5) { Add<TSize, TForm>(p5, k, f, g, one, ref a5, ref b5); }
                if (TSize.Rows > 6) { Add<TSize, TForm>(p6, k, f, g, one, ref a6, ref b6); }
                if (TSize.Rows > 7) { Add<TSize, TForm>(p7, k, f, g, one, ref a7, ref b7); }
                filters += 2 * TSize.Vectors * TOps.Lanes;
            }

            if (k < to)
            {
                f = TOps.Load(filters);
                g = TSize.Vectors > 1 ? TOps.Load(filters + TOps.Lanes) : f;
                Add<TSize, TForm>(p0, k, f, g, one, ref a0, ref b0);
                if (TSize.Rows > 1) { Add<TSize, TForm>(p1, k, f, g, one, ref a1, ref b1); }
                if (TSize.Rows > 2) { Add<TSize, TForm>(p2, k, f, g, one, ref a2, ref b2); }
                if (TSize.Rows > 3) { Add<TSize, TForm>(p3, k, f, g, one, ref a3, ref b3); }
                if (TSize.Rows > 4) { Add<TSize, TForm>(p4, k, f, g, one, ref a4, ref b4); }
                if (TSize.Rows > 5) { Add<TSize, TForm>(p5, k, f, g, one, ref a5, ref b5); }
                if (TSize.Rows > 6) { Add<TSize, TForm>(p6, k, f, g, one, ref a6, ref b6); }
                if (TSize.Rows > 7) { Add<TSize, TForm>(p7, k, f, g, one, ref a7, ref b7); }
                filters += TSize.Vectors * TOps.Lanes;
            }
        }
        while (++segment < end);

        if (first)
        {
            Put<TSize>(sums, 0, a0, b0, true);
            Put<TSize>(sums, 1, a1, b1, true);
            Put<TSize>(sums, 2, a2, b2, true);
            Put<TSize>(sums, 3, a3, b3, true);
            Put<TSize>(sums, 4, a4, b4, true);
            Put<TSize>(sums, 5, a5, b5, true);
            Put<TSize>(sums, 6, a6, b6, true);
            Put<TSize>(sums, 7, a7, b7, true);
        }
        else
        {
            Put<TSize>(sums, 0, a0, b0, false);
            Put<TSize>(sums, 1, a1, b1, false);
            Put<TSize>(sums, 2, a2, b2, false);
            Put<TSize>(sums, 3, a3, b3, false);
            Put<TSize>(sums, 4, a4, b4, false);
            Put<TSize>(sums, 5, a5, b5, false);
            Put<TSize>(sums, 6, a6, b6, false);
            Put<TSize>(sums, 7, a7, b7, false);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add<TSize, TForm>(float* x, nint k, TVec f, TVec g, TVec one, ref TVec a, ref TVec b)
        where TSize : struct, ITileSize
        where TForm : struct, IForm
    {
        a = Add<TForm>(a, x, k, f, one);
        if (TSize.Vectors > 1)
        {
            b = Add<TForm>(b, x, k, g, one);
        }
    }

    /// <summary>Takes x[k] by its address, so that the compiler can make the broadcast part of AVX-512's maximum.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVec Add<TForm>(TVec sum, float* x, nint k, TVec f, TVec one)
        where TForm : struct, IForm =>
        TForm.Plain ? TOps.Add(sum, TOps.Abs(TOps.Sub(TOps.Create(x[k]), f))) : TOps.Accumulate(sum, TOps.Max(f, TOps.Create(x[k])), one);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put<TSize>(float* sums, int pixel, TVec a, TVec b, bool first)
        where TSize : struct, ITileSize
    {
        if (pixel < TSize.Rows)
        {
            float* at = sums + pixel * TSize.Vectors * TOps.Lanes;
            TOps.Store(at, first ? a : TOps.Add(TOps.Load(at), a));
            if (TSize.Vectors > 1)
            {
                TOps.Store(at + TOps.Lanes, first ? b : TOps.Add(TOps.Load(at + TOps.Lanes), b));
            }
        }
    }
}
