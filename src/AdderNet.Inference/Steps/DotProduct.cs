using System.Numerics;
using System.Runtime.InteropServices;

namespace AdderNet.Inference.Steps;

/// <summary>sum a[i] * b[i].</summary>
internal static class DotProduct
{
    public static float Of(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        ReadOnlySpan<Vector<float>> va = MemoryMarshal.Cast<float, Vector<float>>(a), vb = MemoryMarshal.Cast<float, Vector<float>>(b);
        Vector<float> s0 = Vector<float>.Zero, s1 = s0;
        int i = 0;
        for (; i + 1 < va.Length; i += 2)
        {
            s0 = Vector.MultiplyAddEstimate(va[i], vb[i], s0);
            s1 = Vector.MultiplyAddEstimate(va[i + 1], vb[i + 1], s1);
        }

        if (i < va.Length)
        {
            s0 = Vector.MultiplyAddEstimate(va[i], vb[i], s0);
        }

        float sum = Vector.Sum(s0 + s1);
        for (int k = va.Length * Vector<float>.Count; k < a.Length; k++)
        {
            sum += a[k] * b[k];
        }

        return sum;
    }
}
