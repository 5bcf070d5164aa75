using AdderNet.Kernels.Bytes;

namespace AdderNet.Kernels.Tests.Bytes;

public class ByteArgumentTests
{
    private static readonly AdderShape Shape = new(1, 2, 4, 4, 3, 3, 3) { PaddingH = 1, PaddingW = 1 };

    [Fact]
    public void Bits_outside_4_to_8_and_codes_beyond_them_are_refused()
    {
        Assert.Contains("4 to 8 bits, not 3", Assert.Throws<ArgumentException>(() => new ByteLayer(Shape, new byte[54], 3)).Message);
        byte[] filters = new byte[54];
        filters[7] = 64;
        Assert.Contains("Filter code 7 is 64, but 6 bits hold 0 to 63", Assert.Throws<ArgumentException>(() => new ByteLayer(Shape, filters, 6)).Message);
        Assert.Throws<ArgumentException>(() => new ByteLayer(Shape, new byte[53], 8));
    }

    [Fact]
    public void Planes_of_other_sizes_or_without_room_for_the_padding_are_refused()
    {
        ByteLayer layer = new(Shape, new byte[54], 8);
        int[] y = new int[48];
        Assert.Contains("[2, 4, 4]", Assert.Throws<ArgumentException>(() => layer.Forward(BytePlanes.Allocate(1, new ByteLayout(2, 4, 5, 1)), y)).Message);
        Assert.Contains("border", Assert.Throws<ArgumentException>(() => layer.Forward(BytePlanes.Allocate(1, new ByteLayout(2, 4, 4, 0)), y)).Message);
        Assert.Throws<ArgumentException>(() => layer.Forward(default, y));
        Assert.Throws<ArgumentException>(() => layer.Forward(BytePlanes.Allocate(1, new ByteLayout(2, 4, 4, 1)), y.AsSpan(1)));
        Assert.Contains("bytes", Assert.Throws<ArgumentException>(() => new BytePlanes(new byte[99], 1, new ByteLayout(2, 4, 4, 1))).Message);
    }

    [Fact]
    public void Codes_need_a_requantization_that_says_whether_there_is_a_residual()
    {
        Requantization plain = Requantization.FromScales(255, [1, 1, 1], [0, 0, 0]), added = Requantization.FromScales(255, [1, 1, 1], [0, 0, 0], 1);
        Assert.Throws<InvalidOperationException>(() => new ByteLayer(Shape, new byte[54], 8).Forward(Planes(2), Planes(3)));
        Assert.Contains("none was given", Assert.Throws<ArgumentException>(() => new ByteLayer(Shape, new byte[54], 8, added).Forward(Planes(2), Planes(3))).Message);
        Assert.Throws<ArgumentException>(() => new ByteLayer(Shape, new byte[54], 8, plain).Forward(Planes(2), Planes(3), Planes(3)));
        Assert.Throws<ArgumentException>(() => new ByteLayer(Shape, new byte[54], 8, plain).Forward(Planes(2), Planes(2)));
        Assert.Throws<ArgumentException>(() => new ByteLayer(Shape, new byte[54], 8, Requantization.FromScales(255, [1], [0])));

        static BytePlanes Planes(int channels) => BytePlanes.Allocate(1, new ByteLayout(channels, 4, 4, 1));
    }

    [Fact]
    public void Scales_that_integers_cannot_hold_are_refused()
    {
        Assert.Throws<ArgumentException>(() => Requantization.FromScales(255, [double.NaN], [0]));
        Assert.Throws<ArgumentException>(() => Requantization.FromScales(255, [1e12], [0]));
        Assert.Throws<ArgumentException>(() => Requantization.FromScales(255, [1], [1e30]));
        Assert.Throws<ArgumentException>(() => Requantization.FromScales(0, [1], [1]));
        Assert.Throws<ArgumentException>(() => new Requantization(255, [1], [0], [0]));
    }

    [Fact]
    public void Scales_keep_the_digits_that_32_bits_hold()
    {
        Requantization r = Requantization.FromScales(127, [0.0123, -0.0123], [200.25, -3], 0.5);
        for (int y = -30000; y <= 0; y += 7)
        {
            Assert.Equal(Math.Clamp(y * 0.0123 + 200.25 + 20, 0, 127), r.Apply(0, y, 40), 0.501);
            Assert.Equal(Math.Clamp(y * -0.0123 - 3, 0, 127), r.Apply(1, y), 0.501);
        }
    }
}
