using System.Diagnostics;
using System.Text.Json;
using AdderNet.Graph;
using AdderNet.Inference;
using Microsoft.ML.OnnxRuntime;

namespace AdderNet.Export.Tests;

public class OnnxExportTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Every_kind_of_node_runs_in_ONNX_Runtime(bool fused) =>
        OnnxRuntime.AssertRunsAlike(fused ? Graphs.Everything().Fuse() : Graphs.Everything());

    [Fact]
    public void Adder_layers_of_all_windows_and_groups_run_in_ONNX_Runtime()
    {
        Random random = new(7);
        for (int i = 0; i < 30; i++)
        {
            int groups = random.Next(1, 4), channels = groups * random.Next(1, 4), filters = groups * random.Next(1, 5);
            WindowGeometry window = new(
                random.Next(1, 4), random.Next(1, 4), random.Next(1, 3), random.Next(1, 3), random.Next(3), random.Next(3), random.Next(1, 3),
                random.Next(1, 3));
            AdderNode adder = new()
            {
                Name = "adder",
                Inputs = ["x"],
                Window = window,
                Groups = groups,
                Bias = random.Next(2) == 0 ? null : Graphs.Tensor(random, filters),
                Filters = Graphs.Tensor(random, filters, channels / groups, window.KernelH, window.KernelW),
            };
            OnnxRuntime.AssertRunsAlike(Networks.Of(new FeatureShape(channels, random.Next(5, 9), random.Next(5, 9)), adder));
        }
    }

    [Fact]
    public void Binary_layers_run_in_ONNX_Runtime()
    {
        foreach (BinarizationRule rule in Enum.GetValues<BinarizationRule>())
        {
            OnnxRuntime.AssertRunsAlike(Networks.Of(new FeatureShape(4, 6, 5), new BinaryConvolutionNode
            {
                Name = "binary",
                Inputs = ["x"],
                Filters = Graphs.Tensor(new Random(1), 6, 2, 3, 3),
                Groups = 2,
                Window = new WindowGeometry(3, 3, 2, 1, 1, 1),
                Rule = rule,
            }));
        }
    }

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    public void Maps_are_made_larger_in_ONNX_Runtime_and_the_file_comes_back(int factor)
    {
        NetworkGraph graph = Networks.Of(new FeatureShape(2, 3, 5), new UpsampleNode { Name = "y", Inputs = ["x"], Factor = factor });

        OnnxRuntime.AssertRunsAlike(graph);
        NetworkGraph read = OnnxFile.Load(new MemoryStream(OnnxRuntime.Bytes(graph)));
        Assert.Equal(factor, Assert.IsType<UpsampleNode>(read["y"]).Factor);
    }

    [Fact]
    public void Vectors_run_in_ONNX_Runtime()
    {
        Random random = new(3);
        OnnxRuntime.AssertRunsAlike(new NetworkGraph(
            [
                InputNode.Of("x", FeatureShape.Vector(6)),
                new LinearNode { Name = "hidden", Inputs = ["x"], Weight = Graphs.Tensor(random, 8, 6) },
                Graphs.Norm(random, "norm", "hidden", 8) with { Weight = null, Bias = null },
                new ChannelShuffleNode { Name = "shuffle", Inputs = ["norm"], Groups = 4 },
                new SigmoidNode { Name = "gate", Inputs = ["shuffle"] },
                new MultiplyNode { Name = "product", Inputs = ["norm", "gate"] },
                new ConcatenateNode { Name = "output", Inputs = ["product", "x"] },
                new AddNode { Name = "sum", Inputs = ["norm", "gate", "product"] },
            ],
            [new GraphOutput("output", "sum"), new GraphOutput("both", "output")]));
    }

    [Fact]
    public void A_whole_network_gives_the_scores_of_the_engine()
    {
        NetworkGraph graph = Networks.ResNet20(32);
        float[] images = Graphs.Values(new Random(4), 3 * graph.Inputs[0].Shape.Count);
        using Engine engine = new(graph);

        float[] scores = OnnxRuntime.Run(OnnxRuntime.Bytes(graph), graph, new Dictionary<string, float[]> { ["image"] = images })["scores"];

        Networks.AssertClose(engine.Run(images), scores, 1e-4);
    }

    [Fact]
    public void The_file_says_how_to_feed_it_and_to_read_its_answers()
    {
        using InferenceSession session = new(OnnxRuntime.Bytes(Graphs.Everything()));

        Dictionary<string, string> said = session.ModelMetadata.CustomMetadataMap;
        Assert.Equal("everything", said["model"]);
        Assert.Equal(["a", "b", "ç", "d", "e"], JsonSerializer.Deserialize<string[]>(said["class_names"])!);
        Assert.Equal("""{"mean":[0.5],"std":[0.25,0.3,0.1],"cover_height":8,"cover_width":6,"pad":2}""", said["preparation"]);
        Assert.Equal([-1, 3, 8, 6], session.InputMetadata["image"].Dimensions);
        Assert.Equal([-1, 5], session.OutputMetadata["scores"].Dimensions);
    }

    [Fact]
    public void A_quantized_network_is_refused_in_a_sentence_and_nothing_is_written()
    {
        using TempFolder folder = new();
        NetworkGraph quantized = Quantizer.Quantize(Networks.ResNet20(8), Graphs.Values(new Random(1), 8 * 192)).Graph;

        string message = Assert.Throws<GraphException>(() => OnnxFile.Save(quantized, folder["q.onnx"])).Message;

        Assert.Contains("The network is quantized", message);
        Assert.Empty(Directory.GetFileSystemEntries(folder.Path));
    }

    [Fact]
    public void ONNX_s_own_checker_accepts_the_files()
    {
        using TempFolder folder = new();
        OnnxFile.Save(Graphs.Everything(), folder["everything.onnx"]);
        OnnxFile.Save(Graphs.Everything().Fuse(), folder["fused.onnx"]);
        Outcome outcome = Python(
            "import onnx, sys\nfor f in sys.argv[1:]: onnx.checker.check_model(onnx.load(f))", folder["everything.onnx"], folder["fused.onnx"]);
        Assert.SkipUnless(!outcome.Error.Contains("No module named 'onnx'", StringComparison.Ordinal), "Python's onnx is missing (python3-onnx)");

        Assert.True(outcome.ExitCode == 0, outcome.Error);
    }

    private sealed record Outcome(int ExitCode, string Error);

    private static Outcome Python(string program, params string[] arguments)
    {
        try
        {
            using Process process = Process.Start(new ProcessStartInfo(System.IO.File.Exists("/usr/bin/python3") ? "/usr/bin/python3" : "python3", ["-c", program, .. arguments]) { RedirectStandardError = true })!;
            string error = process.StandardError.ReadToEnd();
            process.WaitForExit();
            return new Outcome(process.ExitCode, error);
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return new Outcome(1, "No module named 'onnx'");
        }
    }
}
