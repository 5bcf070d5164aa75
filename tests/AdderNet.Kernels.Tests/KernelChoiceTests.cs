namespace AdderNet.Kernels.Tests;

public class KernelChoiceTests
{
    [Fact]
    public void Every_name_of_the_list_and_either_half_of_it_is_understood()
    {
        foreach (VectorWidth width in Enum.GetValues<VectorWidth>())
            foreach (LayerKernel kernel in Enum.GetValues<LayerKernel>())
            {
                Assert.Equal((width, kernel), KernelChoice.Parse(KernelChoice.Name(width, kernel)));
                Assert.Equal((width, null), KernelChoice.Parse(width.ToString()));
                Assert.Equal((null, kernel), KernelChoice.Parse(kernel.ToString()));
            }

        Assert.Equal((null, null), KernelChoice.Parse(null));
        Assert.Equal((null, null), KernelChoice.Parse(""));
    }

    [Theory]
    [InlineData("avx")]
    [InlineData("8")]
    [InlineData("planes-planes")]
    [InlineData("vector256,planes")]
    public void An_unknown_name_is_refused_with_what_there_is(string value)
    {
        string message = Assert.Throws<KernelChoiceException>(() => KernelChoice.Parse(value)).Message;
        Assert.Contains($"ADDERNET_KERNEL is '{value}'", message, StringComparison.Ordinal);
        Assert.Contains("vector128", message, StringComparison.Ordinal);
    }

    [Fact]
    public unsafe void Planes_are_chosen_for_many_filters_behind_a_ReLU_and_not_where_inputs_may_be_negative_or_little_can_be_skipped()
    {
        Assert.SkipWhen(KernelChoice.Forced.Kernel is not null, "ADDERNET_KERNEL names the kernel.");
        AdderShape shape = new(16, 16, 16, 16, 96, 3, 3) { PaddingH = 1, PaddingW = 1 };
        float[] x = [.. Layers.Random(shape.XLength, 1).Select(v => Math.Max(v, 0))], filters = Layers.Random(shape.FiltersLength, 2, 3);
        Assert.Equal(LayerKernel.Planes, Choose(shape, x, filters));
        Assert.Equal(LayerKernel.Dense, Choose(shape with { N = 1 }, x, filters));
        Assert.Equal(LayerKernel.Dense, Choose(shape with { O = 16 }, x, filters));
        Assert.Equal(LayerKernel.Dense, Choose(shape, Layers.Random(shape.XLength, 1), filters));
        Assert.Equal(LayerKernel.Dense, Choose(shape, x, [.. filters.Select(MathF.Abs)]));

        static LayerKernel Choose(AdderShape shape, float[] x, float[] filters)
        {
            fixed (float* px = x, pf = filters)
            {
                return KernelChoice.Forward(shape, px, pf);
            }
        }
    }
}
