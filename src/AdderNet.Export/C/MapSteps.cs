using AdderNet.Graph;

namespace AdderNet.Export.C;

/// <summary>Everything but layers as C: element by element, pooling, and what only arranges; of codes and of values alike.</summary>
/// <param name="c">Where to.</param>
internal sealed class MapSteps(CWriter c)
{
    /// <summary>Writes the tables and the function of a step.</summary>
    /// <exception cref="GraphException">There is no C for such a node.</exception>
    public void Write(string name, CStep step)
    {
        Action body = Body(name, step);
        string parameters = string.Join(", ", step.Inputs.Select((x, i) => $"const {x.Type.Name} *{Parameter(step, i)}"));
        c.Function($"static void {name}({parameters}, {step.Output.Type.Name} *y)", () =>
        {
            IntegerLayers.Border(c, step.Output);
            body();
        });
    }

    private static string Parameter(CStep step, int i) => step.Inputs.Count == 1 ? "x" : $"x{CWriter.Invariant(i)}";

    /// <summary>Writes what the function needs before it and gives what stands in it.</summary>
    private Action Body(string name, CStep step)
    {
        CValue x = step.Inputs[0], y = step.Output;
        switch (step.Node)
        {
            case BinaryConvolutionNode { Rule: BinarizationRule.XnorNet }:
                return Each($"x[{x.At()}] >= 0 ? 1.0f : -1.0f");
            case BinaryConvolutionNode:
                return Each($"x[{x.At()}] > 0.5f ? 1.0f : 0.0f");
            case BatchNormNode norm:
                Epilogue e = norm.ToEpilogue();
                c.Table($"{name}_mean", e.Mean!.ToFloats());
                c.Table($"{name}_scale", e.Scale!.ToFloats());
                if (e.Shift is not null)
                {
                    c.Table($"{name}_shift", e.Shift.ToFloats());
                }

                return Each($"(x[{x.At()}] - {name}_mean[c]) * {name}_scale[c]{(e.Shift is null ? "" : $" + {name}_shift[c]")}");
            case ReluNode:
                return Each(FloatLayers.Clamp($"x[{x.At()}]", 0, null));
            case HardTanhNode clip:
                return Each(FloatLayers.Clamp($"x[{x.At()}]", clip.Minimum, clip.Maximum));
            case SigmoidNode:
                return Each($"sigmoid(x[{x.At()}])");
            case AddNode:
                return Each(string.Join(" + ", step.Inputs.Select((input, i) => $"{Parameter(step, i)}[{input.At()}]")));
            case MultiplyNode:
                CValue factor = step.Inputs[1];
                return Each($"x0[{x.At()}] * x1[{(factor.Shape.Pixels == 1 ? factor.At("c", "0", "0") : factor.At())}]");
            case RequantizeNode r:
                string half = CWriter.Invariant(r.RoundingOffset);
                string v = $"(int64_t)x[{x.At()}] * {CWriter.Invariant(r.Multiplier)}LL + {half}LL";
                return Each($"({y.Type.Name})code({v}, {r.Shift}, {r.Grid!.Top})");
            case GlobalSumNode:
                return () => Plane(x, "int32_t sum = 0;", value => $"sum += {value};", $"y[{y.At("c", "0", "0")}] = ({y.Type.Name})sum;");
            case GlobalAveragePoolNode:
                string mean = $"y[{y.At("c", "0", "0")}] = sum / {CWriter.Literal(x.Shape.Pixels)};";
                return () => Plane(x, "float sum = 0;", value => $"sum += {value};", mean);
            case MaxPoolNode pool:
                string smallest = x.Type.IsFloat ? "-3.402823466e+38f" : "0";
                string best = $"{x.Type.Name} best = {smallest};";
                return () => Windows(pool.Window, step, best, value => $"best = {value} > best ? {value} : best;", "best");
            case AveragePoolNode pool:
                bool counts = pool.CountsPadding || pool.Window is { PaddingH: 0, PaddingW: 0 };
                return () => Windows(
                    pool.Window, step, counts ? "float sum = 0;" : "float sum = 0, inside = 0;",
                    value => counts ? $"sum += {value};" : $"sum += {value}, inside += 1.0f;",
                    counts ? $"sum / {CWriter.Literal(pool.Window.KernelH * pool.Window.KernelW)}" : "sum / inside");
            case ConcatenateNode:
                return () => Concatenate(step);
            case FlattenNode:
                return () => c.Elements(x.Shape, () => c.Line(
                    $"y[c * {x.Shape.Pixels} + row * {x.Shape.Width} + col] = x[{x.At()}];"));
            case ChannelShuffleNode shuffle:
                return Each($"x[{x.At($"c % {shuffle.Groups} * {x.Shape.Channels / shuffle.Groups} + c / {shuffle.Groups}")}]");
            case SelectChannelsNode select:
                c.Table(CType.Int, $"{name}_channels", [.. select.Channels.Select(v => (long)v)]);
                return Each($"x[{x.At($"{name}_channels[c]")}]");
            case ShiftNode shift:
                c.Table(CType.Int, $"{name}_rows", [.. shift.Rows.Select(v => (long)v)]);
                c.Table(CType.Int, $"{name}_columns", [.. shift.Columns.Select(v => (long)v)]);
                return () => c.Elements(y.Shape, () =>
                {
                    c.Line($"const int32_t r = row + {name}_rows[c], s = col + {name}_columns[c];");
                    c.Line($"const int inside = r >= 0 && r < {x.Shape.Height} && s >= 0 && s < {x.Shape.Width};");
                    c.Line($"y[{y.At()}] = inside ? x[{x.At("c", "r", "s")}] : {CWriter.Invariant(shift.Grid?.Zero ?? 0)};");
                });
            default:
                throw new GraphException($"There is no C for the node '{step.Node.Name}', a {step.Node.GetType().Name}.");
        }

        Action Each(string value) => () => c.Elements(y.Shape, () => c.Line($"y[{y.At()}] = {value};"));
    }

