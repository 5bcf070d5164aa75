using System.Diagnostics;
using System.Text.Json;
using AdderNet.Export;
using AdderNet.Export.Native;
using AdderNet.Graph;
using SkiaSharp;

namespace AdderNet.Cli.Tests;

public class ExportTests(TinyRun tiny) : IClassFixture<TinyRun>
{
    [Fact]
    public void A_run_becomes_an_ONNX_file_that_says_what_it_is_for()
    {
        string path = tiny["lenet.onnx"];

        Addernet.Run("export", tiny.Run, "--to", "onnx", path).Succeeds();

        NetworkGraph graph = OnnxFile.Load(path);
        Assert.Equal("1x32x32", graph.Inputs[0].Shape.ToString());
        Assert.Equal(("lenet5-bn", "mnist", 10), (graph.Metadata.Model, graph.Metadata.Dataset, graph.Metadata.ClassNames!.Count));
        Assert.Equal((0.1307f, 2, 28), (graph.Metadata.Preparation!.Mean[0], graph.Metadata.Preparation.Pad, graph.Metadata.Preparation.CoverHeight));
        Assert.Contains("exists", Addernet.Run("export", tiny.Run, "--to", "onnx", path).FailsWith(ExitCode.Failure));
        Addernet.Run("export", tiny.Run, "--to", "onnx", path, "--force").Succeeds();
    }

    [Fact]
    public void The_file_of_a_graph_can_be_exported()
    {
        string first = tiny["graph.onnx"], graph = tiny["graph.safetensors"], second = tiny["again.onnx"];
        Addernet.Run("export", tiny.Run, "--to", "onnx", first).Succeeds();
        OnnxFile.Load(first).Save(graph);

        Addernet.Run("export", graph, "--to", "onnx", second).Succeeds();

        Assert.Equal(File.ReadAllBytes(first), File.ReadAllBytes(second));
    }

    [Fact]
    public void A_run_becomes_a_folder_of_C_and_what_lies_there_is_kept()
    {
        string folder = tiny["c"], kept = Path.Combine(folder, "mine.c");

        Addernet.Run("export", tiny.Run, "--to", "c", folder).Succeeds();

        Assert.Equal(["README.md", "main.c", "model.c", "model.h", "model_test.h"], Names(folder));
        File.WriteAllText(kept, "mine");
        File.WriteAllText(Path.Combine(folder, "model.c"), "changed");
        Assert.Contains("exists", Addernet.Run("export", tiny.Run, "--to", "c", folder).FailsWith(ExitCode.Failure));
        Assert.Equal("changed", File.ReadAllText(Path.Combine(folder, "model.c")));
        Addernet.Run("export", tiny.Run, "--to", "c", folder, "--force").Succeeds();
        Assert.Equal("mine", File.ReadAllText(kept));
        Assert.NotEqual("changed", File.ReadAllText(Path.Combine(folder, "model.c")));
        Assert.Contains("--dense is for --to c", Addernet.Run("export", tiny.Run, "--to", "web", folder, "--dense").FailsWith(ExitCode.Usage));
    }

    [Fact]
    public void A_quantized_run_becomes_a_page_and_one_in_float32_is_told_what_to_do()
    {
        string file = tiny["web.safetensors"], folder = tiny["page"], none = tiny["none"];
        Addernet.Run("quantize", tiny.Run, "--calibration", "32", "--data-dir", tiny.Data, "--out", file, "--threads", "1").Succeeds();
        Directory.CreateDirectory(folder);

        Addernet.Run("export", file, "--to", "web", folder).Succeeds();

        Assert.Equal(["app.js", "engine.js", "index.html", "model.js", "style.css"], Names(folder));
        Assert.Contains("quantize", Addernet.Run("export", tiny.Run, "--to", "web", none).FailsWith(ExitCode.Failure));
        Assert.False(Path.Exists(none));
    }

    [Fact]
    public void A_run_becomes_a_folder_with_the_engine_which_gives_the_commands_answer()
    {
        string engine = Path.Combine(AppContext.BaseDirectory, "native"), folder = tiny["native"], image = tiny["image.png"];
        Assert.SkipUnless(NativeExporter.IsEngine(engine), "Nothing is compiled ahead of time; ./native does it, with clang or gcc and zlib's development files.");
        using (SKBitmap bitmap = new(new SKImageInfo(28, 28, SKColorType.Gray8, SKAlphaType.Opaque)))
        {
            new Random(1).NextBytes(bitmap.GetPixelSpan());
            using SKData png = bitmap.Encode(SKEncodedImageFormat.Png, 100);
            File.WriteAllBytes(image, png.ToArray());
        }

        string said = Addernet.Run("export", tiny.Run, "--to", "native", folder).Succeeds();

        Assert.Contains(Path.Combine(folder, "addernet-infer"), said);
        string[] wanted = ["model.safetensors", "addernet.h", "libaddernet.so", "classify.c", "classify.py", "addernet-infer"];
        Assert.Empty(wanted.Except(Names(folder)));
        using Process program = Process.Start(new ProcessStartInfo(
            Path.Combine(folder, "addernet-infer"), [Path.Combine(folder, "model.safetensors"), image, "--json"])
        { RedirectStandardOutput = true })!;
        (string Class, double Probability)[] expected = Guesses(Addernet.Run("predict", image, "--run", tiny.Run, "--json").Succeeds());
        (string Class, double Probability)[] guesses = Guesses(program.StandardOutput.ReadToEnd());
        Assert.Equal(expected.Select(g => g.Class), guesses.Select(g => g.Class));
        Assert.All(expected.Zip(guesses), g => Assert.Equal(g.First.Probability, g.Second.Probability, 1e-5));
        Assert.Contains("exists", Addernet.Run("export", tiny.Run, "--to", "native", folder).FailsWith(ExitCode.Failure));
        File.WriteAllText(Path.Combine(folder, "mine.txt"), "mine");
        Addernet.Run("export", tiny.Run, "--to", "native", folder, "--force").Succeeds();
        Assert.Equal("mine", File.ReadAllText(Path.Combine(folder, "mine.txt")));
    }

    [Fact]
    public void Without_the_native_library_it_is_said_how_to_get_it_and_nothing_is_written()
    {
        Assert.SkipWhen(
            NativeExporter.IsEngine(Path.Combine(AppContext.BaseDirectory, "native")), "This addernet was built with its native library.");

        string said = Addernet.Run("export", tiny.Run, "--to", "native", tiny["no-library"]).FailsWith(ExitCode.Failure);

        Assert.Contains("built without its native library; run ./native", said);
        Assert.False(Path.Exists(tiny["no-library"]));
    }

    [Fact]
    public void Another_kind_of_export_is_refused() =>
        Assert.Contains("--to takes onnx, graph, c, web, native", Addernet.Run("export", tiny.Run, "--to", "onxx", tiny["x.onnx"]).FailsWith(ExitCode.Usage));

    private static string[] Names(string folder) => [.. Directory.GetFileSystemEntries(folder).Select(Path.GetFileName).Order(StringComparer.Ordinal)!];

    private static (string Class, double Probability)[] Guesses(string json) =>
    [
        .. JsonDocument.Parse(json).RootElement[0].GetProperty("guesses").EnumerateArray()
            .Select(g => (g.GetProperty("class").GetString()!, g.GetProperty("probability").GetDouble())),
    ];
}
