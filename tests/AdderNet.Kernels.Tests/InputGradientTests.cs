using CsCheck;

namespace AdderNet.Kernels.Tests;

public class InputGradientTests
{
    [Theory]
    [MemberData(nameof(Layers.Kernels), MemberType = typeof(Layers))]
    public void Rare_layers_equal_the_plain_loops(string kernel)
    {
        foreach (AdderShape shape in Layers.Rare)
        {
            Equal(shape, 1, kernel, 1, 1e-5);
        }
    }

    [Theory]
    [MemberData(nameof(Layers.Kernels), MemberType = typeof(Layers))]
    public void Any_layer_equals_the_plain_loops(string kernel)
    {
        Gen.Select(Layers.Shapes, Gen.Int).Sample((shape, seed) => Equal(shape, seed, kernel, 1, 1e-5), iter: 250);
    }

    [Theory]
    [MemberData(nameof(Layers.Kernels), MemberType = typeof(Layers))]
    public void Large_inputs_are_as_accurate_as_small_ones(string kernel)
    {
        AdderShape shape = new(2, 20, 5, 5, 30, 3, 3) { PaddingH = 1, PaddingW = 1 };
        Equal(shape, 1, kernel, 1e3, 1e-5);
        Equal(shape, 2, kernel, 1e10, 1e-5);
        Equal(shape with { C = 9, O = 7, StrideH = 2, StrideW = 2 }, 3, kernel, 30, 1e-5);
    }

    [Theory]
    [MemberData(nameof(Layers.Kernels), MemberType = typeof(Layers))]
    public void Filters_wider_than_the_inputs_equal_the_plain_loops(string kernel)
    {
        Gen.Select(Layers.Shapes, Gen.Int, Gen.Double[0.1, 5]).Sample((shape, seed, scale) => Equal(shape, seed, kernel, 1, 1e-5, scale), iter: 150);
    }

    /// <summary>The error is measured by the sum of |g| over the windows an input element is in: |HardTanh| is at most 1.</summary>
    private static void Equal(AdderShape shape, int seed, string kernel, double scale, double tolerance, double? filterScale = null)
    {
        float[] x = Layers.Random(shape.XLength, seed, scale), filters = Layers.Random(shape.FiltersLength, ~seed, filterScale ?? scale);
        float[] gradY = Layers.Random(shape.YLength, seed + 1);
        float[] expected = new float[shape.XLength], actual = Layers.Random(shape.XLength, 5), magnitudes = new float[shape.XLength];
        ScalarReference.InputGradient(shape, x, filters, gradY, expected);
        ScalarReference.InputGradient(
            shape, new float[shape.XLength], [.. filters.Select(_ => 1f)], [.. gradY.Select(MathF.Abs)], magnitudes);
        Layers.InputGradient(kernel, shape, x, filters, gradY, actual);
        Layers.Close(expected, actual, magnitudes, tolerance, shape);
    }
}
