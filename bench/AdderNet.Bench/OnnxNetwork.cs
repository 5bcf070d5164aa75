using AdderNet.Graph;

namespace AdderNet.Bench;

/// <summary>
/// A CNN as ONNX Runtime is given it by somebody who wants it fast: BatchNorm folded into the convolutions; in float32, or in int8 with
/// QLinearConv, QLinearAdd and QLinearGlobalAveragePool, where a ReLU is the quantized range itself.
/// </summary>
internal static class OnnxNetwork
{
    private const string Microsoft = "com.microsoft";

    /// <summary>The float32 model for batches of a size.</summary>
    public static byte[] Float(NetworkGraph cnn, int batch) => Write(cnn, batch, quantized: false);

    /// <summary>The int8 model for batches of a size: float32 in and out, as the other. Its steps are made up; they don't matter for its speed.</summary>
    public static byte[] Int8(NetworkGraph cnn, int batch) => Write(cnn, batch, quantized: true);

    private static byte[] Write(NetworkGraph cnn, int batch, bool quantized)
    {
        NetworkGraph graph = cnn.Fuse();
        OnnxModel onnx = new();
        string step = quantized ? onnx.Weight<float>([0.02f]) : "", zero = quantized ? onnx.Weight<byte>([0]) : "", middle = quantized ? onnx.Weight<byte>([128]) : "";
        Dictionary<string, (string Value, string Zero)> values = [];
        foreach (GraphNode node in graph.Nodes)
        {
            (string Value, string Zero)[] x = [.. node.Inputs.Select(i => values[i])];
            values[node.Name] = node switch
            {
                InputNode => quantized ? (onnx.Node("QuantizeLinear", [node.Name, step, middle]), middle) : (node.Name, ""),
                ConvolutionNode convolution => quantized ? QuantizedConvolution(convolution, x) : (FloatConvolution(convolution, x), ""),
                MaxPoolNode pool => (onnx.Node("MaxPool", [x[0].Value], Attributes(pool.Window)), x[0].Zero),
                GlobalAveragePoolNode => quantized
                    ? (onnx.Node("QLinearGlobalAveragePool", [x[0].Value, step, x[0].Zero, step, x[0].Zero], [("channels_last", 0L)], Microsoft), x[0].Zero)
                    : (onnx.Node("GlobalAveragePool", [x[0].Value]), ""),
                FlattenNode => (onnx.Node("Flatten", [x[0].Value]), x[0].Zero),
                _ => throw new NotSupportedException($"The benchmarks' CNNs have no {node.GetType().Name}."),
            };
        }

        (string last, string lastZero) = values[graph.Outputs[0].Node];
        string output = quantized ? onnx.Node("DequantizeLinear", [last, step, lastZero]) : last;
        FeatureShape input = graph.Inputs[0].Shape;
        return onnx.ToBytes((graph.Inputs[0].Name, [batch, input.Channels, input.Height, input.Width]), output);

        string FloatConvolution(ConvolutionNode layer, (string Value, string Zero)[] x)
        {
            (float[] w, float[] b) = Folded(layer);
            string y = onnx.Node(
                "Conv", [x[0].Value, onnx.Weight<float>(w, layer.Filters.Shape), onnx.Weight<float>(b, layer.Shape.Channels)], Attributes(layer));
            y = layer.Epilogue?.AddsResidual == true ? onnx.Node("Add", [y, x[1].Value]) : y;
            return layer.Epilogue?.IsRelu == true ? onnx.Node("Relu", [y]) : y;
        }

        (string, string) QuantizedConvolution(ConvolutionNode layer, (string Value, string Zero)[] x)
        {
            (float[] w, float[] b) = Folded(layer);
            int channels = layer.Shape.Channels;
            float[] steps = [.. w.Chunk(layer.SumLength).Select(filter => Math.Max(filter.Max(Math.Abs), 1e-6f) / 127)];
            sbyte[] codes = [.. w.Select((v, i) => (sbyte)Math.Round(v / steps[i / layer.SumLength]))];
            int[] bias = [.. b.Select((v, o) => (int)Math.Round(v / (0.02 * steps[o])))];
            bool adds = layer.Epilogue?.AddsResidual == true, relu = layer.Epilogue?.IsRelu == true;
            string zeroOfSum = relu && !adds ? zero : middle;
            string y = onnx.Node(
                "QLinearConv",
                [
                    x[0].Value, step, x[0].Zero, onnx.Weight<sbyte>(codes, layer.Filters.Shape), onnx.Weight<float>(steps, channels),
                    onnx.Weight<sbyte>(new sbyte[channels], channels), step, zeroOfSum, onnx.Weight<int>(bias, channels),
                ],
                Attributes(layer));
            if (!adds)
            {
                return (y, zeroOfSum);
            }

            string zeroOfAll = relu ? zero : middle;
            return (onnx.Node("QLinearAdd", [y, step, zeroOfSum, x[1].Value, step, x[1].Zero, step, zeroOfAll], domain: Microsoft), zeroOfAll);
        }
    }

    private static (string, object)[] Attributes(ConvolutionNode layer) => [.. Attributes(layer.Window), ("group", (long)layer.Groups)];

    private static (string, object)[] Attributes(WindowGeometry w) =>
    [
        ("kernel_shape", new long[] { w.KernelH, w.KernelW }), ("strides", new long[] { w.StrideH, w.StrideW }),
        ("pads", new long[] { w.PaddingH, w.PaddingW, w.PaddingH, w.PaddingW }), ("dilations", new long[] { w.DilationH, w.DilationW }),
    ];

    private static (float[] Weights, float[] Bias) Folded(ConvolutionNode layer)
    {
        float[] w = layer.Filters.ToFloats(), bias = layer.Bias?.ToFloats() ?? new float[layer.Shape.Channels];
        float[]? mean = layer.Epilogue?.Mean?.ToFloats(), scale = layer.Epilogue?.Scale?.ToFloats(), shift = layer.Epilogue?.Shift?.ToFloats();
        return (
            [.. w.Select((v, i) => v * (scale?[i / layer.SumLength] ?? 1))],
            [.. bias.Select((b, o) => (b - (mean?[o] ?? 0)) * (scale?[o] ?? 1) + (shift?[o] ?? 0))]);
    }
}
