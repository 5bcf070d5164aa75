using CsCheck;

namespace AdderNet.Kernels.Tests;

/// <summary>The forward pass over planes, whose filters are lists of what the inputs' range leaves to do.</summary>
public class PlaneForwardTests
{
    [Theory]
    [MemberData(nameof(Layers.Widths), MemberType = typeof(Layers))]
    public void Rare_layers_equal_the_plain_loops(string width)
    {
        foreach (AdderShape shape in (AdderShape[])[.. Layers.Rare, .. Planes])
        {
            Equal(shape, 1, width, InputRange.AfterRelu);
            Equal(shape, 2, width, InputRange.Any);
        }
    }

    [Theory]
    [MemberData(nameof(Layers.Widths), MemberType = typeof(Layers))]
    public void Any_layer_behind_a_ReLU_equals_the_plain_loops(string width)
    {
        Gen.Select(Layers.Shapes, Gen.Int).Sample((shape, seed) => Equal(shape, seed, width, InputRange.AfterRelu), iter: 200);
    }

    [Theory]
    [MemberData(nameof(Layers.Widths), MemberType = typeof(Layers))]
    public void Any_range_equals_the_plain_loops(string width)
    {
        Gen.Select(Layers.Shapes, Gen.Int, Gen.Double[-3, 3], Gen.Double[0, 3]).Sample(
            (shape, seed, from, length) => Equal(shape, seed, width, new((float)from, (float)(from + length))), iter: 150);
    }

    [Theory]
    [MemberData(nameof(Layers.Widths), MemberType = typeof(Layers))]
    public void Inputs_outside_the_range_are_as_accurate_and_leave_their_neighbours_alone(string width)
    {
        Gen.Select(Layers.Shapes, Gen.Int).Sample(
            (shape, seed) =>
            {
                float[] x = Inputs(shape, seed, InputRange.AfterRelu), filters = Filters(shape, seed);
                PackedTaps taps = new(shape, filters, InputRange.AfterRelu, Enum.Parse<VectorWidth>(width));
                float[] before = new float[shape.YLength], after = new float[shape.YLength];
                AdderKernel.Forward(shape, x, taps, before);
                x[new Random(seed).Next(x.Length)] = -2;
                AdderKernel.Forward(shape, x, taps, after);
                float[] expected = Expected(shape, x, filters, out float[] magnitudes);
                Layers.Close(expected, after, magnitudes, 1e-5, shape);
                float[] reached = Expected(shape, [.. x.Select(v => v < 0 ? 1f : 0)], new float[shape.FiltersLength], out _);
                for (int i = 0; i < before.Length; i++)
                {
                    Assert.True(reached[i] < 0 || before[i].Equals(after[i]), $"{shape}: element {i} became {after[i]:R} from {before[i]:R}");
                }
            },
            iter: 100);
    }

    [Theory]
    [MemberData(nameof(Layers.Widths), MemberType = typeof(Layers))]
    public void Special_values_spread_as_in_the_formula(string width)
    {
        Gen.Select(Layers.Shapes, Gen.Int, Gen.Bool).Sample(
            (shape, seed, relu) =>
            {
                float[] x = NonFiniteTests.Spoiled(shape.XLength, seed), filters = NonFiniteTests.Spoiled(shape.FiltersLength, ~seed);
                PackedTaps taps = new(shape, filters, relu ? InputRange.AfterRelu : InputRange.Any, Enum.Parse<VectorWidth>(width));
                float[] expected = Expected(shape, x, filters, out float[] magnitudes), actual = new float[shape.YLength];
                AdderKernel.Forward(shape, x, taps, actual);
                Layers.Close(expected, actual, magnitudes, 1e-5, shape);
            },
            iter: 150);
    }

    [Theory]
    [MemberData(nameof(Layers.Widths), MemberType = typeof(Layers))]
    public void Mean_scale_shift_residual_and_relu_equal_the_steps_one_by_one(string width)
    {
        Gen.Select(Layers.Shapes, Gen.Int, Gen.Int[0, 31]).Sample(
            (shape, seed, parts) =>
            {
                float[] x = Inputs(shape, seed, InputRange.AfterRelu), filters = Filters(shape, seed);
                float[] scale = (parts & 1) == 0 ? [] : Layers.Random(shape.O, 1), shift = (parts & 2) == 0 ? [] : Layers.Random(shape.O, 2);
                float[] residual = (parts & 4) == 0 ? [] : Layers.Random(shape.YLength, 3), mean = (parts & 16) == 0 ? [] : Layers.Random(shape.O, 4);
                bool relu = (parts & 8) != 0;
                PackedTaps taps = new(shape, filters, InputRange.AfterRelu, Enum.Parse<VectorWidth>(width));
                float[] expected = new float[shape.YLength], actual = new float[shape.YLength];
                AdderKernel.Forward(shape, x, taps, expected);
                int plane = shape.OutH * shape.OutW;
                for (int i = 0; i < expected.Length; i++)
                {
                    int o = i / plane % shape.O;
                    float y = (expected[i] - (mean.Length == 0 ? 0 : mean[o])) * (scale.Length == 0 ? 1 : scale[o]);
                    y += shift.Length == 0 ? 0 : shift[o];
                    y += residual.Length == 0 ? 0 : residual[i];
                    expected[i] = relu ? Math.Max(y, 0) : y;
                }

                AdderKernel.Forward(shape, x, taps, actual, new() { Mean = mean, Scale = scale, Shift = shift, Residual = residual, Relu = relu });
                Assert.Equal(expected, actual);
            },
            iter: 100);
    }

