using System.Runtime.CompilerServices;

namespace AdderNet.Kernels;

/// <summary>The end of the input gradient: makes gradients of a tile's sums and tells where they may be wrong.</summary>
internal static unsafe class InputGradientFinish<TOps, TVec>
    where TOps : struct, ISimd<TVec>
    where TVec : struct
{
    /// <summary>Where |X| is larger, the rounding of X - 1 and X + 1 shows: HardTanh(F - X) is then summed up itself, as it always is with a clamp.</summary>
    public const float LargeX = 32;

    /// <summary>Makes gradients of the sums; false where one may be wrong: where X is large, or the result isn't finite.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static bool Run(in InputGradientBuffers buffers, float* check, int pixels)
    {
        bool sound = true;
        for (int p = 0; p < pixels; p++)
        {
            TVec x = TOps.Load(buffers.X + p * TOps.Lanes);
            TVec y = Gradient(TOps.Load(buffers.Sums + p * TOps.Lanes), x, buffers.WindowSums + p, check);
            TOps.Store(buffers.Sums + p * TOps.Lanes, y);
            sound &= Sound(TOps.Abs(x), TOps.Mul(y, TOps.Create(0)));
        }

        return sound;
    }

    /// <summary>The same for whole vectors, straight to their destination; false leaves the sums as they were.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static bool RunTo(in InputGradientBuffers buffers, float* check, int pixels, float* to)
    {
        float* values = buffers.X, sums = buffers.Sums, windowSums = buffers.WindowSums;
        nint* destinations = buffers.Pixels;
        TVec zero = TOps.Create(0), largest = zero, bad = zero, otherBad = zero;
        for (int p = 0; p < pixels; p++)
        {
            TVec x = TOps.Load(values), y = Gradient(TOps.Load(sums), x, windowSums + p, check);
            TOps.Store(to + destinations[p], y);
            largest = TOps.Max(TOps.Abs(x), largest);

            // Two sums in turn, since each addition waits for the one before.
            (bad, otherBad) = (otherBad, TOps.MulAdd(y, zero, bad));
            values += TOps.Lanes;
            sums += TOps.Lanes;
        }

        return Sound(largest, TOps.Add(bad, otherBad));
    }

    /// <summary>Takes X * (sum of g) from a sum; where a clamp has made that needless, NaN for an input or a filter that isn't finite.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVec Gradient(TVec sum, TVec x, float* windowSum, float* check) =>
        TOps.HasClamp
            ? TOps.MulAdd(x, TOps.Create(0), TOps.Add(sum, TOps.Load(check)))
            : TOps.Sub(sum, TOps.Mul(x, TOps.Create(*windowSum)));

    /// <summary>Whether no |X| is too large and the check, a sum of results times zero, is zero.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool Sound(TVec largest, TVec check) =>
        TOps.AllZero(TOps.HasClamp ? check : TOps.SelectLess(TOps.Create(LargeX), largest, TOps.Create(1), check));
}
