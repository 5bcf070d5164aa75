using System.Runtime.CompilerServices;

namespace AdderNet.Kernels;

/// <summary>Mends input gradients that NaN, infinity or rounding has made wrong.</summary>
internal static unsafe class InputGradientRepair<TOps, TVec>
    where TOps : struct, ISimd<TVec>
    where TVec : struct
{
    /// <summary>Takes the plain sums where the fast ones may be wrong. Lane by lane, so that no result depends on its neighbours.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Merge(in InputGradientBuffers buffers, int pixels)
    {
        TVec zero = TOps.Create(0), large = TOps.Create(InputGradientFinish<TOps, TVec>.LargeX);
        for (int p = 0; p < pixels; p++)
        {
            TVec fast = TOps.Load(buffers.Sums + p * TOps.Lanes), plain = TOps.Load(buffers.PlainSums + p * TOps.Lanes);
            TVec x = TOps.Load(buffers.X + p * TOps.Lanes);
            fast = TOps.SelectEqual(TOps.Mul(fast, zero), zero, fast, plain);
            TOps.Store(buffers.Sums + p * TOps.Lanes, TOps.HasClamp ? fast : TOps.SelectLess(large, TOps.Abs(x), plain, fast));
        }
    }

    /// <summary>
    /// Padding counts as g = 0 in the sums, but 0 * NaN is NaN: recomputes, from the taps inside the output only, pixels
    /// at its border that have become NaN.
    /// </summary>
    public static void ReplaceNaN(InputGradientJob* job, InputGradientPhase* phase, Tile tile, int vector, in InputGradientBuffers buffers)
    {
        Axis y = phase->Window.Y, x = phase->Window.X;
        if (!y.NeedsPadding && !x.NeedsPadding)
        {
            return;
        }

        float* filters = phase->Filters + (nint)vector * TOps.Lanes * y.Taps * x.Taps * job->GroupO;
        for (int p = 0; p < tile.Pixels; p++)
        {
            TVec sum = TOps.Load(buffers.Sums + p * TOps.Lanes), zero = TOps.Create(0);
            if (TOps.AllZero(TOps.SelectEqual(sum, sum, zero, TOps.Create(1))))
            {
                continue;
            }

            int image = (tile.Row + p / tile.Cols) / y.Count;
            int top = (tile.Row + p / tile.Cols) % y.Count + y.Origin, left = tile.Col + p % tile.Cols + x.Origin;
            if (top >= 0 && left >= 0 && top + (y.Taps - 1) * y.TapStep < y.Size && left + (x.Taps - 1) * x.TapStep < x.Size)
            {
                continue;
            }

            float* g = job->GradY + (nint)image * y.Size * x.Size * phase->Window.Channels;
            g += job->Depthwise ? (nint)vector * TOps.Lanes : (nint)(vector / job->GroupVectors) * job->GroupO;
            TVec at = TOps.Load(buffers.X + p * TOps.Lanes);
            float* f = filters;
            sum = zero;
            for (int i = 0; i < y.Taps; i++)
                for (int j = 0; j < x.Taps; j++, f += TOps.Lanes * job->GroupO)
                {
                    int row = top + i * y.TapStep, col = left + j * x.TapStep;
                    if ((uint)row >= (uint)y.Size || (uint)col >= (uint)x.Size)
                    {
                        continue;
                    }

                    float* from = g + ((nint)row * x.Size + col) * phase->Window.Channels;
                    for (int o = 0; o < job->GroupO; o++)
                    {
                        TVec weight = job->Depthwise ? Partial(from, job->GroupC - vector * TOps.Lanes) : TOps.Create(from[o]);
                        sum = TOps.MulAdd(weight, InputGradientTile<TOps, TVec>.HardTanh(TOps.Load(f + o * TOps.Lanes), at), sum);
                    }
                }

            TOps.Store(buffers.Sums + p * TOps.Lanes, sum);
        }
    }

    /// <summary>Loads a vector of which only <paramref name="count"/> floats may be read; the others are zero.</summary>
    private static TVec Partial(float* from, int count)
    {
        float* part = stackalloc float[16];
        new Span<float>(from, Math.Min(count, TOps.Lanes)).CopyTo(new Span<float>(part, 16));
        new Span<float>(part, 16)[Math.Min(count, TOps.Lanes)..].Clear();
        return TOps.Load(part);
    }
}
