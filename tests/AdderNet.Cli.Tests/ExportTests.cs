using AdderNet.Export;
using AdderNet.Graph;

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
    public void Another_kind_of_export_is_refused() =>
        Assert.Contains("--to takes onnx", Addernet.Run("export", tiny.Run, "--to", "onxx", tiny["x.onnx"]).FailsWith(ExitCode.Usage));
}
