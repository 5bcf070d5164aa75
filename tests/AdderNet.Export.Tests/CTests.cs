using System.Globalization;
using System.Text;
using AdderNet.Checkpoints;
using AdderNet.Export.C;
using AdderNet.Graph;
using AdderNet.Inference;

namespace AdderNet.Export.Tests;

public class CTests
{
    private static readonly string[] Strict = ["-Wall", "-Wextra", "-Werror", "-std=c99", "-pedantic", "-O2"];

    [Theory]
    [InlineData(1, 7, false)]
    [InlineData(2, 4, false)]
    [InlineData(3, 8, false)]
    [InlineData(1, 7, true)]
    [InlineData(4, 8, true)]
    public void A_quantized_network_in_C_gives_the_references_integers(int seed, int bits, bool dense)
    {
        NetworkGraph graph = QuantizedNetworks.Everything(seed, bits);
        using TempFolder folder = new();
        string classify = Built(graph, folder, dense);

        Assert.Contains("The scores are those computed at export.", Tool.Run(folder.Path, classify));
        byte[] pixels = Pixels(seed, 7 * 9 * 3);
        float[] expected = Scores(graph, Bordered(pixels));
        Assert.True(expected.Distinct().Count() == 5 && expected.All(score => Math.Abs(score) < 500_000), string.Join(' ', expected));
        string file = folder.Write("image.ppm", Ppm(7, 9, pixels));
        Assert.Equal(Answers(graph, expected), Tool.Run(folder.Path, classify, file).Split('\n')[..5]);
    }

    [Fact]
    public void A_quantized_ResNet_20_in_C_gives_the_engines_scores()
    {
        NetworkGraph graph = Quantizer.Quantize(Networks.ResNet20(8), Graphs.Values(new Random(1), 8 * 192), 7).Graph;
        using TempFolder folder = new();
        string classify = Built(graph, folder);
        using Engine engine = new(graph, threads: 1);
        Grid grid = ((DequantizeNode)graph[graph.Outputs[0].Node]).InputGrid;

        Assert.Contains("The scores are those computed at export.", Tool.Run(folder.Path, classify));
        for (int seed = 1; seed <= 20; seed++)
        {
            // Without a preparation pixels are values from 0 to 1.
            byte[] pixels = Pixels(seed, 192);
            float[] image = [.. Enumerable.Range(0, 192).Select(i => pixels[i % 64 * 3 + i / 64] / 255f)], scores = new float[10];
            engine.Run(image, scores);
            Assert.True(scores.Distinct().Count() > 5);
            string[] lines = Tool.Run(folder.Path, classify, folder.Write("image.ppm", Ppm(8, 8, pixels))).Split('\n')[..5];
            IEnumerable<float> printed = lines.Select(line =>
                (float)grid.Value(grid.Zero + int.Parse(line.AsSpan(0, 10), NumberStyles.Integer, CultureInfo.InvariantCulture)));
            Assert.Equal(scores.OrderDescending().Take(5), printed);
        }
    }

    [Fact]
    public void Quantized_networks_in_C_have_no_floating_point_no_allocation_and_one_header()
    {
        using TempFolder folder = new();
        CExporter.Export(QuantizedNetworks.Everything(1), folder.Path);
        string code = File.ReadAllText(folder["model.h"]) + File.ReadAllText(folder["model.c"]);

        Assert.DoesNotContain("float", code);
        Assert.DoesNotContain("double", code);
        Assert.DoesNotContain("alloc(", code);
        Assert.Equal(
            ["#include <stdint.h>", "#include \"model.h\""],
            code.Split('\n').Where(line => line.StartsWith("#include", StringComparison.Ordinal)));
    }

    [Fact]
    public void Tap_lists_leave_out_what_needs_no_work_and_say_so()
    {
        NetworkGraph graph = QuantizedNetworks.Everything(1);
        using TempFolder folder = new();
        CExporter.Export(graph, folder.Path);
        string code = File.ReadAllText(folder["model.c"]);
        var layer = (QuantizedAdderNode)graph["a"];
        ReadOnlySpan<byte> codes = layer.Filters.Data.Span;
        int zeros = codes.Count((byte)0), tops = codes.Count((byte)layer.InputGrid.Top);

        Assert.Contains($"a: adder layer, 8x11x9 to 8x11x9, 3x3 window, stride 1; taps: {100.0 * zeros / 576:F1} % skipped", code);
        Assert.Contains($"step_2_taps[{576 - zeros}]", code);
        Assert.Contains($"step_2_weight[{576 - zeros - tops}]", code);

        CExporter.Export(graph, folder.Path, dense: true);
        string dense = File.ReadAllText(folder["model.c"]);
        Assert.Contains("step_2_weight[576]", dense);
        Assert.DoesNotContain("% skipped", dense);
        Assert.Matches("of which lists would skip [0-9.]+ %", dense);
    }

