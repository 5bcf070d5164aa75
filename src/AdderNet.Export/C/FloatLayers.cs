using AdderNet.Checkpoints;
using AdderNet.Graph;

namespace AdderNet.Export.C;

/// <summary>
/// Float32 layers as C: row by row, with a sum for each channel of its own before it is added to the total, which rounds less.
/// </summary>
/// <param name="c">Where to.</param>
internal sealed class FloatLayers(CWriter c)
{
    public void Write(string name, CStep step)
    {
        var layer = (LayerNode)step.Node;
        CValue x = step.Inputs[0], y = step.Output;
        (WindowGeometry w, int groups) = layer is FilterNode walking ? (walking.Window, walking.Groups) : (new WindowGeometry(1, 1), 1);
        FeatureShape output = layer.Shape;
        int channels = x.Shape.Channels / groups, perGroup = output.Channels / groups;
        int start = x.Corner(x.BorderH - w.PaddingH, x.BorderW - w.PaddingW);
        c.Table($"{name}_weight", layer is BinaryConvolutionNode binary ? binary.BinaryFilters() : layer.Weights.ToFloats());
        string finish = Finish(name, layer);
        string residual = layer.Epilogue?.AddsResidual == true ? ", const float *r" : "";
        c.Function($"static void {name}(const float *x{residual}, float *y)", () =>
        {
            c.Line($"float part[{output.Width}], sum[{output.Width}];");
            IntegerLayers.Border(c, y);
            c.For("row", output.Height, () =>
            {
                c.Line($"const float *window = x + row * {w.StrideH * x.Pitch}{IntegerLayers.Plus(start)};");
                c.Line($"const float *weight = {name}_weight;");
                c.For("o", output.Channels, () =>
                {
                    Row("sum[col] = 0;");
                    c.For("c", channels, () =>
                    {
                        Row("part[col] = 0;");
                        c.For("i", w.KernelH, () => c.For("j", w.KernelW, () =>
                        {
                            string channel = groups == 1 ? "c" : $"(o / {perGroup} * {channels} + c)";
                            string tap = $"i * {w.DilationH * x.Pitch} + j{IntegerLayers.Times(w.DilationW)}";
                            c.Line($"const float *p = window + {channel} * {x.Plane} + {tap};");
                            c.Line("const float w = *weight++;");
                            string v = $"p[col{IntegerLayers.Times(w.StrideW)}]";
                            Row(layer is AdderNode ? $"part[col] -= {v} < w ? w - {v} : {v} - w;" : $"part[col] += {v} * w;");
                        }));
                        Row("sum[col] += part[col];");
                    });
                    c.For("col", output.Width, () =>
                    {
                        c.Line($"const float v = {finish}{(residual.Length == 0 ? "" : $" + r[{step.Inputs[1].At("o")}]")};");
                        c.Line($"y[{y.At("o")}] = {Clamp("v", layer.Epilogue?.Minimum, layer.Epilogue?.Maximum)};");
                    });
                });
            });
        });

        void Row(string line) => c.For("col", output.Width, () => c.Line(line));
    }

    /// <summary>v between two bounds, each where it is there.</summary>
    public static string Clamp(string v, float? minimum, float? maximum)
    {
        string below = maximum is { } high && !float.IsPositiveInfinity(high)
            ? $"{v} > {CWriter.Literal(high)} ? {CWriter.Literal(high)} : {v}"
            : v;
        return minimum is { } low && !float.IsNegativeInfinity(low)
            ? $"{v} < {CWriter.Literal(low)} ? {CWriter.Literal(low)} : {below}"
            : below;
    }

    private string Finish(string name, LayerNode layer)
    {
        string sum = "sum[col]";
        foreach ((string role, char sign, TensorData? tensor) in ((string, char, TensorData?)[])
            [
                ("bias", '+', layer.Bias), ("mean", '-', layer.Epilogue?.Mean), ("scale", '*', layer.Epilogue?.Scale),
                ("shift", '+', layer.Epilogue?.Shift),
            ])
        {
            if (tensor is not null)
            {
                c.Table($"{name}_{role}", tensor.ToFloats());
                sum = sign == '*' ? $"({sum}) * {name}_{role}[o]" : $"{sum} {sign} {name}_{role}[o]";
            }
        }

        return sum;
    }
}
