using AdderNet.Kernels.Bytes;
using CsCheck;

namespace AdderNet.Kernels.Tests.Bytes;

public class ByteForwardTests
{
    /// <summary>Bytes in a vector: every width, those that the processor must emulate too.</summary>
    public static TheoryData<int> Lanes => [16, 32, 64];

    [Theory]
    [MemberData(nameof(Lanes))]
    public void Sums_of_any_layer_at_any_bits_equal_the_plain_loop(int lanes)
    {
        ByteCase.Any(lanes).Sample(
            (shape, bits, seed, choice) =>
            {
                ByteCase c = new(shape, bits, seed);
                Assert.Equal(c.Sums, c.ActualSums(choice));
            },
            iter: 150);
    }

    [Theory]
    [MemberData(nameof(Lanes))]
    public void Codes_with_and_without_a_residual_equal_the_plain_loop_and_leave_the_border_alone(int lanes)
    {
        Gen.Select(ByteCase.Any(lanes), Gen.Bool).Sample(
            (any, residual) =>
            {
                ByteCase c = new(any.Shape, any.Bits, any.Seed, residual);
                Assert.Equal(c.ExpectedCodes(), c.ActualCodes(any.Choice));
            },
            iter: 150);
    }

    [Theory]
    [MemberData(nameof(Lanes))]
    public void Rare_layers_equal_the_plain_loop(int lanes)
    {
        foreach (AdderShape shape in Layers.Rare)
        {
            for (int bits = 4; bits <= 8; bits++)
            {
                ByteCase c = new(shape, bits, bits, residual: bits % 2 == 0);
                Assert.Equal(c.Sums, c.ActualSums(new ByteChoice(lanes, 1, 1, bits % 2 == 0)));
                Assert.Equal(c.ExpectedCodes(), c.ActualCodes(new ByteChoice(lanes, 1, shape.OutW > 100 ? 3 : 1, bits % 2 == 1)));
            }
        }
    }

    [Fact]
    public void Layers_as_the_kernel_chooses_to_run_them_equal_the_plain_loop()
    {
        Gen.Select(Layers.Shapes, Gen.Int[4, 8], Gen.Int, Gen.Int[1, 40]).Sample(
            (shape, bits, seed, images) =>
            {
                // Small images in larger batches stand side by side.
                AdderShape batch = shape with { N = shape.H * shape.W < 60 && shape.C * shape.O < 500 ? images : shape.N };
                ByteCase c = new(batch, bits, seed, residual: true);
                Assert.Equal(c.Sums, c.ActualSums(null));
                Assert.Equal(c.ExpectedCodes(), c.ActualCodes(null));
            },
            iter: 100);
    }

    [Theory]
    [MemberData(nameof(Lanes))]
    public void Sums_beyond_16_bits_spill(int lanes)
    {
        // All weights and inputs at the top: 300 channels of 9 taps reach 688,500, and 17 x 17 taps of one channel 73,695.
        AdderShape[] shapes = [new(1, 300, 4, 5, 3, 3, 3) { PaddingH = 1, PaddingW = 1 }, new(1, 2, 20, 19, 2, 17, 17) { PaddingW = 3 }, new(2, 9, 20, 19, 18, 17, 17) { Groups = 9 }];
        foreach (AdderShape shape in shapes)
        {
            for (int bits = 6; bits <= 8; bits++)
            {
                byte top = (byte)((1 << bits) - 1);
                byte[] filters = new byte[shape.FiltersLength], x = new byte[shape.XLength];
                Array.Fill(filters, top);
                filters[1] = 0;
                filters[^1] = (byte)(top / 2);
                Array.Fill(x, (byte)(top - 1));
                x[0] = top;
                int[] expected = new int[shape.YLength], actual = new int[shape.YLength];
                ByteReference.Forward(shape, x, filters, expected);
                BytePlanes planes = BytePlanes.Allocate(shape.N, new ByteLayout(shape.C, shape.H, shape.W, 3));
                planes.CopyFrom(x);
                new ByteLayer(shape, filters, bits).Forward(planes, actual, null, new ByteChoice(lanes, 1, 1, bits % 2 == 0));
                Assert.Equal(expected, actual);
            }
        }
    }

    [Fact]
    public void Floats_are_the_sums_on_a_scale()
    {
        ByteCase c = new(new AdderShape(2, 10, 5, 6, 7, 3, 3) { PaddingH = 1, PaddingW = 1 }, 7, 1);
        float[] scale = Layers.Random(7, 1), shift = Layers.Random(7, 2), y = new float[c.Shape.YLength];
        c.Layer().Forward(c.Input(), y, scale, shift);
        Assert.Equal(c.Sums.Select((s, k) => s * scale[k / 30 % 7] + shift[k / 30 % 7]), y);
    }

    [Fact]
    public void Taps_are_counted_by_what_they_cost()
    {
        ByteLayer layer = new(new AdderShape(1, 2, 3, 3, 1, 2, 2), [0, 1, 126, 127, 0, 0, 5, 127], 7);
        Assert.Equal(new TapCounts(3, 2, 3), layer.Taps);
        Assert.Equal(5 / 8.0, layer.Taps.Left);
    }

    [Fact]
    public void A_layer_serves_any_batch()
    {
        AdderShape shape = new(1, 6, 7, 7, 9, 3, 3) { PaddingH = 1, PaddingW = 1 };
        byte[] filters = new ByteCase(shape, 6, 5).Filters;
        ByteLayer layer = new(shape, filters, 6);
        foreach (int images in new[] { 1, 33, 2, 33, 70, 1 })
        {
            ByteCase c = new(shape with { N = images }, 6, images);
            int[] expected = new int[c.Shape.YLength], actual = new int[c.Shape.YLength];
            ByteReference.Forward(c.Shape, c.X, filters, expected);
            layer.Forward(c.Input(), actual);
            Assert.Equal(expected, actual);
        }
    }
}
