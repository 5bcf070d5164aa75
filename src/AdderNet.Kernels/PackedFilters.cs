using System.Runtime.InteropServices;

namespace AdderNet.Kernels;

/// <summary>
/// A layer's filters in the order the forward kernel reads them. Inference packs once and calls
/// <see cref="AdderKernel.Forward(AdderShape, ReadOnlySpan{float}, PackedFilters, Span{float}, AdderEpilogue)"/> many times.
/// </summary>
/// <remarks>Independent of the batch and image size, stride, padding and dilation. Many threads may read it at once.</remarks>
public sealed unsafe class PackedFilters
{
    private readonly float[] memory;

    /// <summary>Packs the filters of a layer.</summary>
    /// <param name="shape">Sizes of the layer.</param>
    /// <param name="filters">Filters [O, C / Groups, KernelH, KernelW]; not kept.</param>
    /// <exception cref="ArgumentException">The shape is not valid, or the span's length is not what it says.</exception>
    public PackedFilters(AdderShape shape, ReadOnlySpan<float> filters)
        : this(shape, filters, null)
    {
    }

    internal PackedFilters(AdderShape shape, ReadOnlySpan<float> filters, VectorWidth? width)
    {
        ArgumentNullException.ThrowIfNull(shape);
        shape.Validate();
        Layout = new FilterLayout(shape, width ?? VectorWidths.For(shape.GroupO));
        (O, GroupC, KernelH, KernelW, Groups) = (shape.O, shape.GroupC, shape.KernelH, shape.KernelW, shape.Groups);
        memory = GC.AllocateUninitializedArray<float>(checked((int)Layout.Length + 16), pinned: true);
        Update(filters);
    }

    /// <summary>Output channels.</summary>
    public int O { get; }

    /// <summary>Input channels of one group.</summary>
    public int GroupC { get; }

    /// <summary>Filter rows.</summary>
    public int KernelH { get; }

    /// <summary>Filter columns.</summary>
    public int KernelW { get; }

    /// <summary>Groups of channels that see only each other.</summary>
    public int Groups { get; }

    internal FilterLayout Layout { get; }

    /// <summary>The packed floats, from a cache line's start. The array is pinned: the address holds as long as this object is kept alive.</summary>
    internal float* Data => (float*)(((nint)Marshal.UnsafeAddrOfPinnedArrayElement(memory, 0) + 63) & ~63);

    /// <summary>Packs new values of the same filters; no call may be reading the old ones.</summary>
    /// <param name="filters">Filters [O, C / Groups, KernelH, KernelW]; not kept.</param>
    /// <exception cref="ArgumentException">The span's length is not that of the filters.</exception>
    public void Update(ReadOnlySpan<float> filters)
    {
        AdderKernel.Length(filters.Length, O * GroupC * KernelH * KernelW, nameof(filters));
        fixed (float* from = filters)
        {
            ForwardKernel.Pack(Layout, from, Data);
        }
    }

    internal void Check(AdderShape shape)
    {
        if ((shape.O, shape.GroupC, shape.KernelH, shape.KernelW, shape.Groups) != (O, GroupC, KernelH, KernelW, Groups))
        {
            throw new ArgumentException(
                $"The filters were packed for [{O}, {GroupC}, {KernelH}, {KernelW}] in {Groups} groups, but the shape has " +
                $"[{shape.O}, {shape.GroupC}, {shape.KernelH}, {shape.KernelW}] in {shape.Groups}; pack them for this layer.");
        }
    }
}