    [Fact]
    public void A_float_network_in_C_gives_the_references_scores()
    {
        NetworkGraph graph = FloatNetwork();
        using TempFolder folder = new();
        string classify = Built(graph, folder);

        Assert.Contains("The scores are those computed at export.", Tool.Run(folder.Path, classify));
        byte[] pixels = Pixels(1, 8 * 6 * 3);
        float[] expected = [.. ReferenceInterpreter.Run(graph, Image(graph, pixels)).OrderDescending()];
        float[] scores = [.. Tool.Run(folder.Path, classify, folder.Write("image.ppm", Ppm(6, 8, pixels))).Split('\n')[..5].Select(line =>
            float.Parse(line.AsSpan(0, 10), NumberStyles.Float, CultureInfo.InvariantCulture))];
        Assert.All(expected.Zip(scores), pair => Assert.Equal(pair.First, pair.Second, 1e-4f * expected.Max(Math.Abs)));
    }

    [Fact]
    public void The_program_scales_images_and_refuses_others_with_a_sentence()
    {
        NetworkGraph graph = QuantizedNetworks.Everything(1);
        using TempFolder folder = new();
        string classify = Built(graph, folder);
        // Each pixel of the network as a square of 2 x 2 alike, and a column on each side that is cut off.
        byte[] inner = Pixels(3, 7 * 9 * 3), large = Pixels(4, 16 * 18 * 3);
        for (int row = 0; row < 18; row++)
        {
            for (int column = 0; column < 14; column++)
            {
                inner.AsSpan((row / 2 * 7 + column / 2) * 3, 3).CopyTo(large.AsSpan((row * 16 + column + 1) * 3));
            }
        }

        Assert.Equal(
            Answers(graph, Scores(graph, Bordered(inner))),
            Tool.Run(folder.Path, classify, folder.Write("large.ppm", Ppm(16, 18, large))).Split('\n')[..5]);
        Assert.Contains("ends too early", Refused("cut.ppm", Ppm(16, 18, large)[..^1]));
        Assert.Contains("too small", Refused("small.ppm", Ppm(6, 9, large)));
        Assert.Contains("no binary PGM", Refused("text.ppm", Encoding.ASCII.GetBytes("P3 9 11 255 ")));

        string Refused(string name, byte[] content) =>
            Assert.ThrowsAny<Exception>(() => Tool.Run(folder.Path, classify, folder.Write(name, content))).Message;
    }

