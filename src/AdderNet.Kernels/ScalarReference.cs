namespace AdderNet.Kernels;

/// <summary>
/// The adder layer as plain loops written from the paper's formulas: slow, obviously right, and what the tests trust.
/// Sums are carried in double precision.
/// </summary>
internal static class ScalarReference
{
    /// <summary>Y[n,y,x,o] = -sum over c,i,j of |X - F| (equation 2 of the paper).</summary>
    public static void Forward(AdderShape s, ReadOnlySpan<float> x, ReadOnlySpan<float> filters, Span<float> y)
    {
        int at = 0;
        for (int n = 0; n < s.N; n++)
            for (int oy = 0; oy < s.OutH; oy++)
                for (int ox = 0; ox < s.OutW; ox++)
                    for (int o = 0; o < s.O; o++)
                    {
                        double sum = 0;
                        for (int i = 0; i < s.KernelH; i++)
                            for (int j = 0; j < s.KernelW; j++)
                            {
                                int pixel = Pixel(s, n, oy, ox, i, j);
                                for (int c = 0; c < s.GroupC; c++)
                                {
                                    float a = pixel < 0 ? 0 : x[pixel * s.C + o / s.GroupO * s.GroupC + c];
                                    sum += Math.Abs((double)a - filters[Filter(s, o, c, i, j)]);
                                }
                            }

                        y[at++] = (float)-sum;
                    }
    }

    /// <summary>dL/dX = sum over o,i,j of g * HardTanh(F - X) (equation 6 of the paper).</summary>
    public static void InputGradient(
        AdderShape s, ReadOnlySpan<float> x, ReadOnlySpan<float> filters, ReadOnlySpan<float> gradY, Span<float> gradX)
    {
        double[] sums = new double[gradX.Length];
        int at = 0;
        for (int n = 0; n < s.N; n++)
            for (int oy = 0; oy < s.OutH; oy++)
                for (int ox = 0; ox < s.OutW; ox++)
                    for (int o = 0; o < s.O; o++)
                    {
                        double g = gradY[at++];
                        for (int i = 0; i < s.KernelH; i++)
                            for (int j = 0; j < s.KernelW; j++)
                            {
                                int pixel = Pixel(s, n, oy, ox, i, j);
                                for (int c = 0; c < s.GroupC && pixel >= 0; c++)
                                {
                                    int k = pixel * s.C + o / s.GroupO * s.GroupC + c;
                                    sums[k] += g * Math.Clamp((double)filters[Filter(s, o, c, i, j)] - x[k], -1, 1);
                                }
                            }
                    }

        for (int k = 0; k < sums.Length; k++)
        {
            gradX[k] = (float)sums[k];
        }
    }

    /// <summary>dL/dF = sum over n,y,x of g * (X - F) (equation 5 of the paper), or of g * sgn(X - F) (equation 4); padding as X = 0.</summary>
    public static void WeightGradient(
        AdderShape s, ReadOnlySpan<float> x, ReadOnlySpan<float> filters, ReadOnlySpan<float> gradY, Span<float> gradFilters, bool sign)
    {
        int at = 0;
        for (int o = 0; o < s.O; o++)
            for (int c = 0; c < s.GroupC; c++)
                for (int i = 0; i < s.KernelH; i++)
                    for (int j = 0; j < s.KernelW; j++)
                    {
                        gradFilters[at++] = FilterElementGradient(s, x, filters, gradY, sign, o, c, i, j);
                    }
    }

    /// <summary>The gradient of one filter element, as the formula says it.</summary>
    public static float FilterElementGradient(
        AdderShape s, ReadOnlySpan<float> x, ReadOnlySpan<float> filters, ReadOnlySpan<float> gradY, bool sign, int o, int c, int i, int j)
    {
        double f = filters[Filter(s, o, c, i, j)], sum = 0;
        int at = o;
        for (int n = 0; n < s.N; n++)
            for (int oy = 0; oy < s.OutH; oy++)
                for (int ox = 0; ox < s.OutW; ox++, at += s.O)
                {
                    int pixel = Pixel(s, n, oy, ox, i, j);
                    double d = (pixel < 0 ? 0 : x[pixel * s.C + o / s.GroupO * s.GroupC + c]) - f;
                    sum += gradY[at] * (sign && !double.IsNaN(d) ? Math.Sign(d) : d);
                    if (double.IsNaN(sum))
                    {
                        return float.NaN;
                    }
                }

        return (float)sum;
    }

    /// <summary>Index of the input pixel below tap (i, j) of output pixel (oy, ox), or -1 in the padding.</summary>
    private static int Pixel(AdderShape s, int n, int oy, int ox, int i, int j)
    {
        int iy = oy * s.StrideH + i * s.DilationH - s.PaddingH, ix = ox * s.StrideW + j * s.DilationW - s.PaddingW;
        return (uint)iy < (uint)s.H && (uint)ix < (uint)s.W ? (n * s.H + iy) * s.W + ix : -1;
    }

    private static int Filter(AdderShape s, int o, int c, int i, int j) => ((o * s.GroupC + c) * s.KernelH + i) * s.KernelW + j;
}
