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
            nint k = segment->Source, to = k + segment->Length;
            do
            {
                TVec f = TOps.Load(filters), g = TSize.Vectors > 1 ? TOps.Load(filters + TOps.Lanes) : f, x = TOps.Create(p0[k]);
                a0 = Add<TForm>(a0, x, f, one);
                if (TSize.Vectors > 1) { b0 = Add<TForm>(b0, x, g, one); }
                if (TSize.Rows > 1) { x = TOps.Create(p1[k]); a1 = Add<TForm>(a1, x, f, one); if (TSize.Vectors > 1) { b1 = Add<TForm>(b1, x, g, one); } }
                if (TSize.Rows > 2) { x = TOps.Create(p2[k]); a2 = Add<TForm>(a2, x, f, one); if (TSize.Vectors > 1) { b2 = Add<TForm>(b2, x, g, one); } }
                if (TSize.Rows > 3) { x = TOps.Create(p3[k]); a3 = Add<TForm>(a3, x, f, one); if (TSize.Vectors > 1) { b3 = Add<TForm>(b3, x, g, one); } }
                if (TSize.Rows > 4) { x = TOps.Create(p4[k]); a4 = Add<TForm>(a4, x, f, one); if (TSize.Vectors > 1) { b4 = Add<TForm>(b4, x, g, one); } }
                if (TSize.Rows > 5) { x = TOps.Create(p5[k]); a5 = Add<TForm>(a5, x, f, one); if (TSize.Vectors > 1) { b5 = Add<TForm>(b5, x, g, one); } }
                if (TSize.Rows > 6) { x = TOps.Create(p6[k]); a6 = Add<TForm>(a6, x, f, one); if (TSize.Vectors > 1) { b6 = Add<TForm>(b6, x, g, one); } }
                if (TSize.Rows > 7) { x = TOps.Create(p7[k]); a7 = Add<TForm>(a7, x, f, one); if (TSize.Vectors > 1) { b7 = Add<TForm>(b7, x, g, one); } }
                filters += TSize.Vectors * TOps.Lanes;
            }
            while (++k < to);
        }
        while (++segment < end);

        Put<TSize>(sums, 0, a0, b0, first);
        Put<TSize>(sums, 1, a1, b1, first);
        Put<TSize>(sums, 2, a2, b2, first);
        Put<TSize>(sums, 3, a3, b3, first);
        Put<TSize>(sums, 4, a4, b4, first);
        Put<TSize>(sums, 5, a5, b5, first);
        Put<TSize>(sums, 6, a6, b6, first);
        Put<TSize>(sums, 7, a7, b7, first);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVec Add<TForm>(TVec sum, TVec x, TVec f, TVec one)
        where TForm : struct, IForm =>
        TForm.Plain ? TOps.Add(sum, TOps.Abs(TOps.Sub(x, f))) : TOps.Accumulate(sum, TOps.Max(x, f), one);

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