    private void Plane(CValue x, string before, Func<string, string> add, string after) => c.For("c", x.Shape.Channels, () =>
    {
        c.Line(before);
        c.For("row", x.Shape.Height, () => c.For("col", x.Shape.Width, () => c.Line(add($"x[{x.At()}]"))));
        c.Line(after);
    });

    private void Windows(WindowGeometry w, CStep step, string before, Func<string, string> add, string result)
    {
        CValue x = step.Inputs[0], y = step.Output;
        c.Elements(y.Shape, () =>
        {
            c.Line(before);
            c.For("i", w.KernelH, () => c.For("j", w.KernelW, () =>
            {
                c.Line($"const int32_t r = {Place("row", w.StrideH, "i", w.DilationH, w.PaddingH)};");
                c.Line($"const int32_t s = {Place("col", w.StrideW, "j", w.DilationW, w.PaddingW)};");
                string value = $"x[{x.At("c", "r", "s")}]";
                if (w is { PaddingH: 0, PaddingW: 0 })
                {
                    c.Line(add(value));
                }
                else
                {
                    c.Block(
                        $"if (r >= 0 && r < {x.Shape.Height} && s >= 0 && s < {x.Shape.Width})", () => c.Line(add(value)));
                }
            }));
            c.Line($"y[{y.At()}] = {result};");
        });
    }

    private static string Place(string output, int stride, string tap, int dilation, int padding) =>
        $"{output}{IntegerLayers.Times(stride)} + {tap}{IntegerLayers.Times(dilation)}{IntegerLayers.Plus(-padding)}";

    private void Concatenate(CStep step)
    {
        int first = 0;
        for (int i = 0; i < step.Inputs.Count; i++)
        {
            CValue x = step.Inputs[i];
            string channel = first == 0 ? "c" : $"c + {CWriter.Invariant(first)}", source = Parameter(step, i);
            c.Elements(x.Shape, () => c.Line($"y[{step.Output.At(channel)}] = {source}[{x.At()}];"));
            first += x.Shape.Channels;
        }
    }

    /// <summary>1 / (1 + exp(-x)) without the C library, to within a few units of float32's last place.</summary>
    public static void Sigmoid(CWriter c)
    {
        c.Line("/* 1 / (1 + e^-x): e^-|x| = 2^-n * e^f with |f| <= ln 2 / 2, as a polynomial. */");
        c.Function("static float sigmoid(float x)", () =>
        {
            c.Line("const float a = x < 0 ? -x : x;");
            c.Line("const int32_t n = a > 80.0f ? 115 : (int32_t)(a * 1.44269504f + 0.5f);");
            c.Line("const float f = a > 80.0f ? 0 : (float)n * 0.693359375f - (float)n * 2.12194440e-4f - a;");
            c.Line("float e = 0.0416666667f + f * (0.00833333333f + f * 0.00138888889f);");
            c.Line("e = 1.0f + f * (1.0f + f * (0.5f + f * (0.166666667f + f * e)));");
            c.For("k", "n", () => c.Line("e *= 0.5f;"));
            c.Line("return x < 0 ? e / (1.0f + e) : 1.0f / (1.0f + e);");
        });
    }
}
