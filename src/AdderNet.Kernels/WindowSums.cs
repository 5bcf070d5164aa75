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
    /// <param name="pixels">The number of pixels.</param>
    /// <param name="patchRows">Rows gathered.</param>
    /// <param name="channelSums">Room for <see cref="Window.PatchPixels"/> sums.</param>
    /// <param name="sums">The result.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Compute(
        in Window window, float* source, nint* offsets, int pixels, int patchRows, float* channelSums, float* sums)
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

        // Sums over channels first, which the windows of neighbouring pixels share.
        int width = window.Pitch / window.Channels, all = patchRows * width;
        for (int i = 0; i < all; i++)
        {
            channelSums[i] = ChannelSum(source + (nint)i * window.Channels, channels);
        }

        for (int p = 0; p < pixels; p++)
        {
            float* at = channelSums + offsets[p] / window.Channels;
            float sum = 0;
            for (int i = 0; i < window.Y.Taps; i++)
            {
                for (int j = 0; j < window.X.Taps; j++)
                {
                    sum += at[(nint)i * width + (nint)j * window.X.TapStep];
                }
            }

            sums[p] = sum;
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
