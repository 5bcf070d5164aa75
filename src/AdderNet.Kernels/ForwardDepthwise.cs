using System.Runtime.CompilerServices;

namespace AdderNet.Kernels;

/// <summary>The forward pass where each output channel sees one input channel.</summary>
internal static unsafe class ForwardDepthwise<TOps, TVec>
    where TOps : struct, ISimd<TVec>
    where TVec : struct
{
    /// <summary>A panel's sums; vectors run over input and output channels alike.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Compute(ForwardJob* job, int panel, float* source, nint* offsets, float* sums, int pixels)
    {
        int lanes = job->Layout.PanelVectors(panel) * TOps.Lanes, taps = job->Layout.Elements;
        float* filters = job->Filters + (nint)job->Layout.PaddedOutput(panel) * taps;
        for (int p = 0; p < pixels; p += 4)
        {
            float* p0 = source + offsets[p], p1 = source + offsets[p + 1], p2 = source + offsets[p + 2], p3 = source + offsets[p + 3];
            for (int c = 0; c < lanes; c += TOps.Lanes)
            {
                TVec a0 = TOps.Create(0), a1 = a0, a2 = a0, a3 = a0;
                float* f = filters + c;
                for (int t = 0; t < taps; t++, f += lanes)
                {
                    nint k = job->Segments[t].Source + c;
                    TVec w = TOps.Load(f);
                    a0 = TOps.Add(a0, TOps.Abs(TOps.Sub(TOps.Load(p0 + k), w)));
                    a1 = TOps.Add(a1, TOps.Abs(TOps.Sub(TOps.Load(p1 + k), w)));
                    a2 = TOps.Add(a2, TOps.Abs(TOps.Sub(TOps.Load(p2 + k), w)));
                    a3 = TOps.Add(a3, TOps.Abs(TOps.Sub(TOps.Load(p3 + k), w)));
                }

                float* to = sums + p * lanes + c;
                TOps.Store(to, a0);
                TOps.Store(to + lanes, a1);
                TOps.Store(to + 2 * lanes, a2);
                TOps.Store(to + 3 * lanes, a3);
            }
        }
    }
}
