using System.Text.Json;
using AdderNet.Checkpoints;
using AdderNet.Export;
using AdderNet.Graph;
using AdderNet.Models;

namespace AdderNet.Cli.Tests;

/// <summary>What eval, predict and export make of files that hold a graph, ONNX among them.</summary>
public class GraphModelTests(TinyRun tiny) : IClassFixture<TinyRun>
{
    [Fact]
    public void Eval_and_predict_take_the_ONNX_file_and_give_what_the_run_gives()
    {
        string onnx = tiny["taken.onnx"], picture = tiny["seven.png"];
        TinyData.WritePng(picture, 7, 40, 40);
        Addernet.Run("export", tiny.Run, "--to", "onnx", onnx).Succeeds();

        foreach (string[] arguments in (string[][])[["eval", "RUN", "--data-dir", tiny.Data, "--json"], ["predict", picture, "--run", "RUN", "--json"]])
        {
            JsonElement run = Json(tiny.Run), file = Json(onnx);
            if (arguments[0] == "eval")
            {
                Assert.Equal(run.GetProperty("top1").GetDouble(), file.GetProperty("top1").GetDouble());
                Assert.Equal(run.GetProperty("loss").GetDouble(), file.GetProperty("loss").GetDouble(), 1e-4);
            }
            else
            {
                JsonElement expected = run[0].GetProperty("guesses")[0], guess = file[0].GetProperty("guesses")[0];
                Assert.Equal(expected.GetProperty("class").GetString(), guess.GetProperty("class").GetString());
                Assert.Equal(expected.GetProperty("probability").GetDouble(), guess.GetProperty("probability").GetDouble(), 1e-3);
            }

            JsonElement Json(string model) => JsonDocument.Parse(Addernet.Run([.. arguments.Select(a => a == "RUN" ? model : a)]).Succeeds()).RootElement;
        }
    }

    [Fact]
    public void Eval_and_predict_take_a_convolutional_network_that_PyTorch_wrote()
    {
        string cnn = Path.Combine(AppContext.BaseDirectory, "TestData", "pytorch_cnn.onnx"), picture = tiny["one.png"];
        TinyData.WritePng(picture, 1, 28, 28);

        Assert.Contains("40 images", Addernet.Run("eval", cnn, "--data", "mnist", "--data-dir", tiny.Data).Succeeds());
        Assert.Equal(10, JsonDocument.Parse(
            Addernet.Run("predict", picture, "--run", cnn, "--data", "mnist", "--top", "10", "--json").Succeeds()).RootElement[0].GetProperty("guesses").GetArrayLength());
        Assert.Contains("say it with --data", Addernet.Run("eval", cnn, "--data-dir", tiny.Data).FailsWith(ExitCode.Usage));
    }

    [Fact]
    public void A_file_is_known_by_its_content_whatever_it_is_called()
    {
        string cnn = tiny["3f9c2b71"], graph = tiny["lenet.bin"], weights = tiny["weights.onnx"];
        File.Copy(Path.Combine(AppContext.BaseDirectory, "TestData", "pytorch_cnn.onnx"), cnn);
        Addernet.Run("export", tiny.Run, "--to", "graph", tiny["lenet.safetensors"]).Succeeds();
        File.Copy(tiny["lenet.safetensors"], graph);
        File.Copy(Directory.GetFiles(Path.Combine(tiny.Run, "checkpoints"), "*.safetensors")[0], weights);

        Assert.Contains("40 images", Addernet.Run("eval", cnn, "--data", "mnist", "--data-dir", tiny.Data).Succeeds());
        Assert.Contains("40 images", Addernet.Run("eval", graph, "--data-dir", tiny.Data).Succeeds());
        Assert.Contains("40 images", Addernet.Run("eval", weights, "--data-dir", tiny.Data).Succeeds());
        File.WriteAllText(weights, "<html><head><title>Sign in</title></head></html>");
        Assert.Contains($"{weights} is no ONNX file", Addernet.Run("eval", weights, "--data-dir", tiny.Data).FailsWith(ExitCode.Failure));
    }

    [Fact]
    public void A_file_that_is_cut_of_another_version_or_for_other_images_is_told_by_eval_and_predict()
    {
        string graph = tiny["whole.safetensors"], onnx = tiny["whole.onnx"], picture = tiny["two.png"];
        TinyData.WritePng(picture, 2, 28, 28);
        Addernet.Run("quantize", tiny.Run, "--calibration", "32", "--data-dir", tiny.Data, "--out", graph, "--threads", "1").Succeeds();
        Addernet.Run("export", tiny.Run, "--to", "onnx", onnx).Succeeds();
        foreach (string file in (string[])[graph, onnx])
        {
            string cut = tiny["cut" + Path.GetExtension(file)];
            File.WriteAllBytes(cut, File.ReadAllBytes(file)[..^1000]);
            Assert.Contains(cut, Addernet.Run("eval", cut, "--data-dir", tiny.Data).FailsWith(ExitCode.Failure));
            Assert.Contains(cut, Addernet.Run("predict", picture, "--run", cut).FailsWith(ExitCode.Failure));
        }

        TensorFile old = Safetensors.Read(graph);
        Safetensors.Write(tiny["later.safetensors"], old.Tensors, old.Metadata.ToDictionary(
            m => m.Key, m => m.Value.Replace("\"version\":1", "\"version\":2", StringComparison.Ordinal)));
        Assert.Contains("version 2", Addernet.Run("eval", tiny["later.safetensors"], "--data-dir", tiny.Data).FailsWith(ExitCode.Failure));

        string colours = tiny["colours.onnx"];
        NetworkGraph three = AdderNetModels.Graph("resnet20");
        OnnxFile.Save(three, colours);
        Assert.Contains(
            "3 channel(s)", Addernet.Run("eval", colours, "--data", "mnist", "--data-dir", tiny.Data).FailsWith(ExitCode.Failure));
        OnnxFile.Save(AdderNetModels.Graph("resnet20", inputChannels: 1).With(new NetworkMetadata(Preparation: new InputPreparation([0.5f], [0.5f]))), colours);
        string size = Addernet.Run("eval", colours, "--data", "mnist", "--data-dir", tiny.Data).FailsWith(ExitCode.Failure);
        Assert.Contains("1x32x32", size);
        Assert.Contains("1x28x28", size);
    }

    [Fact]
    public void A_quantized_network_is_not_written_as_ONNX()
    {
        string graph = tiny["eight.safetensors"], onnx = tiny["eight.onnx"];
        Addernet.Run("quantize", tiny.Run, "--calibration", "32", "--data-dir", tiny.Data, "--out", graph, "--threads", "1").Succeeds();

        Assert.Contains("is quantized", Addernet.Run("export", graph, "--to", "onnx", onnx).FailsWith(ExitCode.Failure));
        Assert.False(File.Exists(onnx));
    }
}
