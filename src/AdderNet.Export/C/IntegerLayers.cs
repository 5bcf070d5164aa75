using AdderNet.Graph;

namespace AdderNet.Export.C;

/// <summary>Quantized layers as C: row by row, so that the inner loop is a row of pixels with a fixed bound.</summary>
/// <param name="c">Where to.</param>
/// <param name="dense">Whether adder layers go over all taps rather than lists of those that need work.</param>
internal sealed class IntegerLayers(CWriter c, bool dense)
{
    /// <summary>A function in C that every quantized network has.</summary>
    public static void Common(CWriter c)
    {
        c.Line("/* The code of a sum: v / 2^shift, rounded down, between 0 and top. Halves are in v, so that they round up. */");
        c.Function("static int32_t code(int64_t v, int shift, int32_t top)", () =>
        {
            c.Line("if (v < 0)");
            c.Line("    return 0;");
            c.Line("v >>= shift;");
            c.Line("return v < top ? (int32_t)v : top;");
        });
    }

    public void Write(string name, CStep step)
    {
        var layer = (QuantizedLayerNode)step.Node;
        CValue x = step.Inputs[0], y = step.Output;
        bool lists = layer is QuantizedAdderNode && !dense;
        int[] weights = layer.Filters.ToInt32s();
        WindowGeometry w = layer.Window;
        FeatureShape output = layer.Shape;
        int perGroup = output.Channels / layer.Groups, channels = x.Shape.Channels / layer.Groups;
        // Where the window of the first output element starts in a plane.
        int start = x.Corner(x.BorderH - w.PaddingH, x.BorderW - w.PaddingW);
        int rowStep = w.StrideH * x.Pitch;
        Tables(name, layer, weights, lists);
        if (lists)
        {
            TapLists(name, layer, weights, x);
        }
        else
        {
            c.Table(layer is QuantizedAdderNode ? CType.Byte : new CType("int8_t", 1), $"{name}_weight", [.. weights.Select(v => (long)v)]);
        }

        string residual = layer.Epilogue.AddsResidual ? $", const {step.Inputs[1].Type.Name} *r" : "";
        c.Function($"static void {name}(const {x.Type.Name} *x{residual}, {y.Type.Name} *y)", () =>
        {
            c.Line(lists ? $"int32_t box[{output.Width}], sum[{output.Width}];" : $"int32_t sum[{output.Width}];");
            Border(c, y);
            c.For("row", output.Height, () =>
            {
                c.Line($"const {x.Type.Name} *window = x + row * {rowStep}{Plus(start)};");
                if (lists)
                {
                    c.Line($"const {OffsetType(x).Name} *offset = {name}_taps;");
                    c.Line($"const uint8_t *weight = {name}_weight;");
                    c.For("g", layer.Groups, () =>
                    {
                        BoxSums();
                        c.For("o", perGroup, () =>
                        {
                            c.Line($"const int32_t filter = g * {perGroup} + o;");
                            Listed();
                            Codes("filter", "2 * sum[col] - box[col]");
                        });
                    });
                }
                else
                {
                    c.Line($"const {(layer is QuantizedAdderNode ? "uint8_t" : "int8_t")} *weight = {name}_weight;");
                    c.For("filter", output.Channels, () =>
                    {
                        Dense();
                        Codes("filter", layer is QuantizedAdderNode ? "-sum[col]" : "sum[col]");
                    });
                }
            });
        });

        void BoxSums()
        {
            Clear("box");
            WindowLoops("g", () => c.For("col", output.Width, () => c.Line($"box[col] += p[{Column()}];")));
        }

        void Listed()
        {
            Clear("sum");
            c.For("t", $"{name}_plain[filter]", () =>
            {
                c.Line($"const {x.Type.Name} *p = window + *offset++;");
                c.For("col", output.Width, () => c.Line($"sum[col] += p[{Column()}];"));
            });
            c.For("t", $"{name}_compared[filter]", () =>
            {
                c.Line($"const {x.Type.Name} *p = window + *offset++;");
                c.Line("const int32_t w = *weight++;");
                c.For("col", output.Width, () => c.Line($"sum[col] += p[{Column()}] < w ? p[{Column()}] : w;"));
            });
        }

        void Dense()
        {
            Clear("sum");
            WindowLoops(layer.Groups == 1 ? "" : $"filter / {perGroup}", () =>
            {
                c.Line("const int32_t w = *weight++;");
                c.For("col", output.Width, () =>
                {
                    string v = $"p[{Column()}]";
                    string zero = layer.InputGrid.Zero == 0 ? v : $"((int32_t){v} - {layer.InputGrid.Zero})";
                    c.Line(layer is QuantizedAdderNode ? $"sum[col] += {v} < w ? w - {v} : {v} - w;" : $"sum[col] += {zero} * w;");
                });
            });
        }

        void WindowLoops(string group, Action body) => c.For("c", channels, () => c.For("i", w.KernelH, () => c.For("j", w.KernelW, () =>
        {
            string channel = layer.Groups == 1 ? "c" : $"({group} * {channels} + c)";
            c.Line($"const {x.Type.Name} *p = window + {channel} * {x.Plane} + i * {w.DilationH * x.Pitch} + j{Times(w.DilationW)};");
            body();
        })));

        void Clear(string array) => c.For("col", output.Width, () => c.Line($"{array}[col] = 0;"));

        string Column() => $"col{Times(w.StrideW)}";

        void Codes(string filter, string sum) => c.For("col", output.Width, () =>
        {
            string v = $"(int64_t)({sum}) * {name}_multiplier[{filter}] + {name}_offset[{filter}]";
            if (layer.Epilogue.AddsResidual)
            {
                v += $" + (int64_t)r[{step.Inputs[1].At(filter)}] * {name}_residual[{filter}]";
            }

            c.Line($"y[{y.At(filter)}] = ({y.Type.Name})code({v}, {name}_shift[{filter}], {layer.Grid!.Top});");
        });
    }

