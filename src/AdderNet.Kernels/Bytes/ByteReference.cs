namespace AdderNet.Kernels.Bytes;

/// <summary>The byte layer as one plain loop over integers: slow, obviously right, and what the tests trust.</summary>
internal static class ByteReference
{
    /// <summary>Y[n,o,y,x] = -sum over c,i,j of |x - w|, padding as x = 0.</summary>
    /// <param name="s">Sizes of the layer.</param>
    /// <param name="x">Codes [N, C, H, W].</param>
    /// <param name="filters">Codes [O, C / Groups, KernelH, KernelW].</param>
    /// <param name="y">Sums [N, O, OutH, OutW]; overwritten.</param>
    public static void Forward(AdderShape s, ReadOnlySpan<byte> x, ReadOnlySpan<byte> filters, Span<int> y)
    {
        int at = 0;
        for (int n = 0; n < s.N; n++)
            for (int o = 0; o < s.O; o++)
                for (int oy = 0; oy < s.OutH; oy++)
                    for (int ox = 0; ox < s.OutW; ox++)
                    {
                        int sum = 0, k = o * s.FilterLength;
                        for (int c = 0; c < s.GroupC; c++)
                            for (int i = 0; i < s.KernelH; i++)
                                for (int j = 0; j < s.KernelW; j++)
                                {
                                    int iy = oy * s.StrideH + i * s.DilationH - s.PaddingH, ix = ox * s.StrideW + j * s.DilationW - s.PaddingW;
                                    bool inside = (uint)iy < (uint)s.H && (uint)ix < (uint)s.W;
                                    int code = inside ? x[((n * s.C + o / s.GroupO * s.GroupC + c) * s.H + iy) * s.W + ix] : 0;
                                    sum += Math.Abs(code - filters[k++]);
                                }

                        y[at++] = -sum;
                    }
    }
}
