using System.Runtime.CompilerServices;

namespace AdderNet.Kernels;

/// <summary>Which bounds HardTanh(F - X) + 1 = F + 1 - X can reach.</summary>
internal interface IGradientBounds
{
    static abstract GradientTaps Kind { get; }
}

internal readonly struct LowerBound : IGradientBounds
{
    public static GradientTaps Kind => GradientTaps.AtLeastZero;
}

internal readonly struct UpperBound : IGradientBounds
{
    public static GradientTaps Kind => GradientTaps.AtMostTwo;
}

internal readonly struct BothBounds : IGradientBounds
{
    public static GradientTaps Kind => GradientTaps.Between;
}

/// <summary>The inner loop of the input gradient over planes: one input channel's taps, for some vectors of pixels.</summary>
internal static unsafe class PlaneGradientTile<TOps, TVec>
    where TOps : struct, ISimd<TVec>
    where TVec : struct
{
    /// <summary>Vectors at once: input and sum of each stay in registers.</summary>
    public const int MaxVectors = 6;

    /// <summary>Adds g * (HardTanh(F - X) + 1) for taps from <paramref name="tap"/> to before <paramref name="end"/>.</summary>
    /// <param name="tap">First tap; its weight is F + 1.</param>
    /// <param name="end">One behind the last tap.</param>
    /// <param name="patch">The gradient at the output; what the taps' offsets are relative to, at the first pixel.</param>
    /// <param name="x">The inputs.</param>
    /// <param name="sums">Totals, which this adds to.</param>
    /// <param name="ones">A vector of ones, in memory so that the compiler keeps it in a register.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run<TSize, TBounds>(Tap* tap, Tap* end, float* patch, float* x, float* sums, float* ones)
        where TSize : struct, ITileSize
        where TBounds : struct, IGradientBounds
    {
        if (tap == end)
        {
            return;
        }

        TVec one = TOps.Load(ones), zero = TOps.Create(0), two = TOps.Create(2);
        TVec a0 = zero, x0 = TOps.Load(x + 0 * TOps.Lanes);
        TVec a1 = zero, x1 = TSize.Vectors > 1 ? TOps.Sub(zero, TOps.Load(x + 1 * TOps.Lanes)) : zero;
        TVec a2 = zero, x2 = TSize.Vectors > 2 ? TOps.Load(x + 2 * TOps.Lanes) : zero;
        TVec a3 = zero, x3 = TSize.Vectors > 3 ? TOps.Sub(zero, TOps.Load(x + 3 * TOps.Lanes)) : zero;
        TVec a4 = zero, x4 = TSize.Vectors > 4 ? TOps.Load(x + 4 * TOps.Lanes) : zero;
        TVec a5 = zero, x5 = TSize.Vectors > 5 ? TOps.Sub(zero, TOps.Load(x + 5 * TOps.Lanes)) : zero;
        do
        {
            float* g = (float*)((byte*)patch + tap->Offset);
            TVec w = TOps.Create(tap->Weight);
            a0 = Add<TBounds>(a0, g, 0, w, x0, one, zero, two);
            if (TSize.Vectors > 1) { a1 = Add<TBounds>(a1, g, 1, w, x1, one, zero, two); }
            if (TSize.Vectors > 2) { a2 = Add<TBounds>(a2, g, 2, w, x2, one, zero, two); }
            if (TSize.Vectors > 3) { a3 = Add<TBounds>(a3, g, 3, w, x3, one, zero, two); }
            if (TSize.Vectors > 4) { a4 = Add<TBounds>(a4, g, 4, w, x4, one, zero, two); }
            if (TSize.Vectors > 5) { a5 = Add<TBounds>(a5, g, 5, w, x5, one, zero, two); }
        }
        while (++tap < end);

        TOps.Store(sums, TOps.Add(TOps.Load(sums), a0));
        if (TSize.Vectors > 1) { TOps.Store(sums + 1 * TOps.Lanes, TOps.Add(TOps.Load(sums + 1 * TOps.Lanes), a1)); }
        if (TSize.Vectors > 2) { TOps.Store(sums + 2 * TOps.Lanes, TOps.Add(TOps.Load(sums + 2 * TOps.Lanes), a2)); }
        if (TSize.Vectors > 3) { TOps.Store(sums + 3 * TOps.Lanes, TOps.Add(TOps.Load(sums + 3 * TOps.Lanes), a3)); }
        if (TSize.Vectors > 4) { TOps.Store(sums + 4 * TOps.Lanes, TOps.Add(TOps.Load(sums + 4 * TOps.Lanes), a4)); }
        if (TSize.Vectors > 5) { TOps.Store(sums + 5 * TOps.Lanes, TOps.Add(TOps.Load(sums + 5 * TOps.Lanes), a5)); }
    }

    /// <summary>The loop for so many vectors.</summary>
    public static delegate*<Tap*, Tap*, float*, float*, float*, float*, void> For<TBounds>(int vectors)
        where TBounds : struct, IGradientBounds => vectors switch
        {
            1 => &Run<Vectors1, TBounds>,
            2 => &Run<Vectors2, TBounds>,
            3 => &Run<Vectors3, TBounds>,
            4 => &Run<Vectors4, TBounds>,
            5 => &Run<Vectors5, TBounds>,
            _ => &Run<Vectors6, TBounds>,
        };

    /// <summary>
    /// Half of the differences are subtractions of X, half multiply-adds of -X: they have different execution ports, and half of each fills both.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVec Add<TBounds>(TVec sum, float* g, int vector, TVec w, TVec x, TVec one, TVec zero, TVec two)
        where TBounds : struct, IGradientBounds
    {
        TVec d = vector % 2 == 1 ? TOps.Accumulate(w, x, one) : TOps.Sub(w, x);
        d = TBounds.Kind == GradientTaps.AtMostTwo ? d : TOps.Max(d, zero);
        d = TBounds.Kind == GradientTaps.AtLeastZero ? d : TOps.Min(d, two);
        return TOps.MulAdd(d, TOps.Load(g + vector * TOps.Lanes), sum);
    }
}
