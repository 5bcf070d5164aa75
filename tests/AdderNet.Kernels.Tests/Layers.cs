using CsCheck;

namespace AdderNet.Kernels.Tests;

/// <summary>Random layers and data for them.</summary>
internal static class Layers
{
    /// <summary>Every width, those that the processor must emulate too; just the one that ADDERNET_KERNEL names where it does.</summary>
    public static TheoryData<string> Widths => KernelChoice.Forced.Width is { } width ? [width.ToString()] : [.. Enum.GetNames<VectorWidth>()];

    /// <summary>Every kernel of the forward pass at every width, by its name in the list that the benchmarks go through, too.</summary>
    public static TheoryData<string> Kernels =>
        [.. KernelChoice.Names.Where(n => KernelChoice.Parse(n) is var (w, k) && (KernelChoice.Forced.Width ?? w) == w && (KernelChoice.Forced.Kernel ?? k) == k)];

    /// <summary>The forward pass by a kernel of that list.</summary>
    public static void Forward(string kernel, AdderShape shape, float[] x, float[] filters, float[] y)
    {
        var (width, kind) = KernelChoice.Parse(kernel);
        AdderKernel.Forward(shape, x, filters, y, width, kind);
    }

    /// <summary>The input gradient by a kernel of that list.</summary>
    public static void InputGradient(string kernel, AdderShape shape, float[] x, float[] filters, float[] gradY, float[] gradX)
    {
        var (width, kind) = KernelChoice.Parse(kernel);
        AdderKernel.InputGradient(shape, x, filters, gradY, gradX, width, kind);
    }

    /// <summary>Layers of any kernel, stride, padding, dilation and groups, odd sizes among them; small, so that the plain loops are quick.</summary>
    public static Gen<AdderShape> Shapes { get; } =
        from groups in Pick(1, 1, 1, 1, 2, 3, 8)
        from c in Pick(1, 1, 2, 3, 5, 6, 16, 20, 33, 70)
        from o in Pick(1, 1, 2, 3, 5, 7, 8, 10, 16, 24, 41)
        from depthwise in Gen.Int[0, 5]
        from n in Gen.Int[1, 3]
        from h in Gen.Int[1, 13]
        from w in Gen.Int[1, 13]
        from kernelH in Gen.Int[1, 5]
        from kernelW in Gen.Int[1, 5]
        from strides in Gen.Select(Gen.Int[1, 3], Gen.Int[1, 3])
        from paddings in Gen.Select(Gen.Int[0, 3], Gen.Int[0, 3])
        from dilations in Gen.Select(Pick(1, 1, 1, 2, 3), Pick(1, 1, 1, 2, 3))
        let each = c > 20 ? 1 : c
        let shape = new AdderShape(
            n, depthwise == 0 ? c : each * groups, h, w, depthwise == 0 ? c : o * groups > 48 ? groups : o * groups, kernelH, kernelW)
        {
            StrideH = strides.Item1,
            StrideW = strides.Item2,
            PaddingH = paddings.Item1,
            PaddingW = paddings.Item2,
            DilationH = dilations.Item1,
            DilationW = dilations.Item2,
            Groups = depthwise == 0 ? c : groups,
        }
        where shape.DilationH * (kernelH - 1) < h + 2 * shape.PaddingH && shape.DilationW * (kernelW - 1) < w + 2 * shape.PaddingW
        select shape;

    /// <summary>Layers that random small ones seldom are: many channels, windows of whole images, long filters, wide images, stride beyond the kernel.</summary>
    public static AdderShape[] Rare { get; } =
    [
        new(2, 130, 6, 5, 140, 3, 3) { PaddingH = 1, PaddingW = 1 },
        new(2, 136, 7, 7, 150, 1, 1) { StrideH = 2, StrideW = 2 },
        new(3, 6, 4, 5, 9, 4, 5),
        new(5, 16, 5, 5, 30, 5, 5),
        new(2, 700, 2, 2, 7, 1, 1),
        new(1, 3, 2, 700, 5, 2, 3) { PaddingW = 1 },
        new(1, 5, 12, 13, 6, 2, 2) { StrideH = 4, StrideW = 3 },
        new(2, 192, 5, 4, 384, 3, 3) { Groups = 3, PaddingH = 1, PaddingW = 1 },
    ];

    private static Gen<int> Pick(params int[] values) => Gen.Int[0, values.Length - 1].Select(i => values[i]);

    public static float[] Random(int count, int seed, double scale = 1, double offset = 0)
    {
        Random random = new(seed);
        float[] values = new float[count];
        for (int i = 0; i < count; i++)
        {
            values[i] = (float)(offset + scale * Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble()));
        }

        return values;
    }

    /// <summary>Images [channels, pixels] as [pixels, channels].</summary>
    public static float[] ToChannelsLast(float[] planes, int channels, int pixels) => Transposed(planes, channels, pixels);

    /// <summary>Images [pixels, channels] as [channels, pixels].</summary>
    public static float[] ToPlanes(float[] channelsLast, int channels, int pixels) => Transposed(channelsLast, pixels, channels);

    private static float[] Transposed(float[] from, int rows, int columns)
    {
        float[] to = new float[from.Length];
        for (int i = 0; i < from.Length; i++)
        {
            int image = i / (rows * columns), row = i / columns % rows, column = i % columns;
            to[(image * columns + column) * rows + row] = from[i];
        }

        return to;
    }

    /// <summary>For each output, sum(|a| + |b|) over its window: what its error is measured by.</summary>
    public static float[] Magnitudes(AdderShape shape, float[] x, float[] filters)
    {
        float[] magnitudes = new float[shape.YLength];
        ScalarReference.Forward(shape, [.. x.Select(MathF.Abs)], [.. filters.Select(f => -MathF.Abs(f))], magnitudes);
        return [.. magnitudes.Select(m => -m)];
    }

    /// <summary>
    /// Fails where a value is further from the expected one than a share of the magnitude there, or differs in being NaN or infinite. A magnitude
    /// that is not finite counts as the largest float: else anything would pass.
    /// </summary>
    public static void Close(float[] expected, float[] actual, float[] magnitudes, double tolerance, object what)
    {
        for (int i = 0; i < expected.Length; i++)
        {
            double magnitude = float.IsFinite(magnitudes[i]) ? magnitudes[i] : float.MaxValue;
            bool close = float.IsFinite(expected[i])
                ? Math.Abs((double)expected[i] - actual[i]) <= tolerance * magnitude
                : expected[i].Equals(actual[i]);
            Assert.True(close, $"{what}: element {i} is {actual[i]:R} instead of {expected[i]:R} (magnitude {magnitudes[i]})");
        }
    }
}
