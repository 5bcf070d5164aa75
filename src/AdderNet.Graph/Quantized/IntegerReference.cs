namespace AdderNet.Graph;

/// <summary>
/// The quantized nodes as plain loops over integers: the truth that engine and exports must equal bit for bit. Codes have at most 24
/// bits, so that float32 holds them exactly between nodes.
/// </summary>
internal static class IntegerReference
{
    public static float[]? TryCompute(GraphNode node, float[][] x, FeatureShape[] shapes) => node switch
    {
        QuantizeNode quantize => Array.ConvertAll(x[0], v => (float)quantize.Grid!.Code(v)),
        DequantizeNode dequantize => Array.ConvertAll(x[0], code => (float)dequantize.InputGrid.Value((int)code)),
        RequantizeNode r => Array.ConvertAll(x[0], code => (float)IntegerEpilogue.Code((int)code, r.Multiplier, r.Offset, r.Shift, r.Grid!.Top)),
        QuantizedAddNode add =>
        [
            .. x[0].Select((_, i) => (float)IntegerEpilogue.Code(
                0, 0, add.Offset, add.Shift, add.Grid!.Top, add.Multipliers.Select((multiplier, n) => (long)x[n][i] * multiplier).Sum())),
        ],
        GlobalSumNode => [.. x[0].Chunk(shapes[0].Pixels).Select(plane => (float)plane.Sum(code => (int)code))],
        QuantizedAdderNode adder => Codes(adder, x, shapes[0], (sum, code, w) => sum - Math.Abs(code - w)),
        QuantizedConvolutionNode layer => Codes(layer, x, shapes[0], (sum, code, w) => sum + (code - layer.InputGrid.Zero) * w),
        _ => null,
    };

    private static float[] Codes(QuantizedLayerNode layer, float[][] x, FeatureShape input, Func<int, int, int, int> add)
    {
        WindowGeometry w = layer.Window;
        FeatureShape output = layer.Shape;
        int[] filters = layer.Filters.ToInt32s(), multiplier = layer.Epilogue.Multiplier.ToInt32s(), shift = layer.Epilogue.Shift.ToInt32s();
        int[]? residualMultiplier = layer.Epilogue.ResidualMultiplier?.ToInt32s();
        long[] offset = layer.Epilogue.Offset.ToInt64s();
        int channels = input.Channels / layer.Groups, perGroup = output.Channels / layer.Groups;
        float[] codes = new float[output.Count];
        for (int at = 0; at < codes.Length; at++)
        {
            int o = at / output.Pixels, row = at / output.Width % output.Height, column = at % output.Width;
            int sum = 0, k = o * layer.SumLength;
            for (int c = o / perGroup * channels; c < (o / perGroup + 1) * channels; c++)
            {
                for (int i = 0; i < w.KernelH; i++)
                {
                    for (int j = 0; j < w.KernelW; j++, k++)
                    {
                        int r = row * w.StrideH - w.PaddingH + i * w.DilationH, s = column * w.StrideW - w.PaddingW + j * w.DilationW;
                        bool inside = (uint)r < (uint)input.Height && (uint)s < (uint)input.Width;
                        int code = inside ? (int)x[0][(c * input.Height + r) * input.Width + s] : layer.InputGrid.Zero;
                        sum = checked(add(sum, code, filters[k]));
                    }
                }
            }

            long residual = residualMultiplier is null ? 0 : (long)x[1][at] * residualMultiplier[o];
            codes[at] = IntegerEpilogue.Code(sum, multiplier[o], offset[o], shift[o], layer.Grid!.Top, residual);
        }

        return codes;
    }
}
