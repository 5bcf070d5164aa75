namespace AdderNet.Bench;

/// <summary>Convolutions in ONNX Runtime: the peers of single adder layers.</summary>
internal static class OnnxConvolution
{
    /// <summary>An ordinary float32 Conv, planes in and out.</summary>
    public static OnnxPeer Float(LayerCase c, int threads)
    {
        float[] filters = new float[c.Shape.FiltersLength], x = new float[c.Shape.XLength];
        Fill(filters, r => r.NextSingle() - 0.5f);
        Fill(x, r => r.NextSingle());
        OnnxModel model = new();
        string y = model.Node("Conv", ["x", model.Weight<float>(filters, c.O, c.C, c.Kernel, c.Kernel)], Attributes(c));
        long[] shape = [c.Batch, c.C, c.H, c.W];
        return new OnnxPeer(model.ToBytes(("x", shape), y), threads, x, shape);
    }

    /// <summary>A QLinearConv: unsigned bytes in and out, signed filters with a scale for each channel.</summary>
    /// <param name="c">The layer.</param>
    /// <param name="threads">Threads it may use.</param>
    /// <param name="channelsLast">
    /// Whether input and output are channels-last, as ONNX Runtime keeps them between the layers of a network; planes cost it two
    /// transpositions.
    /// </param>
    public static OnnxPeer Bytes(LayerCase c, int threads, bool channelsLast)
    {
        byte[] x = new byte[c.Shape.XLength];
        sbyte[] filters = new sbyte[c.Shape.FiltersLength];
        Fill(x, r => (byte)r.Next(256));
        Fill(filters, r => (sbyte)r.Next(-128, 128));
        float[] scales = new float[c.O];
        Array.Fill(scales, 0.01f);
        OnnxModel model = new();
        string zero = model.Weight<byte>([0]);
        string[] inputs =
        [
            "x", model.Weight<float>([0.02f]), zero, model.Weight<sbyte>(filters, c.O, c.C, c.Kernel, c.Kernel), model.Weight<float>(scales, c.O),
            model.Weight<sbyte>(new sbyte[c.O], c.O), model.Weight<float>([0.05f]), zero, model.Weight<int>(new int[c.O], c.O),
        ];
        string y = channelsLast
            ? model.Node("QLinearConv", inputs, [.. Attributes(c), ("channels_last", 1L)], "com.microsoft")
            : model.Node("QLinearConv", inputs, Attributes(c));
        long[] shape = channelsLast ? [c.Batch, c.H, c.W, c.C] : [c.Batch, c.C, c.H, c.W];
        return new OnnxPeer(model.ToBytes(("x", shape), y, OnnxModel.Type.UInt8, OnnxModel.Type.UInt8), threads, x, shape);
    }

    private static (string, object)[] Attributes(LayerCase c) =>
    [
        ("kernel_shape", (long[])[c.Kernel, c.Kernel]), ("strides", (long[])[c.Stride, c.Stride]),
        ("pads", (long[])[c.Padding, c.Padding, c.Padding, c.Padding]),
    ];

    private static void Fill<T>(T[] values, Func<Random, T> next)
    {
        var random = new Random(1);
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = next(random);
        }
    }
}