    /// <summary>Fills a value with its border's code before its elements are written, if it has a border.</summary>
    public static void Border(CWriter c, CValue y)
    {
        if (y.HasBorder)
        {
            c.For("k", y.Length, () => c.Line($"y[k] = {y.Zero};"));
        }
    }

    private void Tables(string name, QuantizedLayerNode layer, int[] weights, bool lists)
    {
        int[] multiplier = layer.Epilogue.Multiplier.ToInt32s(), shift = layer.Epilogue.Shift.ToInt32s();
        long[] offset = layer.Epilogue.RoundingOffsets();
        for (int o = 0; o < offset.Length; o++)
        {
            // What the lists leave out is the same for every window: the sum of the filter.
            long left = lists ? weights.AsSpan(o * layer.SumLength, layer.SumLength).ToArray().Sum(v => (long)v) : 0;
            offset[o] = checked(offset[o] - left * multiplier[o]);
        }

        c.Table(CType.Int, $"{name}_multiplier", [.. multiplier.Select(v => (long)v)]);
        c.Table(new CType("int64_t", 8), $"{name}_offset", offset);
        c.Table(CType.Byte, $"{name}_shift", [.. shift.Select(v => (long)v)]);
        if (layer.Epilogue.ResidualMultiplier is { } residual)
        {
            c.Table(CType.Int, $"{name}_residual", [.. residual.ToInt32s().Select(v => (long)v)]);
        }
    }

    private void TapLists(string name, QuantizedLayerNode layer, int[] weights, CValue x)
    {
        WindowGeometry w = layer.Window;
        int channels = x.Shape.Channels / layer.Groups, perGroup = layer.Shape.Channels / layer.Groups, top = layer.InputGrid.Top;
        List<long> taps = [], codes = [], plain = [], compared = [];
        for (int o = 0; o < layer.Shape.Channels; o++)
        {
            List<(long At, int Code)> filter = [];
            for (int k = 0; k < layer.SumLength; k++)
            {
                int channel = k / (w.KernelH * w.KernelW), i = k / w.KernelW % w.KernelH, j = k % w.KernelW;
                filter.Add((
                    (long)(o / perGroup * channels + channel) * x.Plane + i * w.DilationH * x.Pitch + j * w.DilationW,
                    weights[o * layer.SumLength + k]));
            }

            var sums = filter.Where(tap => tap.Code == top).ToList();
            var minima = filter.Where(tap => tap.Code > 0 && tap.Code < top).ToList();
            taps.AddRange(sums.Concat(minima).Select(tap => tap.At));
            codes.AddRange(minima.Select(tap => (long)tap.Code));
            plain.Add(sums.Count);
            compared.Add(minima.Count);
        }

        CType counts = layer.SumLength < 65536 ? CType.Short : CType.Int;
        c.Table(counts, $"{name}_plain", plain);
        c.Table(counts, $"{name}_compared", compared);
        c.Table(OffsetType(x), $"{name}_taps", taps);
        c.Table(CType.Byte, $"{name}_weight", codes);
    }

    private static CType OffsetType(CValue x) => x.Length <= 65536 ? CType.Short : CType.Int;

    internal static string Times(int factor) => factor == 1 ? "" : $" * {CWriter.Invariant(factor)}";

    internal static string Plus(int summand) => summand == 0 ? "" : $" + {CWriter.Invariant(summand)}";
}
