using System.Runtime.InteropServices;

namespace AdderNet.Kernels;

/// <summary>
/// A layer's filters as lists of what its inputs' range leaves to do, for
/// <see cref="AdderKernel.Forward(AdderShape, ReadOnlySpan{float}, PackedTaps, Span{float}, AdderEpilogue, KernelWorkspace?)"/>.
/// </summary>
/// <remarks>
/// Serves any batch and image size; the lists of each way of cutting images up are built when first needed and kept. Many threads may use it at
/// once. An input outside the range costs time, not correctness.
/// </remarks>
public sealed unsafe class PackedTaps
{
    private readonly float[] filters;
    private Entry[] entries = [];

    /// <summary>Builds the lists of a layer.</summary>
    /// <param name="shape">Sizes of the layer, with those images for which the lists are built at once.</param>
    /// <param name="filters">Filters [O, C / Groups, KernelH, KernelW]; not kept.</param>
    /// <param name="range">What the inputs lie between. Padding counts as 0 and belongs to it by itself.</param>
    /// <exception cref="ArgumentException">The shape is not valid, or the span's length is not what it says.</exception>
    public PackedTaps(AdderShape shape, ReadOnlySpan<float> filters, InputRange range)
        : this(shape, filters, range, VectorWidths.Best)
    {
    }

    internal PackedTaps(AdderShape shape, ReadOnlySpan<float> filters, InputRange range, VectorWidth width)
    {
        ArgumentNullException.ThrowIfNull(shape);
        shape.Validate();
        AdderKernel.Length(filters.Length, shape.FiltersLength, nameof(filters));
        Width = width;
        this.filters = GC.AllocateUninitializedArray<float>(filters.Length, pinned: true);
        filters.CopyTo(this.filters);
        (O, GroupC, KernelH, KernelW, Groups) = (shape.O, shape.GroupC, shape.KernelH, shape.KernelW, shape.Groups);
        Range = range.WithZero;
        ShareLeft = Find(shape).Taps / (double)filters.Length;
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

    /// <summary>What the inputs were said to lie between, and 0.</summary>
    public InputRange Range { get; }

    /// <summary>The share of the filter elements that are left to do, 0 to 1.</summary>
    public double ShareLeft { get; }

    internal VectorWidth Width { get; }

    /// <summary>Bytes it takes now.</summary>
    public long Bytes => (long)sizeof(float) * filters.Length + Volatile.Read(ref entries).Sum(entry => entry.Bytes);

    /// <summary>The filters [O, C / Groups, KernelH, KernelW].</summary>
    internal float* Filters => (float*)Marshal.UnsafeAddrOfPinnedArrayElement(filters, 0);

    /// <summary>The lists for a shape of this layer.</summary>
    internal Entry Find(AdderShape shape)
    {
        PlaneTiling tiling = new(shape, Width);
        foreach (Entry entry in Volatile.Read(ref entries))
        {
            if (entry.Serves(tiling))
            {
                return entry;
            }
        }

        lock (filters)
        {
            foreach (Entry entry in entries)
            {
                if (entry.Serves(tiling))
                {
                    return entry;
                }
            }

            // Layers meet few sizes; images of ever new sizes push out the oldest.
            const int Most = 8;
            Entry made = new(this, shape, tiling);
            Volatile.Write(ref entries, [.. entries.TakeLast(Most - 1), made]);
            return made;
        }
    }

    internal void Check(AdderShape shape)
    {
        if ((shape.O, shape.GroupC, shape.KernelH, shape.KernelW, shape.Groups) != (O, GroupC, KernelH, KernelW, Groups))
        {
            throw new ArgumentException(
                $"The taps were packed for [{O}, {GroupC}, {KernelH}, {KernelW}] in {Groups} groups, but the shape has " +
                $"[{shape.O}, {shape.GroupC}, {shape.KernelH}, {shape.KernelW}] in {shape.Groups}; pack them for this layer.");
        }
    }

    /// <summary>The lists for one way of cutting images up, in pinned memory.</summary>
    internal sealed class Entry
    {
        private readonly byte[] memory;

        public Entry(PackedTaps owner, AdderShape shape, in PlaneTiling tiling)
        {
            Tiling = tiling;
            Carver measure = new(null);
            TapList list = new() { Min = PlaneForwardKernel.SumsDistances(shape) ? float.NaN : owner.Range.Min };
            TapList.Carve(ref measure, ref list, shape, tiling);
            Scratch scratch = new();
            Carver carver = new(scratch.Get((nuint)measure.Size));
            TapList.Carve(ref carver, ref list, shape, tiling);
            Taps = list.Build(shape, tiling, owner.Filters);

            // What is left is often half of what could have been.
            long before = (byte*)list.Taps - (byte*)list.Starts;
            memory = GC.AllocateUninitializedArray<byte>(checked((int)(before + (long)Taps * sizeof(Tap)) + 64), pinned: true);
            byte* start = (byte*)(((nint)Marshal.UnsafeAddrOfPinnedArrayElement(memory, 0) + 63) & ~63);
            new ReadOnlySpan<byte>(list.Starts, memory.Length - 64).CopyTo(new Span<byte>(start, memory.Length - 64));
            List = list with
            {
                Starts = (int*)start,
                Constants = (float*)(start + ((byte*)list.Constants - (byte*)list.Starts)),
                Taps = (Tap*)(start + before),
            };
            scratch.Free();
        }

        public TapList List { get; }

        private PlaneTiling Tiling { get; }

        /// <summary>Taps left.</summary>
        public int Taps { get; }

        /// <summary>Bytes of the lists.</summary>
        public int Bytes => memory.Length;

        /// <summary>Whether offsets and blocks are the same.</summary>
        public bool Serves(in PlaneTiling other) =>
            (Tiling.Pitch, Tiling.PatchRows, Tiling.Phases, Tiling.BlockChannels, Tiling.StrideH, Tiling.DilationH)
            == (other.Pitch, other.PatchRows, other.Phases, other.BlockChannels, other.StrideH, other.DilationH);
    }
}
