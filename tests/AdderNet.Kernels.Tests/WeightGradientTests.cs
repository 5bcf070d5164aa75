using CsCheck;

namespace AdderNet.Kernels.Tests;

public class WeightGradientTests
{
    [Theory]
    [MemberData(nameof(Layers.Widths), MemberType = typeof(Layers))]
    public void Rare_layers_equal_the_plain_loops(string width)
    {
        foreach (AdderShape shape in Layers.Rare)
        {
            Equal(shape, 1, width, false);
            Equal(shape, 1, width, true);
        }
    }

    [Theory]
    [MemberData(nameof(Layers.Widths), MemberType = typeof(Layers))]
    public void Any_layers_full_precision_gradient_equals_the_plain_loops(string width)
    {
        Gen.Select(Layers.Shapes, Gen.Int).Sample((shape, seed) => Equal(shape, seed, width, false), iter: 250);
    }

    [Theory]
    [MemberData(nameof(Layers.Widths), MemberType = typeof(Layers))]
    public void Any_layers_sign_gradient_equals_the_plain_loops(string width)
    {
        Gen.Select(Layers.Shapes, Gen.Int).Sample((shape, seed) => Equal(shape, seed, width, true), iter: 250);
    }

    [Fact]
    public void The_sign_of_no_difference_is_zero()
    {
        AdderShape shape = new(1, 1, 2, 2, 1, 1, 1);
        float[] gradFilters = new float[1];
        AdderKernel.SignWeightGradient(shape, [1, 2, 3, 2], [2], [1, 10, 100, 1000], gradFilters);
        Assert.Equal([99], gradFilters);
    }

    /// <summary>The error is measured by the sum of |g| (|X| + |F|), or of |g|, which bounds the gradient.</summary>
    private static void Equal(AdderShape shape, int seed, string width, bool sign)
    {
        float[] x = Layers.Random(shape.XLength, seed), filters = Layers.Random(shape.FiltersLength, ~seed), gradY = Layers.Random(shape.YLength, seed + 1);
        float[] expected = new float[shape.FiltersLength], actual = Layers.Random(shape.FiltersLength, 5), magnitudes = new float[shape.FiltersLength];
        ScalarReference.WeightGradient(shape, x, filters, gradY, expected, sign);
        ScalarReference.WeightGradient(
            shape, [.. x.Select(v => sign ? 0 : MathF.Abs(v))], [.. filters.Select(v => sign ? -1 : -MathF.Abs(v))], [.. gradY.Select(MathF.Abs)], magnitudes, false);
        AdderKernel.WeightGradient(shape, x, filters, gradY, actual, sign, Enum.Parse<VectorWidth>(width));
        Layers.Close(expected, actual, magnitudes, 1e-5, shape);
    }
}
