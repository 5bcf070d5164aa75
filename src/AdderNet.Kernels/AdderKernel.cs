namespace AdderNet.Kernels;

/// <summary>The adder layer of "AdderNet: Do We Really Need Multiplications in Deep Learning?" (Chen et al., CVPR 2020).</summary>
public static class AdderKernel
{
    /// <summary>Y = -sum |X - F| over each window (equation 2); padding takes part as X = 0.</summary>
    /// <param name="shape">Sizes of the layer.</param>
    /// <param name="x">Input [N, H, W, C].</param>
    /// <param name="filters">Filters [O, C / Groups, KernelH, KernelW].</param>
    /// <param name="y">Output [N, OutH, OutW, O]; overwritten.</param>
    /// <exception cref="ArgumentException">A span's length is not what the shape says.</exception>
    public static void Forward(AdderShape shape, ReadOnlySpan<float> x, ReadOnlySpan<float> filters, Span<float> y)
    {
        Check(shape, x.Length, filters.Length, y.Length);
        ScalarReference.Forward(shape, x, filters, y);
    }

    /// <summary>dL/dX = sum of g * HardTanh(F - X) over every window an input element is in (equation 6).</summary>
    /// <param name="shape">Sizes of the layer.</param>
    /// <param name="x">Input [N, H, W, C].</param>
    /// <param name="filters">Filters [O, C / Groups, KernelH, KernelW].</param>
    /// <param name="gradY">Gradient at the output [N, OutH, OutW, O].</param>
    /// <param name="gradX">Gradient at the input [N, H, W, C]; overwritten.</param>
    /// <exception cref="ArgumentException">A span's length is not what the shape says.</exception>
    public static void InputGradient(
        AdderShape shape, ReadOnlySpan<float> x, ReadOnlySpan<float> filters, ReadOnlySpan<float> gradY, Span<float> gradX)
    {
        Check(shape, x.Length, filters.Length, gradY.Length);
        Length(gradX.Length, shape.XLength, nameof(gradX));
        ScalarReference.InputGradient(shape, x, filters, gradY, gradX);
    }

    /// <summary>dL/dF = sum of g * sgn(X - F): the sign gradient of the paper's ablation (equation 4).</summary>
    /// <param name="shape">Sizes of the layer.</param>
    /// <param name="x">Input [N, H, W, C].</param>
    /// <param name="filters">Filters [O, C / Groups, KernelH, KernelW].</param>
    /// <param name="gradY">Gradient at the output [N, OutH, OutW, O].</param>
    /// <param name="gradFilters">Gradient at the filters, of the filters' shape; overwritten.</param>
    /// <exception cref="ArgumentException">A span's length is not what the shape says.</exception>
    public static void SignWeightGradient(
        AdderShape shape, ReadOnlySpan<float> x, ReadOnlySpan<float> filters, ReadOnlySpan<float> gradY, Span<float> gradFilters)
    {
        Check(shape, x.Length, filters.Length, gradY.Length);
        Length(gradFilters.Length, shape.FiltersLength, nameof(gradFilters));
        ScalarReference.SignWeightGradient(shape, x, filters, gradY, gradFilters);
    }

    private static void Check(AdderShape shape, int x, int filters, int y)
    {
        ArgumentNullException.ThrowIfNull(shape);
        shape.Validate();
        Length(x, shape.XLength, nameof(x));
        Length(filters, shape.FiltersLength, nameof(filters));
        Length(y, shape.YLength, nameof(y));
    }

    private static void Length(int actual, int expected, string name)
    {
        if (actual != expected)
        {
            throw new ArgumentException($"The span holds {actual} floats where the shape says {expected}.", name);
        }
    }
}
