using CsCheck;

namespace AdderNet.Kernels.Tests;

public class ForwardTests
{
    private const double Tolerance = 1e-5;

    [Theory]
    [MemberData(nameof(Layers.Kernels), MemberType = typeof(Layers))]
    public void Rare_layers_equal_the_plain_loops(string kernel)
    {
        foreach (AdderShape shape in Layers.Rare)
        {
            Equal(shape, 1, kernel, 1, 0);
        }
    }

    [Theory]
    [MemberData(nameof(Layers.Kernels), MemberType = typeof(Layers))]
    public void Any_layer_equals_the_plain_loops(string kernel)
    {
        Gen.Select(Layers.Shapes, Gen.Int).Sample((shape, seed) => Equal(shape, seed, kernel, 1, 0), iter: 250);
    }

    [Theory]
    [MemberData(nameof(Layers.Kernels), MemberType = typeof(Layers))]
    public void Sums_that_nearly_cancel_stay_accurate(string kernel)
    {
        AdderShape shape = new(2, 300, 5, 5, 20, 3, 3) { PaddingH = 1, PaddingW = 1 };
        Equal(shape, 1, kernel, 0.01, 5);
        Equal(shape, 2, kernel, 1e-3, -2);
        Equal(shape with { KernelH = 1, KernelW = 1, PaddingH = 0, PaddingW = 0, C = 4100 }, 3, kernel, 0.01, 3);
    }

    private static void Equal(AdderShape shape, int seed, string kernel, double scale, double offset)
    {
        float[] x = Layers.Random(shape.XLength, seed, scale, offset), filters = Layers.Random(shape.FiltersLength, ~seed, scale, offset);
        float[] expected = new float[shape.YLength], actual = Layers.Random(shape.YLength, 5);
        ScalarReference.Forward(shape, x, filters, expected);
        Layers.Forward(kernel, shape, x, filters, actual);
        Layers.Close(expected, actual, Layers.Magnitudes(shape, x, filters), Tolerance, shape);
    }
}
