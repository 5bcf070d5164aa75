using System.Runtime.CompilerServices;

namespace AdderNet.Kernels;

/// <summary>
/// The order packed filters lie in: panels of up to two vectors of output channels of one group (of one, with 512 bits); in a panel, for each
/// filter element in the order (row, column, channel), one float an output channel, zero where there is no such channel.
/// Behind all panels, the sum of each filter.
/// </summary>
internal readonly unsafe struct FilterLayout
{
    private readonly int groupC, taps;

    public FilterLayout(AdderShape shape, VectorWidth width)
    {
        Width = width;
        Depthwise = shape.Groups > 1 && shape.GroupC == 1 && shape.GroupO == 1;
        (Groups, Outputs) = Depthwise ? (1, shape.O) : (shape.Groups, shape.GroupO);
        (groupC, taps) = (shape.GroupC, shape.KernelH * shape.KernelW);
        Elements = shape.FilterLength;
        Vectors = Window.Ceiling(Outputs, Lanes);
    }

    public VectorWidth Width { get; }

    /// <summary>Whether each output channel sees one input channel of its own; vectors then run over channels, in one group.</summary>
    public bool Depthwise { get; }

    public int Groups { get; }

    /// <summary>Output channels of a group.</summary>
    public int Outputs { get; }

    /// <summary>Elements of a filter.</summary>
    public int Elements { get; }

    /// <summary>Vectors that hold a group's output channels.</summary>
    public int Vectors { get; }

    public int Lanes => (int)Width;

    // Two vectors share each broadcast input element. AVX-512's maximum broadcasts it itself, which on Zen 4 leaves all ports to the arithmetic;
    // if two vectors shared it, the compiler would make it a broadcast of its own, which takes one of them.
    private int MaxPanelVectors => Width == VectorWidth.Vector512 ? 1 : 2;

    public int GroupPanels => Window.Ceiling(Vectors, MaxPanelVectors);

    public int Panels => Groups * GroupPanels;

    /// <summary>Output channels of all groups, each group rounded up to whole vectors.</summary>
    public int PaddedOutputs => Groups * Vectors * Lanes;

    /// <summary>Floats of all panels, behind which the filters' sums lie.</summary>
    public long SumsStart => (long)PaddedOutputs * Elements;

    public long Length => SumsStart + PaddedOutputs;

    public int PanelVectors(int panel) => Math.Min(MaxPanelVectors, Vectors - FirstVector(panel));

    /// <summary>The first of a panel's output channels, counted with each group rounded up to whole vectors.</summary>
    public int PaddedOutput(int panel) => (panel / GroupPanels * Vectors + FirstVector(panel)) * Lanes;

    /// <summary>The first of a panel's output channels.</summary>
    public int Output(int panel) => panel / GroupPanels * Outputs + FirstVector(panel) * Lanes;

    /// <summary>The number of a panel's output channels.</summary>
    public int PanelOutputs(int panel) => Math.Min(MaxPanelVectors * Lanes, Outputs - FirstVector(panel) * Lanes);

    /// <summary>The first of a panel's vectors, counted in its group.</summary>
    private int FirstVector(int panel) => panel % GroupPanels * MaxPanelVectors;

    /// <summary>Packs one panel of filters [O, C / Groups, KernelH, KernelW].</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Pack<TOps, TVec>(float* filters, float* packed, int panel)
        where TOps : struct, ISimd<TVec>
        where TVec : struct
    {
        int lanes = PanelVectors(panel) * TOps.Lanes, outputs = PanelOutputs(panel);
        float* from = filters + (nint)Output(panel) * Elements, start = packed + (nint)PaddedOutput(panel) * Elements;
        if (outputs < lanes)
        {
            new Span<float>(start, checked(Elements * lanes)).Clear();
        }

        // Filters lie a power of two apart more often than not, which the cache takes badly: some elements of each are
        // copied beside one another before they are written row by row.
        const int Part = 128, Pitch = Part + 8;
        float* parts = stackalloc float[2 * 16 * Pitch];
        int c = 0, t = 0;
        for (int k = 0; k < Elements; k += Part)
        {
            int count = Math.Min(Part, Elements - k);
            for (int o = 0; o < outputs; o++)
            {
                new ReadOnlySpan<float>(from + (nint)o * Elements + k, count).CopyTo(new Span<float>(parts + o * Pitch, count));
            }

            for (int i = 0; i < count; i++)
            {
                float* to = start + ((nint)t * groupC + c) * lanes, part = parts + i;
                int o = 0;
                for (; o <= outputs - 4; o += 4, part += 4 * Pitch)
                {
                    to[o] = part[0];
                    to[o + 1] = part[Pitch];
                    to[o + 2] = part[2 * Pitch];
                    to[o + 3] = part[3 * Pitch];
                }

                for (; o < outputs; o++, part += Pitch)
                {
                    to[o] = *part;
                }

                if (++t == taps)
                {
                    (t, c) = (0, c + 1);
                }
            }
        }

        for (int v = 0; v < lanes; v += TOps.Lanes)
        {
            // Compensated (Kahan): its error would be the same at every pixel, and averages would not lose it. Four sums in
            // turn, since each addition waits for the one before.
            TVec s0 = TOps.Create(0), s1 = s0, s2 = s0, s3 = s0, l0 = s0, l1 = s0, l2 = s0, l3 = s0;
            float* at = start + v;
            int k = 0;
            for (; k <= Elements - 4; k += 4, at += (nint)4 * lanes)
            {
                AddExactly<TOps, TVec>(ref s0, ref l0, TOps.Load(at));
                AddExactly<TOps, TVec>(ref s1, ref l1, TOps.Load(at + lanes));
                AddExactly<TOps, TVec>(ref s2, ref l2, TOps.Load(at + 2 * lanes));
                AddExactly<TOps, TVec>(ref s3, ref l3, TOps.Load(at + 3 * lanes));
            }

            for (; k < Elements; k++, at += lanes)
            {
                AddExactly<TOps, TVec>(ref s0, ref l0, TOps.Load(at));
            }

            TVec sum = s0, lost = TOps.Add(TOps.Add(l0, l1), TOps.Add(l2, l3));
            AddExactly<TOps, TVec>(ref sum, ref lost, s1);
            AddExactly<TOps, TVec>(ref sum, ref lost, s2);
            AddExactly<TOps, TVec>(ref sum, ref lost, s3);
            sum = TOps.Sub(sum, lost);
            TOps.Store(packed + SumsStart + PaddedOutput(panel) + v, sum);
        }
    }

    /// <summary>Adds to a sum, keeping what its rounding loses for the next time.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddExactly<TOps, TVec>(ref TVec sum, ref TVec lost, TVec value)
        where TOps : struct, ISimd<TVec>
        where TVec : struct
    {
        TVec next = TOps.Sub(value, lost), total = TOps.Add(sum, next);
        lost = TOps.Sub(TOps.Sub(total, sum), next);
        sum = total;
    }

    /// <summary>Spreads one float an output channel to the padded order; null stays null.</summary>
    public float* Spread(ReadOnlySpan<float> values, float* to)
    {
        if (values.IsEmpty)
        {
            return null;
        }

        new Span<float>(to, PaddedOutputs).Clear();
        for (int g = 0; g < Groups; g++)
        {
            values.Slice(g * Outputs, Outputs).CopyTo(new Span<float>(to + (nint)g * Vectors * Lanes, Outputs));
        }

        return to;
    }
}
