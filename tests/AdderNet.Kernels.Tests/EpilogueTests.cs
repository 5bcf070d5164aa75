using CsCheck;

namespace AdderNet.Kernels.Tests;

public class EpilogueTests
{
    [Theory]
    [MemberData(nameof(Layers.Widths), MemberType = typeof(Layers))]
    public void Packed_filters_with_mean_scale_shift_residual_and_relu_equal_the_steps_one_by_one(string width)
    {
        Gen.Select(Layers.Shapes, Gen.Int, Gen.Int[0, 31]).Sample(
            (shape, seed, parts) =>
            {
                float[] x = Layers.Random(shape.XLength, seed), filters = Layers.Random(shape.FiltersLength, ~seed);
                float[] scale = (parts & 1) == 0 ? [] : Layers.Random(shape.O, 1), shift = (parts & 2) == 0 ? [] : Layers.Random(shape.O, 2);
                float[] residual = (parts & 4) == 0 ? [] : Layers.Random(shape.YLength, 3);
                float[] mean = (parts & 16) == 0 ? [] : Layers.Random(shape.O, 4);
                bool relu = (parts & 8) != 0;
                VectorWidth w = Enum.Parse<VectorWidth>(width);
                float[] expected = new float[shape.YLength], actual = new float[shape.YLength], unpacked = new float[shape.YLength];
                PackedFilters packed = new(shape, filters, w);
                AdderKernel.Forward(shape, x, packed, expected);
                AdderKernel.Forward(shape, x, filters, unpacked, w);
                if (KernelChoice.Forced.Kernel is LayerKernel.Planes)
                {
                    // It sums in another order.
                    Assert.All(expected.Zip(unpacked), y => Assert.InRange(Math.Abs(y.First - y.Second), 0, 1e-5 * Math.Max(1, Math.Abs(y.First))));
                }
                else
                {
                    Assert.Equal(expected, unpacked);
                }

                for (int i = 0; i < expected.Length; i++)
                {
                    float y = (expected[i] - (mean.Length == 0 ? 0 : mean[i % shape.O])) * (scale.Length == 0 ? 1 : scale[i % shape.O]);
                    y += shift.Length == 0 ? 0 : shift[i % shape.O];
                    y += residual.Length == 0 ? 0 : residual[i];
                    expected[i] = relu ? Math.Max(y, 0) : y;
                }

                AdderEpilogue epilogue = new() { Mean = mean, Scale = scale, Shift = shift, Residual = residual, Relu = relu };
                AdderKernel.Forward(shape, x, packed, actual, epilogue);
                Assert.Equal(expected, actual);
            },
            iter: 100);
    }

    [Fact]
    public void Relu_keeps_NaN()
    {
        AdderShape shape = new(1, 1, 1, 3, 1, 1, 1);
        float[] y = new float[3];
        AdderKernel.Forward(shape, [float.NaN, 1, 4], new PackedFilters(shape, [2]), y, new() { Scale = [-1], Relu = true });
        Assert.Equal([float.NaN, 1, 2], y);
    }

    [Fact]
    public void Updated_filters_take_the_place_of_the_old_ones()
    {
        AdderShape shape = new(1, 1, 1, 1, 2, 1, 1);
        PackedFilters packed = new(shape, [1, 2]);
        packed.Update([3, 5]);
        float[] y = new float[2];
        AdderKernel.Forward(shape, [1], packed, y);
        Assert.Equal([-2, -4], y);
    }
}