    [Theory]
    [MemberData(nameof(CroppedNetworks.Preparations), MemberType = typeof(CroppedNetworks))]
    public void The_program_places_images_as_padding_and_then_cropping_did(int stored, int pad)
    {
        NetworkGraph graph = CroppedNetworks.Quantized(stored, pad);
        byte[] picture = Pixels(3, stored * stored * 3);
        float[] scores = ReferenceInterpreter.Run(graph, Image(graph, CroppedNetworks.Prepared(picture, stored, pad)));
        using TempFolder folder = new();
        string classify = Built(graph, folder);
        Grid grid = ((DequantizeNode)graph[graph.Outputs[0].Node]).InputGrid;

        string[] lines = Tool.Run(folder.Path, classify, folder.Write("image.ppm", Ppm(stored, stored, picture))).Split('\n')[..5];

        Assert.Equal(scores.OrderDescending().Take(5), lines.Select(line =>
            (float)grid.Value(grid.Zero + int.Parse(line.AsSpan(0, 10), NumberStyles.Integer, CultureInfo.InvariantCulture))));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_microcontroller_gives_the_same_scores(bool quantized)
    {
        string gcc = Tool.Find("arm-none-eabi-gcc", "gcc-arm-none-eabi and libnewlib-arm-none-eabi");
        string qemu = Tool.Find("qemu-system-arm", "qemu-system-arm");
        using TempFolder folder = new();
        CExporter.Export(quantized ? QuantizedNetworks.Everything(1) : FloatNetwork(), folder.Path);
        string arm = Path.Combine(AppContext.BaseDirectory, "Arm");

        Tool.Run(
            folder.Path, gcc,
            [
                "-Wall", "-Wextra", "-Werror", "-std=c99", "-O2", "-mcpu=cortex-m3", "-mthumb", "--specs=rdimon.specs", "-nostartfiles",
                "-T", Path.Combine(arm, "mps2.ld"), "main.c", "model.c", Path.Combine(arm, "start.c"), "-o", "classify.elf",
            ]);
        Assert.Contains(
            "The scores are those computed at export.",
            Tool.Run(
                folder.Path, qemu, "-M", "mps2-an385", "-display", "none", "-serial", "none", "-monitor", "none",
                "-semihosting-config", "enable=on,target=native", "-kernel", "classify.elf"));
    }

    [Fact]
    public void What_cannot_be_exported_is_refused_and_leaves_nothing()
    {
        using TempFolder folder = new();
        string target = Path.Combine(folder.Path, "new");

        Assert.Contains(
            "one input and one output", Assert.Throws<GraphException>(() => CExporter.Export(Graphs.Everything(), target)).Message);
        NetworkGraph graph = QuantizedNetworks.Everything(1);
        NetworkGraph mixed = new(
            [.. graph.Nodes, new ReluNode { Name = "relu", Inputs = ["logits"] }], [new GraphOutput("scores", "relu")], graph.Metadata);
        Assert.Contains("quantized to its end", Assert.Throws<GraphException>(() => CExporter.Export(mixed, target)).Message);
        NetworkGraph two = graph.With(graph.Metadata with { Preparation = new InputPreparation([0, 0], [1, 1]) });
        Assert.Contains("3 input channels", Assert.Throws<GraphException>(() => CExporter.Export(two, target)).Message);
        File.WriteAllText(target, "mine");
        Assert.Contains("in the way", Assert.Throws<CheckpointException>(() => CExporter.Export(graph, target)).Message);
        Assert.Equal([target], Directory.GetFileSystemEntries(folder.Path));
    }

    /// <summary>All float nodes, as a network of one input and one output.</summary>
    internal static NetworkGraph FloatNetwork()
    {
        NetworkGraph all = Graphs.Everything();
        return new NetworkGraph(
            all.Nodes.Where(node => node.Name != "offsets").Select(node =>
                node.Name == "sum" ? node with { Inputs = ["adder.bn", "stem.relu"] } : node),
            [all.Outputs[0]], all.Metadata);
    }

    internal static byte[] Pixels(int seed, int count)
    {
        byte[] pixels = new byte[count];
        new Random(seed).NextBytes(pixels);
        return pixels;
    }

    /// <summary>Pixels [9, 7, 3] in the middle of the black ones that the preparation of <see cref="QuantizedNetworks"/> adds.</summary>
    private static byte[] Bordered(byte[] pixels)
    {
        byte[] bordered = new byte[11 * 9 * 3];
        for (int row = 0; row < 9; row++)
        {
            pixels.AsSpan(row * 21, 21).CopyTo(bordered.AsSpan(((row + 1) * 9 + 1) * 3));
        }

        return bordered;
    }

    /// <summary>Pixels, the channels of each together, as the network's input.</summary>
    internal static float[] Image(NetworkGraph graph, byte[] pixels)
    {
        InputPreparation p = graph.Metadata.Preparation!;
        FeatureShape shape = graph.Inputs[0].Shape;
        return [.. Enumerable.Range(0, shape.Count).Select(i =>
        {
            int c = i / shape.Pixels, at = i % shape.Pixels * shape.Channels + c;
            return (pixels[at] / 255f - p.Mean[p.Mean.Count == 1 ? 0 : c]) / p.Std[p.Std.Count == 1 ? 0 : c];
        })];
    }

    /// <summary>The reference's integers.</summary>
    internal static float[] Scores(NetworkGraph graph, byte[] pixels)
    {
        Dictionary<string, float[]> image = new() { ["image"] = Image(graph, pixels) };
        return [.. ReferenceInterpreter.RunAll(graph, image)["fc"].Select(code => code - graph["fc"].Grid!.Zero)];
    }

    private static string Built(NetworkGraph graph, TempFolder folder, bool dense = false)
    {
        string gcc = Tool.Find("gcc", "gcc");
        CExporter.Export(graph, folder.Path, dense);
        Tool.Run(folder.Path, gcc, [.. Strict, "main.c", "model.c", "-o", "classify"]);
        return folder["classify"];
    }

    /// <summary>What main.c prints: the five best, in order.</summary>
    private static string[] Answers(NetworkGraph graph, float[] scores) =>
        [.. scores.Index().OrderByDescending(s => s.Item).Take(5).Select(s => FormattableString.Invariant(
            $"{s.Item,10:F0}  {(s.Index < graph.Metadata.ClassNames!.Count ? graph.Metadata.ClassNames[s.Index] : $"class {s.Index}")}"))];

    private static byte[] Ppm(int width, int height, byte[] pixels) =>
        [.. Encoding.ASCII.GetBytes(FormattableString.Invariant($"P6\n# noise\n{width} {height}\n255\n")), .. pixels];
}
