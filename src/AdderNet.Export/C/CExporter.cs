using System.Globalization;
using System.Text;
using AdderNet.Checkpoints;
using AdderNet.Graph;

namespace AdderNet.Export.C;

/// <summary>
/// Writes a network as C99 for any compiler: no allocation, no dependency but stdint.h, and no floating point where it is quantized. Every
/// loop has a fixed bound (of tap lists: a bound from a table), so that tools for high-level synthesis take it, too.
/// </summary>
public static class CExporter
{
    /// <summary>Writes model.h, model.c, a main.c that classifies one image and tests itself, and README.md.</summary>
    /// <param name="graph">The network, of one input and one output: float32, or quantized from its input to its end.</param>
    /// <param name="folder">The folder to create or to replace these files in.</param>
    /// <param name="dense">Whether quantized adder layers go over all taps, one byte each, rather than over lists of those that need work,
    /// about three bytes each.</param>
    /// <exception cref="GraphException">The network has a node that there is no C for, or cannot be called as one function.</exception>
    /// <exception cref="CheckpointException">A file cannot be written.</exception>
    public static void Export(NetworkGraph graph, string folder, bool dense = false)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        ShippedNetwork network = ShippedNetwork.Of(graph);
        ExportFolder files = new();
        CWriter steps = new();
        CPlan plan = CPlan.Of(network);
        Layers(network, plan, steps, dense);
        Prepare(network, plan, steps);
        string summary = Summary(network, plan, steps.TableBytes, dense);
        files.Add("model.h", Header(network, plan, summary));
        files.Add("model.c", Source(network, plan, steps, summary));
        files.Add("model_test.h", TestScores(network));
        files.AddResource("main.c", "C/main.c");
        files.Add("README.md", Readme(network, summary));
        files.Write(folder);
    }

    private static string Title(ShippedNetwork network) =>
        CWriter.Comment(network.Graph.Metadata.Model ?? "network") + (network.IsQuantized ? ", quantized" : ", float32");

    private static string Header(ShippedNetwork network, CPlan plan, string summary)
    {
        FeatureShape input = network.First.Shape;
        string score = network.IsQuantized ? "int32_t" : "float";
        CWriter c = new();
        c.Line($"/*\n * {Title(network)}. Written by addernet export.\n *\n{Lines(summary, " * ")}\n */");
        c.Line("#ifndef MODEL_H");
        c.Line("#define MODEL_H");
        c.Line();
        c.Line("#include <stdint.h>");
        c.Line();
        PictureFrame frame = network.Frame();
        foreach ((string name, int value) in ((string, int)[])
            [
                ("QUANTIZED", network.IsQuantized ? 1 : 0), ("CHANNELS", input.Channels), ("HEIGHT", input.Height), ("WIDTH", input.Width),
                ("INPUTS", input.Count), ("CLASSES", network.Classes),
                ("COVER_HEIGHT", frame.Height.Covered), ("COVER_WIDTH", frame.Width.Covered),
                ("TOP", frame.Height.Start), ("LEFT", frame.Width.Start), ("ROWS", frame.Height.Length), ("COLUMNS", frame.Width.Length),
            ])
        {
            c.Line($"#define MODEL_{name} {CWriter.Invariant(value)}");
        }

        c.Line();
        c.Line("#ifdef __cplusplus");
        c.Line("extern \"C\" {");
        c.Line("#endif");
        c.Line();
        c.Line(network.First.Grid is { } grid
            ? $"/* An input value as a code: value = {Text(grid.Step)} * (code - {CWriter.Invariant(grid.Zero)}), "
                + $"from 0 to {CWriter.Invariant(grid.Top)}. */"
            : "/* An input value. */");
        c.Line($"typedef {plan.Input.Type.Name} model_input;");
        c.Line();
        c.Line(network.Last.Grid is { } scores
            ? $"/* A score in steps of {Text(scores.Step)}; the largest is the answer. */"
            : "/* A score; the largest is the answer. */");
        c.Line($"typedef {score} model_score;");
        c.Line();
        c.Line("extern const char *const model_class_names[MODEL_CLASSES];");
        c.Line();
        c.Line("/* Pixels of 8 bits, row by row, the channels of each together, as input values. */");
        c.Line("void model_prepare(const uint8_t pixels[MODEL_INPUTS], model_input input[MODEL_INPUTS]);");
        c.Line();
        c.Line("/* The scores of one image, [channels][height][width]. Its memory is static: one call at a time. */");
        c.Line("void model_run(const model_input input[MODEL_INPUTS], model_score scores[MODEL_CLASSES]);");
        c.Line();
        c.Line("#ifdef __cplusplus");
        c.Line("}");
        c.Line("#endif");
        c.Line();
        c.Line("#endif");
        return c.ToString();
    }

    private static string Source(ShippedNetwork network, CPlan plan, CWriter steps, string summary)
    {
        CWriter c = new();
        c.Line($"/*\n * {Title(network)}. Written by addernet export.\n *\n{Lines(summary, " * ")}\n */");
        c.Line("#include \"model.h\"");
        c.Line();
        foreach ((CType type, long length) in plan.Arenas)
        {
            c.Line($"static {type.Name} {type.Arena}[{CWriter.Invariant(length)}];");
        }

        c.Line();
        c.Line("const char *const model_class_names[MODEL_CLASSES] = {");
        for (int i = 0; i < network.Classes; i++)
        {
            c.Line($"    {CWriter.Quoted(network.ClassName(i))},");
        }

        c.Line("};");
        c.Line();
        return c.ToString() + steps;
    }

    private static void Layers(ShippedNetwork network, CPlan plan, CWriter c, bool dense)
    {
        if (network.IsQuantized)
        {
            IntegerLayers.Common(c);
        }

        if (plan.Steps.Any(step => step.Node is SigmoidNode))
        {
            MapSteps.Sigmoid(c);
        }

        for (int i = 0; i < plan.Steps.Count; i++)
        {
            CStep step = plan.Steps[i];
            c.Line($"/* {CWriter.Comment(step.Node.Name)}: {Described(step, dense)} */");
            switch (step)
            {
                case { MakesBits: true }:
                    new MapSteps(c).Write(Name(i), step);
                    break;
                case { Node: QuantizedLayerNode }:
                    new IntegerLayers(c, dense).Write(Name(i), step);
                    break;
                case { Node: LayerNode }:
                    new FloatLayers(c).Write(Name(i), step);
                    break;
                default:
                    new MapSteps(c).Write(Name(i), step);
                    break;
            }
        }

        CValue input = plan.Input, output = plan.Output;
        c.Function("void model_run(const model_input input[MODEL_INPUTS], model_score scores[MODEL_CLASSES])", () =>
        {
            c.Line($"{input.Type.Name} *x = {input.Pointer};");
            c.Line($"const {output.Type.Name} *y = {output.Pointer};");
            if (input.HasBorder)
            {
                c.For("k", input.Length, () => c.Line($"x[k] = {CWriter.Invariant(input.Zero)};"));
            }

            c.Elements(input.Shape, () => c.Line($"x[{input.At()}] = *input++;"));
            for (int i = 0; i < plan.Steps.Count; i++)
            {
                IEnumerable<CValue> values = plan.Steps[i].Inputs.Append(plan.Steps[i].Output);
                c.Line($"{Name(i)}({string.Join(", ", values.Select(value => value.Pointer))});");
            }

            string zero = output.Zero == 0 ? "" : $" - {CWriter.Invariant(output.Zero)}";
            c.Elements(output.Shape, () => c.Line(
                $"*scores++ = {(network.IsQuantized ? "(model_score)" : "")}y[{output.At()}]{zero};"));
        });

        static string Name(int i) => $"step_{CWriter.Invariant(i + 1)}";
    }

    private static void Prepare(ShippedNetwork network, CPlan plan, CWriter c)
    {
        float[][] values = network.PixelValues();
        FeatureShape shape = network.First.Shape;
        string table = values.Length == 1 ? "" : "c * 256 + ";
        c.Line("/* (pixel / 255 - mean) / std of the training images, for each pixel's value, channel after channel where they differ. */");
        if (network.First.Grid is { } grid)
        {
            c.Table(plan.Input.Type, "pixel_values", [.. values.SelectMany(v => v).Select(value => (long)grid.Code(value))]);
        }
        else
        {
            c.Table("pixel_values", [.. values.SelectMany(v => v)]);
        }

        c.Function("void model_prepare(const uint8_t pixels[MODEL_INPUTS], model_input input[MODEL_INPUTS])", () =>
            c.For("c", shape.Channels, () => c.For("k", shape.Pixels, () => c.Line(
                $"*input++ = pixel_values[{table}pixels[k{IntegerLayers.Times(shape.Channels)} + c]];"))));
    }

    private static string TestScores(ShippedNetwork network)
    {
        float[] scores = network.Scores(network.TestPixels());
        CWriter c = new();
        c.Line("/* The scores of the built-in image of noise, computed at export by the reference. */");
        if (network.IsQuantized)
        {
            c.Line("#define MODEL_TEST_TOLERANCE 0");
            c.Table(CType.Int, "model_test_scores", [.. scores.Select(score => (long)score)]);
        }
        else
        {
            c.Line($"#define MODEL_TEST_TOLERANCE {CWriter.Literal(1e-4f * Math.Max(1, scores.Max(Math.Abs)))}");
            c.Table("model_test_scores", scores);
        }

        return c.ToString();
    }

    private static string Described(CStep step, bool dense)
    {
        FeatureShape input = step.Inputs[0].Shape;
        string sizes = $"{input} to {step.Output.Shape}";
        return step switch
        {
            { MakesBits: true } => $"its input as bits, {input}",
            { Node: QuantizedAdderNode adder } when !dense => $"adder layer, {sizes}, {Window(adder.Window)}; {TapStatistics.Of(adder)}",
            { Node: QuantizedAdderNode adder } => $"adder layer, {sizes}, {Window(adder.Window)}",
            { Node: QuantizedConvolutionNode layer } => $"convolution, {sizes}, {Window(layer.Window)}",
            { Node: AdderNode layer } => $"adder layer, {sizes}, {Window(layer.Window)}",
            { Node: FilterNode layer } => $"convolution, {sizes}, {Window(layer.Window)}",
            _ => $"{step.Node.GetType().Name[..^"Node".Length]}, {sizes}",
        };

        static string Window(WindowGeometry w) => FormattableString.Invariant($"{w.KernelH}x{w.KernelW} window, stride {w.StrideH}");
    }

    /// <summary>Additions for one image by tap lists, of inputs and of minima; a group's filters share the sum of the window.</summary>
    private static long Additions(QuantizedAdderNode layer)
    {
        TapStatistics taps = TapStatistics.Of(layer);
        return layer.Shape.Pixels * ((long)layer.SumLength * layer.Groups + taps.Plain + taps.Compared);
    }

    private static string Summary(ShippedNetwork network, CPlan plan, long flash, bool dense)
    {
        OperationCounts counts = OperationCounts.Of(network.Steps);
        var adders = network.Steps.OfType<QuantizedAdderNode>().ToList();
        long ram = plan.Arenas.Sum(arena => arena.Value * arena.Key.Bytes);
        int row = plan.Steps.Max(step => step.Output.Shape.Width);
        StringBuilder text = new();
        Line($"Flash for tables:  {flash:N0} bytes");
        Line($"RAM:               {ram:N0} bytes, and {network.First.Shape.Count * plan.Input.Type.Bytes:N0} for the caller's input");
        Line($"Stack:             about {8 * row + 200:N0} bytes");
        if (adders.Count == 0)
        {
            Line($"Additions:         {counts.Additions:N0} for one image");
        }
        else
        {
            TapStatistics taps = adders.Select(TapStatistics.Of).Aggregate((a, b) => a + b);
            long all = adders.Sum(adder => OperationCounts.Of(adder).Additions);
            long left = counts.Additions - all + adders.Sum(a => Additions(a));
            if (dense)
            {
                Line($"Additions:         {counts.Additions:N0} for one image ({left:N0} with lists of taps)");
                Line($"Adder layers:      all taps, of which lists would skip {100.0 * taps.Skipped / taps.All:F1} %");
            }
            else
            {
                Line($"Additions:         {left:N0} for one image ({counts.Additions:N0} without lists)");
                Line($"Adder layers:      {taps}");
            }
        }

        string codes = adders.Count > 0 ? ", and one for each sum that becomes a code" : "";
        Line($"Multiplications:   {counts.Multiplications:N0} for one image{codes}");
        return text.ToString().TrimEnd();

        void Line(FormattableString line) => text.Append(line.ToString(CultureInfo.InvariantCulture)).Append('\n');
    }

    private static string Readme(ShippedNetwork network, string summary)
    {
        InputPreparation p = network.Preparation;
        FeatureShape input = network.First.Shape;
        string known = network.Graph.Metadata.Preparation is null ? " (not known of this network: values from 0 to 1)" : "";
        string header = network.IsQuantized ? "`stdint.h`, in integers alone" : "`stdint.h`";
        return $"""
            # {Title(network)}

            `model.h` and `model.c` are the network in C99, without memory allocation and with no header but {header}.
            `main.c` classifies one image, and without an argument tests the build against scores computed at export:

                cc -std=c99 -O3 main.c model.c -o classify
                ./classify
                ./classify image.ppm

            Its input is {input}: pixels of 8 bits, `model_prepare` makes (pixel / 255 - {List(p.Mean)}) / {List(p.Std)} of them{known}.
            In training, images were prepared so: {Prepared(p)}.

            {Lines(summary, "    ")}

            """.ReplaceLineEndings("\n");

        static string List(IReadOnlyList<float> values) =>
            values.Count == 1 ? Text(values[0]) : $"[{string.Join(", ", values.Select(value => Text(value)))}]";

        static string Prepared(InputPreparation p)
        {
            List<string> steps = [];
            if (p is { CoverHeight: { } height, CoverWidth: { } width })
            {
                steps.Add(FormattableString.Invariant($"scaled to cover {height}x{width}"));
            }

            if (p.Resize is { } resize)
            {
                steps.Add(FormattableString.Invariant($"the shorter side scaled to {resize}"));
            }

            if (p.Pad > 0)
            {
                steps.Add(FormattableString.Invariant($"{p.Pad} black pixels added on each side"));
            }

            if (p.CenterCrop is { } side)
            {
                steps.Add(FormattableString.Invariant($"the middle {side}x{side} cut out"));
            }

            return steps.Count == 0 ? "nothing else" : string.Join(", ", steps);
        }
    }

    private static string Text(double value) => value.ToString("G7", CultureInfo.InvariantCulture);

    private static string Lines(string text, string indent) => string.Join('\n', text.Split('\n').Select(line => indent + line));
}
