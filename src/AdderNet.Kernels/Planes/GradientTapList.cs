using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace AdderNet.Kernels;

/// <summary>How HardTanh(F - X) + 1 looks for a filter element and every input of a range; where it is always 0, there is no tap.</summary>
internal enum GradientTaps
{
    /// <summary>Always 2.</summary>
    Two,

    /// <summary>F + 1 - X, but 0 at least.</summary>
    AtLeastZero,

    /// <summary>F + 1 - X, but 2 at most.</summary>
    AtMostTwo,

    /// <summary>F + 1 - X, between 0 and 2.</summary>
    Between,
}

/// <summary>
/// What a layer's inputs leave of its input gradient to do, in the order of the loops: for each block of a group's output channels, each input
/// channel and each of <see cref="GradientTaps"/> the taps, whose weights are F + 1, or 2 where the term is always 2.
/// </summary>
internal unsafe struct GradientTapList
{
    private const int Kinds = 4;

    /// <summary>Taps of one block and channel at most: layers with larger windows are not for this kernel.</summary>
    public const int MostTaps = PlaneTiling.MaxRun;

    /// <summary>For each comparison's outcome (below all, above all, above what needs no upper bound, below what needs no lower one) the kind.</summary>
    private static ReadOnlySpan<byte> KindOf => [2, 1, 2, 3, 0, 0, 0, 0, 4, 4, 4, 4, 4, 4, 4, 4];

    /// <summary>Starts for one channel of a block: of each kind's taps, and behind the last.</summary>
    public const int Step = Kinds + 1;

    /// <summary>All taps; those of block b, input channel c and kind k are Starts[(b * C + c) * Step + k] to the next one.</summary>
    public Tap* Taps;
    public int* Starts;
    private Tap* window;
    private float* filters;
    private PlaneTiling tiling;
    private AdderShapeNumbers shape;
    private InputRange range;
    private int unsound;

    public static void Carve(ref Carver carver, ref GradientTapList list, AdderShape s, in PlaneTiling tiling)
    {
        list.Starts = carver.Take<int>((long)tiling.Blocks * s.C * Step);
        list.Taps = carver.Take<Tap>(s.FiltersLength);
    }

    /// <summary>Writes the lists of filters [O, C / Groups, KernelH, KernelW] for inputs of a range, on all threads; false where one is NaN.</summary>
    /// <param name="s">Sizes of the layer.</param>
    /// <param name="tiles">Of the gradient at the output, as the input of a layer whose filters are turned about.</param>
    /// <param name="offsets">The taps of one channel.</param>
    /// <param name="f">The filters.</param>
    /// <param name="inputs">What the layer's inputs lie between.</param>
    public bool TryBuild(AdderShape s, in PlaneTiling tiles, Tap* offsets, float* f, InputRange inputs)
    {
        (shape, tiling, range, unsound) = (new AdderShapeNumbers(s), tiles, inputs, 0);
        window = offsets;
        filters = f;
        GradientTapList built = this;
        WorkerPool.Run(tiling.Blocks * s.C, &Build, &built, s.FiltersLength < 1 << 14);
        return built.unsound == 0;
    }

    /// <summary>One task: the taps of one block and input channel.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Build(void* context, int index)
    {
        var list = (GradientTapList*)context;
        ref readonly AdderShapeNumbers s = ref list->shape;
        int block = index / s.C, c = index % s.C, first = block * list->tiling.BlockChannels, taps = list->tiling.Taps;
        int outputs = Math.Min(list->tiling.BlockChannels, s.GroupO - first);
        float low = list->range.Min - 1, high = list->range.Max + 1, lowest = list->range.Max - 1, highest = list->range.Min + 1;
        int* counts = stackalloc int[Kinds + 1];
        new Span<int>(counts, Kinds + 1).Clear();
        Tap* parts = stackalloc Tap[(Kinds + 1) * MostTaps];
        bool sound = true;
        Tap* start = list->Taps + ((nint)first * s.C + (nint)c * outputs) * taps, to = start;
        ref byte kinds = ref MemoryMarshal.GetReference(KindOf);

        for (int o = 0; o < outputs; o++)
        {
            float* f = list->filters + (((nint)(c / s.GroupC) * s.GroupO + first + o) * s.GroupC + c % s.GroupC) * taps + taps - 1;
            int channel = o * list->tiling.ChannelLength * sizeof(float);
            for (int t = 0; t < taps; t++, f--)
            {
                float w = *f;
                sound &= !float.IsNaN(w);
                int kind = Unsafe.Add(ref kinds, (w <= low ? 8 : 0) | (w >= high ? 4 : 0) | (w > highest ? 2 : 0) | (w < lowest ? 1 : 0));
                parts[kind * MostTaps + counts[kind]] = new Tap(channel + list->window[t].Offset, kind == 0 ? 2 : w + 1);
                counts[kind]++;
            }
        }

        int* starts = list->Starts + (nint)index * Step;
        for (int k = 0; k < Kinds; k++)
        {
            starts[k] = (int)(to - list->Taps);
            new ReadOnlySpan<Tap>(parts + k * MostTaps, counts[k]).CopyTo(new Span<Tap>(to, counts[k]));
            to += counts[k];
        }

        starts[Kinds] = (int)(to - list->Taps);
        if (!sound)
        {
            list->unsound = 1;
        }
    }
}
