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
    public static void Forward(AdderShape shape, ReadOnlySpan<float> x, ReadOnlySpan<float> filters, Span<float> y) =>
        Forward(shape, x, filters, y, null);

    /// <summary>Y = -sum |X - F| over each window (equation 2), with filters packed before and an epilogue for inference.</summary>
    /// <param name="shape">Sizes of the layer.</param>
    /// <param name="x">Input [N, H, W, C].</param>
    /// <param name="filters">The layer's filters, packed.</param>
    /// <param name="y">Output [N, OutH, OutW, O]; overwritten.</param>
    /// <param name="epilogue">What is done with each output element before it is written; by default nothing.</param>
    /// <exception cref="ArgumentException">A span's length is not what the shape says, or the filters were packed for another layer.</exception>
    public static unsafe void Forward(
        AdderShape shape, ReadOnlySpan<float> x, PackedFilters filters, Span<float> y, AdderEpilogue epilogue = default)
    {
        ArgumentNullException.ThrowIfNull(filters);
        Check(shape, x.Length, y.Length);
        filters.Check(shape);
        Check(shape, epilogue);
        using Scratch.Lease lease = Scratch.Rent();
        fixed (float* px = x, py = y)
        {
            ForwardKernel.Run(shape, filters.Layout, px, null, filters.Data, py, epilogue);
        }

        GC.KeepAlive(filters);
    }

    /// <summary>Y = -sum |X - F| over each window (equation 2) of planes, with only the work that the inputs' range leaves, and an epilogue.</summary>
    /// <param name="shape">Sizes of the layer.</param>
    /// <param name="x">Input [N, C, H, W]: planes, not channels-last.</param>
    /// <param name="taps">The layer's filters, packed for its inputs' range. Inputs outside it cost time, not correctness.</param>
    /// <param name="y">Output [N, O, OutH, OutW]; overwritten. May not overlap the input or the epilogue's residual.</param>
    /// <param name="epilogue">What is done with each output element before it is written, its residual in planes, too; by default nothing.</param>
    /// <param name="workspace">Threads and memory of this call; null for the process's (<see cref="KernelThreads"/>) and the calling thread's.</param>
    /// <exception cref="ArgumentException">A span's length is not what the shape says, or the taps were packed for another layer.</exception>
    /// <exception cref="InvalidOperationException">The workspace is in another call.</exception>
    public static unsafe void Forward(
        AdderShape shape, ReadOnlySpan<float> x, PackedTaps taps, Span<float> y, AdderEpilogue epilogue = default, KernelWorkspace? workspace = null)
    {
        ArgumentNullException.ThrowIfNull(taps);
        Check(shape, x.Length, y.Length);
        taps.Check(shape);
        Check(shape, epilogue);
        using Scratch.Lease lease = Scratch.Rent(workspace);
        fixed (float* px = x, py = y)
        {
            PlaneForwardKernel.Run(shape, taps, px, py, epilogue, workspace);
        }

        GC.KeepAlive(taps);
    }

    /// <summary>The forward pass by a given kernel in vectors of a given width rather than the best of either.</summary>
    internal static unsafe void Forward(
        AdderShape shape, ReadOnlySpan<float> x, ReadOnlySpan<float> filters, Span<float> y, VectorWidth? width, LayerKernel? kernel = null)
    {
        Check(shape, x.Length, filters.Length, y.Length);
        using Scratch.Lease lease = Scratch.Rent();
        fixed (float* px = x, pf = filters, py = y)
        {
            if ((kernel ?? KernelChoice.Forward(shape, px, pf)) == LayerKernel.Planes)
            {
                PlaneForwardKernel.RunChannelsLast(shape, width ?? VectorWidths.Best, px, pf, 0, py);
            }
            else
            {
                ForwardKernel.Run(shape, new FilterLayout(shape, width ?? VectorWidths.For(shape.GroupO)), px, pf, null, py, default);
            }
        }
    }

    /// <summary>dL/dX = sum of g * HardTanh(F - X) over every window an input element is in (equation 6).</summary>
    /// <param name="shape">Sizes of the layer.</param>
    /// <param name="x">Input [N, H, W, C].</param>
    /// <param name="filters">Filters [O, C / Groups, KernelH, KernelW].</param>
    /// <param name="gradY">Gradient at the output [N, OutH, OutW, O].</param>
    /// <param name="gradX">Gradient at the input [N, H, W, C]; overwritten.</param>
    /// <exception cref="ArgumentException">A span's length is not what the shape says.</exception>
    public static void InputGradient(
        AdderShape shape, ReadOnlySpan<float> x, ReadOnlySpan<float> filters, ReadOnlySpan<float> gradY, Span<float> gradX) =>
        InputGradient(shape, x, filters, gradY, gradX, null);

    /// <summary>The input gradient in vectors of a given width rather than the processor's best.</summary>
    internal static unsafe void InputGradient(
        AdderShape shape, ReadOnlySpan<float> x, ReadOnlySpan<float> filters, ReadOnlySpan<float> gradY, Span<float> gradX, VectorWidth? width,
        LayerKernel? kernel = null)
    {
        Check(shape, x.Length, filters.Length, gradY.Length);
        Length(gradX.Length, shape.XLength, nameof(gradX));
        using Scratch.Lease lease = Scratch.Rent();
        fixed (float* px = x, pf = filters, pg = gradY, pd = gradX)
        {
            if ((kernel ?? KernelChoice.InputGradient(shape)) != LayerKernel.Planes || !PlaneGradientKernel.Serves(shape)
                || !PlaneGradientKernel.TryRun(shape, width ?? VectorWidths.Best, px, pf, pg, pd))
            {
                InputGradientKernel.Run(shape, width ?? VectorWidths.For(shape.GroupC), px, pf, pg, pd);
            }
        }
    }

    /// <summary>dL/dF = sum of g * (X - F): the full-precision gradient (equation 5), padding as X = 0.</summary>
    /// <param name="shape">Sizes of the layer.</param>
    /// <param name="x">Input [N, H, W, C].</param>
    /// <param name="filters">Filters [O, C / Groups, KernelH, KernelW].</param>
    /// <param name="gradY">Gradient at the output [N, OutH, OutW, O].</param>
    /// <param name="gradFilters">Gradient at the filters, of the filters' shape; overwritten.</param>
    /// <exception cref="ArgumentException">A span's length is not what the shape says.</exception>
    public static void WeightGradient(
        AdderShape shape, ReadOnlySpan<float> x, ReadOnlySpan<float> filters, ReadOnlySpan<float> gradY, Span<float> gradFilters) =>
        WeightGradient(shape, x, filters, gradY, gradFilters, false, null);

    /// <summary>dL/dF = sum of g * sgn(X - F): the sign gradient of the paper's ablation (equation 4), padding as X = 0.</summary>
    /// <param name="shape">Sizes of the layer.</param>
    /// <param name="x">Input [N, H, W, C].</param>
    /// <param name="filters">Filters [O, C / Groups, KernelH, KernelW].</param>
    /// <param name="gradY">Gradient at the output [N, OutH, OutW, O].</param>
    /// <param name="gradFilters">Gradient at the filters, of the filters' shape; overwritten.</param>
    /// <exception cref="ArgumentException">A span's length is not what the shape says.</exception>
    public static void SignWeightGradient(
        AdderShape shape, ReadOnlySpan<float> x, ReadOnlySpan<float> filters, ReadOnlySpan<float> gradY, Span<float> gradFilters) =>
        WeightGradient(shape, x, filters, gradY, gradFilters, true, null);

    /// <summary>Either gradient of the filters, in vectors of a given width rather than the processor's best.</summary>
    internal static unsafe void WeightGradient(
        AdderShape shape, ReadOnlySpan<float> x, ReadOnlySpan<float> filters, ReadOnlySpan<float> gradY, Span<float> gradFilters,
        bool sign, VectorWidth? width)
    {
        Check(shape, x.Length, filters.Length, gradY.Length);
        Length(gradFilters.Length, shape.FiltersLength, nameof(gradFilters));
        using Scratch.Lease lease = Scratch.Rent();
        fixed (float* px = x, pf = filters, pg = gradY, pd = gradFilters)
        {
            WeightGradientKernel.Run(shape, width ?? VectorWidths.Best, sign, px, pf, pg, pd);
        }
    }

    private static void Check(AdderShape shape, int x, int filters, int y)
    {
        Check(shape, x, y);
        Length(filters, shape.FiltersLength, nameof(filters));
    }

    private static void Check(AdderShape shape, int x, int y)
    {
        ArgumentNullException.ThrowIfNull(shape);
        shape.Validate();
        Length(x, shape.XLength, nameof(x));
        Length(y, shape.YLength, nameof(y));
    }

    internal static void Check(AdderShape shape, in AdderEpilogue epilogue)
    {
        Length(epilogue.Mean.Length, epilogue.Mean.IsEmpty ? 0 : shape.O, nameof(epilogue));
        Length(epilogue.Scale.Length, epilogue.Scale.IsEmpty ? 0 : shape.O, nameof(epilogue));
        Length(epilogue.Shift.Length, epilogue.Shift.IsEmpty ? 0 : shape.O, nameof(epilogue));
        Length(epilogue.Residual.Length, epilogue.Residual.IsEmpty ? 0 : shape.YLength, nameof(epilogue));
    }

    internal static void Length(int actual, int expected, string name)
    {
        if (actual != expected)
        {
            throw new ArgumentException($"The span holds {actual} floats where the shape says {expected}.", name);
        }
    }
}
