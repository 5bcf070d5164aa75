using AdderNet.Kernels;
using AdderNet.Kernels.Bytes;

namespace AdderNet.Bench;

/// <summary>One adder layer on bytes, codes in and codes out, against ONNX Runtime's convolutions of the same shape.</summary>
internal static class ByteSuite
{
    /// <summary>Rows at 8, 7 and 6 bits against the int8 convolution, and at 7 bits against the float32 one.</summary>
    public static IEnumerable<Row> Measure(LayerCase c, int threads, TimeSpan time)
    {
        using OnnxPeer planes = OnnxConvolution.Bytes(c, threads, channelsLast: false), channelsLast = OnnxConvolution.Bytes(c, threads, channelsLast: true);
        using OnnxPeer single = OnnxConvolution.Float(c, threads);
        int[] bits = [8, 7, 6];
        string kind = LayerFilters.Of(c).Kind;
        (Action Run, double Left)[] ours = [.. bits.Select(b => Ours(c, b))];
        double[] s = Interleaved.Medians(time, 7, [.. ours.Select(o => o.Run), planes.Run, channelsLast.Run, single.Run]);
        double peer = Math.Min(s[3], s[4]);
        for (int k = 0; k < bits.Length; k++)
        {
            yield return new Row($"bytes, {bits[k]} bits, against ONNX Runtime's int8 Conv", Describe(k), threads, s[k], peer, "s");
        }

        yield return new Row("bytes, 7 bits, against ONNX Runtime's float32 Conv", Describe(1), threads, s[1], s[5], "s");

        string Describe(int k) => $"{c} ({ours[k].Left:P0} of taps left, {kind}, {c.Terms / s[k] / 1e9:F0} G terms/s)";
    }

    /// <summary>A layer's call on bytes, and the share of its taps that are left.</summary>
    public static (Action Run, double Left) Ours(LayerCase c, int bits)
    {
        AdderShape shape = c.Shape;
        int top = (1 << bits) - 1;

        // Inputs and filters on one grid that ends at the largest input, as the quantizer makes it.
        float[] inputs = LayerFilters.Inputs(c);
        float step = inputs.Max() / top;
        byte[] filters = Codes(LayerFilters.Of(c).Values), x = Codes(inputs);
        double[] scale = new double[shape.O], shift = new double[shape.O];
        Array.Fill(scale, 0.1);
        Array.Fill(shift, 0.05 * top * shape.FilterLength);
        ByteLayer layer = new(shape, filters, bits, Requantization.FromScales(top, scale, shift));
        ByteLayout from = new(shape.C, shape.H, shape.W, 1), to = new(shape.O, shape.OutH, shape.OutW, 1);
        byte[] input = new byte[from.Length(shape.N)], output = new byte[to.Length(shape.N)];
        new BytePlanes(input, shape.N, from).CopyFrom(x);
        return (() => layer.Forward(new BytePlanes(input, shape.N, from), new BytePlanes(output, shape.N, to)), layer.Taps.Left);

        byte[] Codes(float[] values) => [.. values.Select(v => (byte)Math.Clamp(MathF.Round(v / step), 0, top))];
    }
}
