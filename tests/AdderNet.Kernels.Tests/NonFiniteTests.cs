using CsCheck;

namespace AdderNet.Kernels.Tests;

/// <summary>NaN and infinity come out of the kernels exactly where the plain formulas bring them out.</summary>
public class NonFiniteTests
{
    private static readonly float[] Values = [float.NaN, -float.NaN, float.PositiveInfinity, float.NegativeInfinity, 3e38f, -3e38f, 1e30f];

    [Theory]
    [MemberData(nameof(Layers.Kernels), MemberType = typeof(Layers))]
    public void Special_values_spread_through_the_forward_pass_as_in_the_formula(string kernel)
    {
        Gen.Select(Layers.Shapes, Gen.Int).Sample(
            (shape, seed) =>
            {
                float[] x = Spoiled(shape.XLength, seed), filters = Spoiled(shape.FiltersLength, ~seed);
                float[] expected = new float[shape.YLength], actual = new float[shape.YLength];
                ScalarReference.Forward(shape, x, filters, expected);
                Layers.Forward(kernel, shape, x, filters, actual);
                Layers.Close(expected, actual, Layers.Magnitudes(shape, x, filters), 1e-5, shape);
            },
            iter: 150);
    }

    [Theory]
    [MemberData(nameof(Layers.Kernels), MemberType = typeof(Layers))]
    public void Special_values_spread_through_the_input_gradient_as_in_the_formula(string kernel)
    {
        Gen.Select(Layers.Shapes, Gen.Int).Sample(
            (shape, seed) =>
            {
                float[] x = Spoiled(shape.XLength, seed), filters = Spoiled(shape.FiltersLength, ~seed), gradY = Spoiled(shape.YLength, seed + 1, 4);
                float[] expected = new float[shape.XLength], actual = new float[shape.XLength], magnitudes = new float[shape.XLength];
                ScalarReference.InputGradient(shape, x, filters, gradY, expected);
                ScalarReference.InputGradient(
                    shape, new float[shape.XLength], [.. filters.Select(_ => 1f)], [.. gradY.Select(MathF.Abs)], magnitudes);
                Layers.InputGradient(kernel, shape, x, filters, gradY, actual);
                Layers.Close(expected, actual, magnitudes, 1e-5, shape);
            },
            iter: 150);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void NaN_and_infinity_spread_through_the_filters_gradients_as_in_the_formula(bool sign)
    {
        Gen.Select(Layers.Shapes, Gen.Int).Sample(
            (shape, seed) =>
            {
                float[] x = Spoiled(shape.XLength, seed, 4), filters = Spoiled(shape.FiltersLength, ~seed, 4), gradY = Spoiled(shape.YLength, seed + 1, 4);
                float[] expected = new float[shape.FiltersLength], actual = new float[shape.FiltersLength];
                ScalarReference.WeightGradient(shape, x, filters, gradY, expected, sign);
                AdderKernel.WeightGradient(shape, x, filters, gradY, actual, sign, null);
                Assert.Equal(expected.Select(float.IsNaN), actual.Select(float.IsNaN));
                Assert.Equal(expected.Select(float.IsPositiveInfinity), actual.Select(float.IsPositiveInfinity));
                Assert.Equal(expected.Select(float.IsNegativeInfinity), actual.Select(float.IsNegativeInfinity));
            },
            iter: 150);
    }

    /// <summary>Ordinary values with some special ones among them: none in one array of three, one or a tenth in the others.</summary>
    internal static float[] Spoiled(int count, int seed, int kinds = 7)
    {
        float[] values = Layers.Random(count, seed);
        Random random = new(seed);
        int spoiled = random.Next(3) switch { 0 => 0, 1 => 1, _ => count / 10 };
        for (int i = 0; i < spoiled; i++)
        {
            values[random.Next(count)] = Values[random.Next(kinds)];
        }

        return values;
    }
}
