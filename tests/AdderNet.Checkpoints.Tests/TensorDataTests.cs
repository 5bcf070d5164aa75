namespace AdderNet.Checkpoints.Tests;

public class TensorDataTests
{
    [Theory]
    [InlineData(new long[] { 2, 3 }, 24, true)]
    [InlineData(new long[0], 4, true)]
    [InlineData(new long[] { 0, 5 }, 0, true)]
    [InlineData(new long[] { 2, 3 }, 23, false)]
    [InlineData(new long[] { 2, 3 }, 28, false)]
    [InlineData(new long[] { -1, -6 }, 24, false)]
    [InlineData(new long[] { 0, -1 }, 0, false)]
    [InlineData(new long[] { 1L << 32, 1L << 32 }, 0, false)]
    public void Bytes_must_be_as_many_as_the_shape_asks_for(long[] shape, int bytes, bool fits)
    {
        Exception? e = Record.Exception(() => new TensorData(TensorDtype.F32, shape, new byte[bytes]));
        Assert.Equal(fits, e is null);
        Assert.True(e is null or ArgumentException);
    }

    [Fact]
    public void Half_precisions_widen_exactly()
    {
        Half[] halves = [(Half)1.5f, Half.Epsilon, Half.NegativeInfinity];
        byte[] bytes = [.. halves.SelectMany(BitConverter.GetBytes)];
        Assert.Equal([1.5f, 5.9604645E-08f, float.NegativeInfinity], new TensorData(TensorDtype.F16, [3], bytes).ToFloats());
        byte[] brain = [0x20, 0xc0, 0x80, 0x7f];
        Assert.Equal([-2.5f, float.PositiveInfinity], new TensorData(TensorDtype.BF16, [2], brain).ToFloats());
    }
}