    [Fact]
    public void The_share_left_counts_the_filter_elements_above_the_smallest_input()
    {
        AdderShape shape = new(1, 4, 6, 6, 3, 1, 1);
        float[] filters = [-1, 0, 1, 2, -3, 3, 0.5f, 0.25f, 0, 0, 0, 7];
        Assert.Equal(6 / 12.0, new PackedTaps(shape, filters, InputRange.AfterRelu).ShareLeft);
        Assert.Equal(1, new PackedTaps(shape, filters, InputRange.Any).ShareLeft);
        Assert.Equal(10 / 12.0, new PackedTaps(shape, filters, new(-1, 9)).ShareLeft);
    }

    [Fact]
    public void One_pack_of_taps_serves_any_batch_and_image_size_from_several_threads_at_once()
    {
        AdderShape shape = new(1, 6, 9, 9, 20, 3, 3) { PaddingH = 1, PaddingW = 1 };
        float[] filters = Filters(shape, 1);
        PackedTaps taps = new(shape, filters, InputRange.AfterRelu);
        Parallel.For(0, 8, i =>
        {
            using KernelWorkspace workspace = new(1 + i % 3);
            for (int round = 0; round < 10; round++)
            {
                AdderShape s = shape with { N = 1 + (i + round) % 5, H = 5 + i, W = 4 + round };
                float[] x = Inputs(s, i * 100 + round, InputRange.AfterRelu), actual = new float[s.YLength];
                AdderKernel.Forward(s, x, taps, actual, default, workspace);
                Layers.Close(Expected(s, x, filters, out float[] magnitudes), actual, magnitudes, 1e-5, s);
            }
        });
    }

    [Fact]
    public void A_workspace_serves_one_call_at_a_time_and_none_once_disposed()
    {
        AdderShape shape = new(1, 1, 1, 1, 1, 1, 1);
        PackedTaps taps = new(shape, [1], InputRange.Any);
        float[] y = new float[1];
        KernelWorkspace workspace = new(2);
        workspace.Enter();
        Assert.Contains("in another call", Assert.Throws<InvalidOperationException>(() => Call()).Message, StringComparison.Ordinal);
        workspace.Leave();
        Call();
        Assert.Equal([-1], y);
        workspace.Dispose();
        workspace.Dispose();
        Assert.Throws<ObjectDisposedException>(() => Call());
        Assert.Throws<ArgumentOutOfRangeException>(() => new KernelWorkspace(0));

        void Call() => AdderKernel.Forward(shape, [2], taps, y, default, workspace);
    }

    [Fact]
    public void Taps_packed_for_another_layer_are_refused()
    {
        AdderShape shape = new(2, 4, 5, 5, 6, 3, 3);
        PackedTaps taps = new(shape with { O = 7 }, new float[7 * 36], InputRange.Any);
        string message = Assert.Throws<ArgumentException>(() => AdderKernel.Forward(shape, new float[shape.XLength], taps, new float[shape.YLength])).Message;
        Assert.Contains("packed for [7, 4, 3, 3]", message, StringComparison.Ordinal);
    }

    /// <summary>Planes whose tiling is special: very wide, of many images side by side, of blocks of channels, strided and dilated at once.</summary>
    private static AdderShape[] Planes { get; } =
    [
        new(1, 2, 3, 300, 5, 3, 3) { PaddingH = 1, PaddingW = 1 },
        new(37, 20, 4, 4, 9, 3, 3) { PaddingH = 1, PaddingW = 1 },
        new(17, 5, 7, 7, 6, 3, 3) { PaddingH = 1, PaddingW = 1 },
        new(2, 70, 32, 32, 4, 3, 3) { PaddingH = 1, PaddingW = 1 },
        new(2, 9, 31, 33, 7, 4, 5) { StrideH = 3, StrideW = 2, DilationH = 2, DilationW = 3, PaddingH = 3, PaddingW = 4 },
        new(1, 3, 20, 20, 200, 7, 7) { StrideH = 2, StrideW = 2, PaddingH = 3, PaddingW = 3 },
    ];

    private static void Equal(AdderShape shape, int seed, string width, InputRange range)
    {
        float[] x = Inputs(shape, seed, range), filters = Filters(shape, seed), actual = Layers.Random(shape.YLength, 5);
        PackedTaps taps = new(shape, filters, range, Enum.Parse<VectorWidth>(width));
        AdderKernel.Forward(shape, x, taps, actual);
        Layers.Close(Expected(shape, x, filters, out float[] magnitudes), actual, magnitudes, 1e-5, shape);
    }

    /// <summary>Filters as a trained network's: wider than the inputs, so that all three kinds of taps are among them.</summary>
    private static float[] Filters(AdderShape shape, int seed) => Layers.Random(shape.FiltersLength, ~seed, 3, 0.5);

    private static float[] Inputs(AdderShape shape, int seed, InputRange range) =>
        [.. Layers.Random(shape.XLength, seed).Select(v => Math.Clamp(v, range.Min, range.Max))];

    /// <summary>What the plain loops say, in planes, and what its error is measured by.</summary>
    private static float[] Expected(AdderShape shape, float[] x, float[] filters, out float[] magnitudes)
    {
        float[] channelsLast = Layers.ToChannelsLast(x, shape.C, shape.H * shape.W), y = new float[shape.YLength];
        ScalarReference.Forward(shape, channelsLast, filters, y);
        magnitudes = Layers.ToPlanes(Layers.Magnitudes(shape, channelsLast, filters), shape.O, shape.OutH * shape.OutW);
        return Layers.ToPlanes(y, shape.O, shape.OutH * shape.OutW);
    }
}
