using System.Runtime.CompilerServices;

namespace AdderNet.Kernels;

/// <summary>What an input element, times the gradient at the output, adds to the gradient of a filter element.</summary>
internal interface IWeightGradient
{
    /// <summary>sgn(X - F) rather than X.</summary>
    static abstract bool Sign { get; }
}

internal readonly struct InputTimesGradient : IWeightGradient
{
    public static bool Sign => false;
}

internal readonly struct SignTimesGradient : IWeightGradient
{
    public static bool Sign => true;
}

/// <summary>The inner loop of the filters' gradients.</summary>
internal static unsafe class WeightGradientTile<TOps, TVec>
    where TOps : struct, ISimd<TVec>
    where TVec : struct
{
    /// <summary>
    /// Adds to <paramref name="sums"/>, for up to 6 output channels and 2 vectors of filter elements, g * X or g * sgn(X - F)
    /// over the given pixels. All sums stay in registers.
    /// </summary>
    /// <param name="source">The input, at the first filter element's place; what the offsets are relative to.</param>
    /// <param name="offsets">Of the pixels' windows.</param>
    /// <param name="gradY">The gradient at the output, at the first output channel; what its offsets are relative to.</param>
    /// <param name="gradOffsets">Of the pixels.</param>
    /// <param name="pixels">The number of pixels.</param>
    /// <param name="sums">Sums of the first output channel.</param>
    /// <param name="filters">Filters of the first output channel, in the order of the sums; for the sign only.</param>
    /// <param name="stride">From one output channel's sums, and filters, to the next one's.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run<TSize, TKind>(
        float* source, nint* offsets, float* gradY, nint* gradOffsets, int pixels, float* sums, float* filters, nint stride)
        where TSize : struct, ITileSize
        where TKind : struct, IWeightGradient
    {
        TVec zero = TOps.Create(0);
        TVec a0 = zero, a1 = zero, a2 = zero, a3 = zero, a4 = zero, a5 = zero;
        TVec b0 = zero, b1 = zero, b2 = zero, b3 = zero, b4 = zero, b5 = zero;
        for (nint p = 0; p < pixels; p++)
        {
            float* at = source + offsets[p], g = gradY + gradOffsets[p];
            TVec x = TOps.Load(at), z = TSize.Vectors > 1 ? TOps.Load(at + TOps.Lanes) : x, w = TOps.Create(g[0]);
            a0 = Add<TKind>(a0, x, w, filters);
            if (TSize.Vectors > 1) { b0 = Add<TKind>(b0, z, w, filters + TOps.Lanes); }
            if (TSize.Rows > 1) { w = TOps.Create(g[1]); a1 = Add<TKind>(a1, x, w, filters + stride); if (TSize.Vectors > 1) { b1 = Add<TKind>(b1, z, w, filters + stride + TOps.Lanes); } }
            if (TSize.Rows > 2) { w = TOps.Create(g[2]); a2 = Add<TKind>(a2, x, w, filters + 2 * stride); if (TSize.Vectors > 1) { b2 = Add<TKind>(b2, z, w, filters + 2 * stride + TOps.Lanes); } }
            if (TSize.Rows > 3) { w = TOps.Create(g[3]); a3 = Add<TKind>(a3, x, w, filters + 3 * stride); if (TSize.Vectors > 1) { b3 = Add<TKind>(b3, z, w, filters + 3 * stride + TOps.Lanes); } }
            if (TSize.Rows > 4) { w = TOps.Create(g[4]); a4 = Add<TKind>(a4, x, w, filters + 4 * stride); if (TSize.Vectors > 1) { b4 = Add<TKind>(b4, z, w, filters + 4 * stride + TOps.Lanes); } }
            if (TSize.Rows > 5) { w = TOps.Create(g[5]); a5 = Add<TKind>(a5, x, w, filters + 5 * stride); if (TSize.Vectors > 1) { b5 = Add<TKind>(b5, z, w, filters + 5 * stride + TOps.Lanes); } }
        }

        Put<TSize>(sums, 0, stride, a0, b0);
        Put<TSize>(sums, 1, stride, a1, b1);
        Put<TSize>(sums, 2, stride, a2, b2);
        Put<TSize>(sums, 3, stride, a3, b3);
        Put<TSize>(sums, 4, stride, a4, b4);
        Put<TSize>(sums, 5, stride, a5, b5);
    }

    /// <summary>
    /// The same where each output channel sees one input channel: for one tap and one vector of channels.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void RunDepthwise<TKind>(
        float* source, nint* offsets, float* gradY, nint* gradOffsets, int pixels, float* sums, float* filters)
        where TKind : struct, IWeightGradient
    {
        TVec even = TOps.Create(0), odd = even;
        nint p = 0;
        for (; p < pixels - 1; p += 2)
        {
            even = Add<TKind>(even, TOps.Load(source + offsets[p]), TOps.Load(gradY + gradOffsets[p]), filters);
            odd = Add<TKind>(odd, TOps.Load(source + offsets[p + 1]), TOps.Load(gradY + gradOffsets[p + 1]), filters);
        }

        if (p < pixels)
        {
            even = Add<TKind>(even, TOps.Load(source + offsets[p]), TOps.Load(gradY + gradOffsets[p]), filters);
        }

        TOps.Store(sums, TOps.Add(TOps.Load(sums), TOps.Add(even, odd)));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVec Add<TKind>(TVec sum, TVec x, TVec g, float* filters)
        where TKind : struct, IWeightGradient
    {
        if (TKind.Sign)
        {
            // 0 where X = F, and NaN where either is.
            TVec d = TOps.Sub(x, TOps.Load(filters));
            x = TOps.SelectEqual(d, d, TOps.SelectEqual(d, TOps.Create(0), d, TOps.CopySign(TOps.Create(1), d)), d);
        }

        return TOps.MulAdd(x, g, sum);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put<TSize>(float* sums, int output, nint stride, TVec a, TVec b)
        where TSize : struct, ITileSize
    {
        if (output < TSize.Rows)
        {
            sums += output * stride;
            TOps.Store(sums, TOps.Add(TOps.Load(sums), a));
            if (TSize.Vectors > 1)
            {
                TOps.Store(sums + TOps.Lanes, TOps.Add(TOps.Load(sums + TOps.Lanes), b));
            }
        }
    }
}
