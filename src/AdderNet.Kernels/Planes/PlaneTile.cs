using System.Runtime.CompilerServices;

namespace AdderNet.Kernels;

/// <summary>What a filter element adds to a sum.</summary>
internal enum TapForm
{
    /// <summary>min(x, w).</summary>
    Minimum,

    /// <summary>x: the side sum of the identity.</summary>
    Input,

    /// <summary>|x - w|: the formula itself.</summary>
    Distance,

    /// <summary>x * w.</summary>
    Product,
}

internal interface ITapForm
{
    static abstract TapForm Form { get; }
}

internal readonly struct MinimumForm : ITapForm
{
    public static TapForm Form => TapForm.Minimum;
}

internal readonly struct InputForm : ITapForm
{
    public static TapForm Form => TapForm.Input;
}

internal readonly struct ProductForm : ITapForm
{
    public static TapForm Form => TapForm.Product;
}

internal readonly struct DistanceForm : ITapForm
{
    public static TapForm Form => TapForm.Distance;
}

/// <summary>The inner loop over planes: one filter's taps, for some vectors of output pixels whose sums stay in registers.</summary>
internal static unsafe class PlaneTile<TOps, TVec>
    where TOps : struct, ISimd<TVec>
    where TVec : struct
{
    /// <summary>Sums taps from <paramref name="tap"/> to before <paramref name="end"/>.</summary>
    /// <param name="tap">First tap.</param>
    /// <param name="end">One behind the last tap.</param>
    /// <param name="patch">What the taps' offsets are relative to, at the first output pixel.</param>
    /// <param name="sums">Totals: set, or increased where <paramref name="add"/>.</param>
    /// <param name="add">Whether there are totals already.</param>
    /// <param name="ones">A vector of ones, in memory so that the compiler keeps it in a register.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run<TSize, TForm>(Tap* tap, Tap* end, float* patch, float* sums, bool add, float* ones)
        where TSize : struct, ITileSize
        where TForm : struct, ITapForm
    {
        TVec one = TOps.Load(ones), zero = TOps.Create(0);
        TVec a0 = zero, a1 = zero, a2 = zero, a3 = zero, a4 = zero, a5 = zero, a6 = zero, a7 = zero, a8 = zero, a9 = zero, a10 = zero, a11 = zero;
        for (; tap < end; tap++)
        {
            float* x = (float*)((byte*)patch + tap->Offset);
            TVec w = TForm.Form == TapForm.Input ? zero : TOps.Create(tap->Weight);
            a0 = Add<TForm>(a0, x, 0, w, one);
            if (TSize.Vectors > 1) { a1 = Add<TForm>(a1, x, 1, w, one); }
            if (TSize.Vectors > 2) { a2 = Add<TForm>(a2, x, 2, w, one); }
            if (TSize.Vectors > 3) { a3 = Add<TForm>(a3, x, 3, w, one); }
            if (TSize.Vectors > 4) { a4 = Add<TForm>(a4, x, 4, w, one); }
            if (TSize.Vectors > 5) { a5 = Add<TForm>(a5, x, 5, w, one); }
            if (TSize.Vectors > 6) { a6 = Add<TForm>(a6, x, 6, w, one); }
            if (TSize.Vectors > 7) { a7 = Add<TForm>(a7, x, 7, w, one); }
            if (TSize.Vectors > 8) { a8 = Add<TForm>(a8, x, 8, w, one); }
            if (TSize.Vectors > 9) { a9 = Add<TForm>(a9, x, 9, w, one); }
            if (TSize.Vectors > 10) { a10 = Add<TForm>(a10, x, 10, w, one); }
            if (TSize.Vectors > 11) { a11 = Add<TForm>(a11, x, 11, w, one); }
        }

        if (add)
        {
            a0 = TOps.Add(TOps.Load(sums), a0);
            if (TSize.Vectors > 1) { a1 = TOps.Add(TOps.Load(sums + 1 * TOps.Lanes), a1); }
            if (TSize.Vectors > 2) { a2 = TOps.Add(TOps.Load(sums + 2 * TOps.Lanes), a2); }
            if (TSize.Vectors > 3) { a3 = TOps.Add(TOps.Load(sums + 3 * TOps.Lanes), a3); }
            if (TSize.Vectors > 4) { a4 = TOps.Add(TOps.Load(sums + 4 * TOps.Lanes), a4); }
            if (TSize.Vectors > 5) { a5 = TOps.Add(TOps.Load(sums + 5 * TOps.Lanes), a5); }
            if (TSize.Vectors > 6) { a6 = TOps.Add(TOps.Load(sums + 6 * TOps.Lanes), a6); }
            if (TSize.Vectors > 7) { a7 = TOps.Add(TOps.Load(sums + 7 * TOps.Lanes), a7); }
            if (TSize.Vectors > 8) { a8 = TOps.Add(TOps.Load(sums + 8 * TOps.Lanes), a8); }
            if (TSize.Vectors > 9) { a9 = TOps.Add(TOps.Load(sums + 9 * TOps.Lanes), a9); }
            if (TSize.Vectors > 10) { a10 = TOps.Add(TOps.Load(sums + 10 * TOps.Lanes), a10); }
            if (TSize.Vectors > 11) { a11 = TOps.Add(TOps.Load(sums + 11 * TOps.Lanes), a11); }
        }

        TOps.Store(sums, a0);
        if (TSize.Vectors > 1) { TOps.Store(sums + 1 * TOps.Lanes, a1); }
        if (TSize.Vectors > 2) { TOps.Store(sums + 2 * TOps.Lanes, a2); }
        if (TSize.Vectors > 3) { TOps.Store(sums + 3 * TOps.Lanes, a3); }
        if (TSize.Vectors > 4) { TOps.Store(sums + 4 * TOps.Lanes, a4); }
        if (TSize.Vectors > 5) { TOps.Store(sums + 5 * TOps.Lanes, a5); }
        if (TSize.Vectors > 6) { TOps.Store(sums + 6 * TOps.Lanes, a6); }
        if (TSize.Vectors > 7) { TOps.Store(sums + 7 * TOps.Lanes, a7); }
        if (TSize.Vectors > 8) { TOps.Store(sums + 8 * TOps.Lanes, a8); }
        if (TSize.Vectors > 9) { TOps.Store(sums + 9 * TOps.Lanes, a9); }
        if (TSize.Vectors > 10) { TOps.Store(sums + 10 * TOps.Lanes, a10); }
        if (TSize.Vectors > 11) { TOps.Store(sums + 11 * TOps.Lanes, a11); }
    }

    /// <summary>The loop for so many vectors, 1 to <see cref="PlaneTiling.MaxVectors"/>.</summary>
    public static delegate*<Tap*, Tap*, float*, float*, bool, float*, void> For<TForm>(int vectors)
        where TForm : struct, ITapForm => vectors switch
        {
            1 => &Run<Vectors1, TForm>,
            2 => &Run<Vectors2, TForm>,
            3 => &Run<Vectors3, TForm>,
            4 => &Run<Vectors4, TForm>,
            5 => &Run<Vectors5, TForm>,
            6 => &Run<Vectors6, TForm>,
            7 => &Run<Vectors7, TForm>,
            8 => &Run<Vectors8, TForm>,
            9 => &Run<Vectors9, TForm>,
            10 => &Run<Vectors10, TForm>,
            11 => &Run<Vectors11, TForm>,
            _ => &Run<Vectors12, TForm>,
        };

    /// <summary>Takes the inputs by their address, so that the compiler can make the load part of the minimum.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVec Add<TForm>(TVec sum, float* x, int vector, TVec w, TVec one)
        where TForm : struct, ITapForm => TForm.Form switch
        {
            TapForm.Minimum => TOps.Accumulate(sum, TOps.Min(w, TOps.Load(x + vector * TOps.Lanes)), one),
            TapForm.Product => TOps.MulAdd(w, TOps.Load(x + vector * TOps.Lanes), sum),
            TapForm.Input => TOps.Add(sum, TOps.Load(x + vector * TOps.Lanes)),
            _ => TOps.Add(sum, TOps.Abs(TOps.Sub(TOps.Load(x + vector * TOps.Lanes), w))),
        };
}
