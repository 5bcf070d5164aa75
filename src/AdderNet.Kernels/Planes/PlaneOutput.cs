using System.Runtime.CompilerServices;

namespace AdderNet.Kernels;

/// <summary>Makes outputs of sums: the identity's side sums, the epilogue, and the way to their places.</summary>
internal static unsafe class PlaneOutput<TOps, TVec>
    where TOps : struct, ISimd<TVec>
    where TVec : struct
{
    /// <summary>
    /// Writes one filter's outputs of a part of a tile, channels-last ones into <paramref name="sums"/>; false where one is not finite and <paramref name="plain"/> not there to take its place.
    /// </summary>
    /// <param name="job">The call.</param>
    /// <param name="o">The filter.</param>
    /// <param name="sums">Sums of minima, or of distances; overwritten.</param>
    /// <param name="windowSums">Sums of each pixel's window.</param>
    /// <param name="vectors">The number of vectors.</param>
    /// <param name="runs">Where they go.</param>
    /// <param name="count">The number of runs.</param>
    /// <param name="plain">Sums of distances in case of doubt, or null.</param>
    /// <param name="shortfalls">For each pixel 0 where its inputs are within the range.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static bool Write(
        PlaneForwardJob* job, int o, float* sums, float* windowSums, int vectors, LaneRun* runs, int count, float* plain, float* shortfalls)
    {
        TVec zero = TOps.Create(0), two = TOps.Create(2), largest = TOps.Create(float.MaxValue), check = zero;
        TVec constant = job->Distances ? zero : TOps.Create(-job->List.Constants[o]);
        TVec mean = job->Mean == null ? zero : TOps.Create(job->Mean[o]);
        TVec scale = job->Scale == null ? TOps.Create(1) : TOps.Create(job->Scale[o]), shift = job->Shift == null ? zero : TOps.Create(job->Shift[o]);
        bool distances = job->Distances, relu = job->Relu, inPlace = job->ChannelsLast != null, whole = !inPlace && count == 1 && runs->Length == vectors * TOps.Lanes;
        nint plane = (nint)o * job->Shape.OutH * job->Shape.OutW;
        float* to = whole ? job->Y + runs->Output + plane : sums, residual = whole && job->Residual != null ? job->Residual + runs->Output + plane : null;
        for (int v = 0; v < vectors * TOps.Lanes; v += TOps.Lanes)
        {
            TVec y = TOps.Load(sums + v);
            if (distances)
            {
                y = TOps.Sub(zero, y);
            }
            else
            {
                y = TOps.Sub(TOps.MulAdd(y, two, constant), TOps.Load(windowSums + v));
                if (plain != null)
                {
                    TVec sure = TOps.Sub(zero, TOps.Load(plain + v));
                    y = TOps.SelectLess(largest, TOps.Abs(y), sure, TOps.SelectEqual(y, y, y, sure));
                    y = TOps.SelectEqual(TOps.Load(shortfalls + v), zero, y, sure);
                }

                check = TOps.MulAdd(y, zero, check);
            }

            y = TOps.Add(TOps.Mul(TOps.Sub(y, mean), scale), shift);
            if (whole)
            {
                y = residual == null ? y : TOps.Add(y, TOps.Load(residual + v));
                y = relu ? TOps.SelectLess(y, zero, zero, y) : y;
            }

            TOps.Store(to + v, y);
        }

        for (int i = 0; !whole && !inPlace && i < count; i++)
        {
            Copy(job, sums + runs[i].Lane, runs[i].Length, runs[i].Output + plane);
        }

        return plain != null || TOps.AllZero(check);
    }

    /// <summary>The rest of the epilogue, for pixels that go side by side.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Copy(PlaneForwardJob* job, float* from, int length, nint output)
    {
        float* to = job->Y + output, residual = job->Residual == null ? null : job->Residual + output;
        TVec zero = TOps.Create(0);
        int k = 0;
        for (; k <= length - TOps.Lanes; k += TOps.Lanes)
        {
            TVec y = TOps.Load(from + k);
            y = residual == null ? y : TOps.Add(y, TOps.Load(residual + k));
            TOps.Store(to + k, job->Relu ? TOps.SelectLess(y, zero, zero, y) : y);
        }

        for (; k < length; k++)
        {
            float y = from[k] + (residual == null ? 0 : residual[k]);
            to[k] = job->Relu && y < 0 ? 0 : y;
        }
    }
}
