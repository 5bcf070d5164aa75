using System.Runtime.CompilerServices;

namespace AdderNet.Kernels;

/// <summary>The side sums of the identities: what each destination pixel's window adds up to.</summary>
internal static unsafe class WindowSums<TOps, TVec>
    where TOps : struct, ISimd<TVec>
    where TVec : struct
{
    /// <summary>Sums the source channels of one group over each pixel's window.</summary>
    /// <param name="window">The window.</param>
    /// <param name="source">The gathered source, at the group's first channel.</param>
    /// <param name="offsets">Of each pixel's window.</param>
    /// <param name="places">The same, counted in patch pixels.</param>
    /// <param name="pixels">The number of pixels.</param>
    /// <param name="patchRows">Rows gathered.</param>
    /// <param name="scratch">Room for <see cref="ScratchLength"/> floats.</param>
    /// <param name="sums">The result.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Compute(
        in Window window, float* source, nint* offsets, int* places, int pixels, int patchRows, float* scratch, float* sums)
    {
        int channels = window.GroupChannels;
        if (window.InPlace)
        {
            for (int p = 0; p < pixels; p++)
            {
                sums[p] = ChannelSum(source + offsets[p], channels);
            }

            return;
        }

        // Sums over channels, then over rows of taps, then over columns: neighbouring windows share them.
        int width = window.Pitch / window.Channels, all = patchRows * width;
        for (int i = 0; i < all; i++)
        {
            scratch[i] = ChannelSum(source, channels);
            source += window.Channels;
        }

        AddShifted(scratch, all, window.X.Taps, window.X.TapStep);
        AddShifted(scratch, all, window.Y.Taps, width);
        for (int p = 0; p < pixels; p++)
        {
            sums[p] = scratch[places[p]];
        }
    }

    /// <summary>Floats of scratch: what is summed up, and behind it what the last sums, that no pixel uses, run into.</summary>
    public static long ScratchLength(in Window window) =>
        window.InPlace ? 0 : window.PatchPixels + Math.Max((window.X.Taps - 1L) * window.X.TapStep, (window.Y.Taps - 1L) * (window.Pitch / window.Channels)) + 32;

    /// <summary>values[i] = values[i] + values[i + step] + ... + values[i + (taps - 1) * step], in place.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddShifted(float* values, int count, int taps, nint step)
    {
        if (taps == 1)
        {
            return;
        }

        for (int i = 0; i < count; i += TOps.Lanes)
        {
            TVec sum = TOps.Load(values + i);
            float* at = values + i;
            for (int t = 1; t < taps; t++)
            {
                at += step;
                sum = TOps.Add(sum, TOps.Load(at));
            }

            TOps.Store(values + i, sum);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float ChannelSum(float* at, int channels)
    {
        int c = 0;
        float sum = 0;
        if (channels >= TOps.Lanes)
        {
            TVec s = TOps.Load(at);
            for (c = TOps.Lanes; c <= channels - TOps.Lanes; c += TOps.Lanes)
            {
                s = TOps.Add(s, TOps.Load(at + c));
            }

            sum = TOps.Sum(s);
        }

        for (; c < channels; c++)
        {
            sum += at[c];
        }

        return sum;
    }
}
