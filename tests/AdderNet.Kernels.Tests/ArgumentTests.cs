namespace AdderNet.Kernels.Tests;

public class ArgumentTests
{
    private static readonly AdderShape Shape = new(2, 4, 5, 5, 6, 3, 3);

    [Fact]
    public void A_span_of_the_wrong_length_is_named_with_both_lengths()
    {
        float[] x = new float[Shape.XLength], f = new float[Shape.FiltersLength], y = new float[Shape.YLength];
        Message("x", "holds 199 floats where the shape says 200", () => AdderKernel.Forward(Shape, x.AsSpan(1), f, y));
        Message("filters", "holds 215", () => AdderKernel.Forward(Shape, x, f.AsSpan(1), y));
        Message("y", "holds 107", () => AdderKernel.Forward(Shape, x, f, y.AsSpan(1)));
        Message("gradX", "holds 199", () => AdderKernel.InputGradient(Shape, x, f, y, x.AsSpan(1)));
        Message("gradFilters", "holds 215", () => AdderKernel.WeightGradient(Shape, x, f, y, f.AsSpan(1)));
        Message("gradFilters", "holds 215", () => AdderKernel.SignWeightGradient(Shape, x, f, y, f.AsSpan(1)));
        Message("filters", "holds 215", () => _ = new PackedFilters(Shape, f.AsSpan(1)));
        PackedFilters packed = new(Shape, f);
        Message("epilogue", "holds 5 floats where the shape says 6", () => AdderKernel.Forward(Shape, x, packed, y, new() { Scale = new float[5] }));
        Message("epilogue", "holds 6 floats where the shape says 108", () => AdderKernel.Forward(Shape, x, packed, y, new() { Residual = new float[6] }));
    }

    [Fact]
    public void Filters_packed_for_another_layer_are_refused()
    {
        PackedFilters packed = new(Shape with { O = 7 }, new float[7 * 36]);
        string message = Assert.Throws<ArgumentException>(
            () => AdderKernel.Forward(Shape, new float[Shape.XLength], packed, new float[Shape.YLength])).Message;
        Assert.Contains("packed for [7, 4, 3, 3]", message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_shape_that_cannot_be_computed_says_why()
    {
        Refused(Shape with { C = 0 }, "C is 0");
        Refused(Shape with { StrideW = -1 }, "StrideW is -1");
        Refused(Shape with { PaddingH = -1 }, "negative");
        Refused(Shape with { Groups = 4 }, "multiples of groups");
        Refused(Shape with { KernelH = 6 }, "larger than the padded input");
        Refused(Shape with { N = 1 << 30 }, "use a smaller batch");
    }

    [Fact]
    public void Fewer_threads_than_one_are_refused() =>
        Assert.Throws<ArgumentOutOfRangeException>(() => KernelThreads.Count = 0);

    private static void Refused(AdderShape shape, string part) =>
        Assert.Contains(part, Assert.Throws<ArgumentException>(() => AdderKernel.Forward(shape, [], [], [])).Message, StringComparison.Ordinal);

    private static void Message(string name, string part, Action call)
    {
        ArgumentException e = Assert.Throws<ArgumentException>(name, call);
        Assert.Contains(part, e.Message, StringComparison.Ordinal);
    }
}
