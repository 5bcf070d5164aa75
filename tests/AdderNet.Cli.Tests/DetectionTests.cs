using System.Text.Json;
using System.Text.RegularExpressions;

namespace AdderNet.Cli.Tests;

/// <summary>Detection from data to predictions; the task follows from the data.</summary>
public class DetectionTests
{
    [Fact]
    public void A_detector_is_trained_measured_and_used_with_the_same_commands()
    {
        using TempFolder folder = new();
        string data = folder["digits"], run = folder["run"];
        string written = Addernet.Run("datasets", "--write", "voc", "--out", data, "--images", "8").Succeeds();
        Assert.Contains("--data voc", written, StringComparison.Ordinal);
        string again = Addernet.Run("datasets", "--write", "voc", "--out", data).FailsWith(ExitCode.Failure);
        Assert.Contains("is there already", again, StringComparison.Ordinal);

        string trained = Addernet.Run(
            "train", "--data", "voc", "--data-dir", data, "--image-size", "32", "--epochs", "1", "--batch-size", "4",
            "--threads", "1", "--out", run).Succeeds();
        Assert.Contains(
            "AdderNet FCOS-ResNet-20 on Pascal VOC: 8 training, 1 validation and 1 test images", trained, StringComparison.Ordinal);
        Assert.Matches(@"1 epoch will take about [\d.]+ (s|min) .*on this machine[\s\S]*epoch .*loss", trained);
        Assert.Matches("Validation mAP50-95 .* %", trained);
        Assert.Matches("Test mAP50-95 .* %, of the epoch that is best by validation, over 1 image\\.", trained);

        string table = Addernet.Run("eval", run, "--data-dir", data, "--threads", "1").Succeeds();
        Assert.Matches("Class +Images +Instances +Precision +Recall +mAP50 +mAP50-95", table);
        Assert.Matches(@"all +1 +\d+ ", table);
        Assert.Contains("Pascal VOC: mAP", table, StringComparison.Ordinal);
        string page = File.ReadAllText(Path.Combine(run, "eval.html"));
        Assert.Contains("Confusion matrix", page, StringComparison.Ordinal);
        Assert.Equal(2, Regex.Count(page, "data:image/png;base64,"));
        Assert.DoesNotContain("src=\"http", page, StringComparison.Ordinal);
        string[] asJson = ["eval", run, "--data-dir", data, "--threads", "1", "--json", "--report", folder["other.html"]];
        File.WriteAllText(folder["other.html"], "another's");
        Assert.Contains("replace it with --force", Addernet.Run(asJson).FailsWith(ExitCode.Failure), StringComparison.Ordinal);
        Assert.Equal("another's", File.ReadAllText(folder["other.html"]));
        File.Delete(folder["other.html"]);
        JsonElement json = JsonDocument.Parse(Addernet.Run(asJson).Succeeds()).RootElement;
        Assert.Equal(1, json.GetProperty("count").GetInt32());
        Assert.Equal(
            json.GetProperty("classes").EnumerateArray().Sum(c => c.GetProperty("instances").GetInt32()),
            json.GetProperty("all").GetProperty("instances").GetInt32());
        Assert.True(File.Exists(folder["other.html"]));

        string image = Path.Combine(data, "JPEGImages", "test_000001.png"), bad = folder["bad.png"];
        File.WriteAllText(bad, "no image");
        Outcome outcome = Addernet.Run(
            "predict", image, bad, "--run", run, "--out", folder["found"], "--min-score", "0", "--json", "--threads", "1");
        Assert.Equal(ExitCode.Failure, outcome.ExitCode);
        JsonElement found = Assert.Single(JsonDocument.Parse(outcome.Out).RootElement.EnumerateArray());
        Assert.Equal(128, found.GetProperty("width").GetInt32());
        JsonElement[] objects = [.. found.GetProperty("objects").EnumerateArray()];
        Assert.NotEmpty(objects);
        Assert.All(objects, o => Assert.All(o.GetProperty("box").EnumerateArray(), edge => Assert.InRange(edge.GetSingle(), 0, 128)));
        float[] scores = [.. objects.Select(o => o.GetProperty("score").GetSingle())];
        Assert.Equal(scores.OrderDescending(), scores);
        using SkiaSharp.SKBitmap picture = SkiaSharp.SKBitmap.Decode(found.GetProperty("picture").GetString());
        Assert.Equal((128, 128), (picture.Width, picture.Height));

        // A picture takes the place of nothing: neither of its image beside it, nor of an earlier picture.
        string beside = Path.GetDirectoryName(image)!;
        Dictionary<string, byte[]> before = Directory.GetFiles(beside).ToDictionary(f => f, File.ReadAllBytes);
        for (int i = 1; i <= 2; i++)
        {
            string name = Path.Combine(beside, i == 1 ? "test_000001-found.png" : "test_000001-found-2.png");
            string said = Addernet.Run("predict", image, "--run", run, "--out", beside, "--min-score", "0", "--threads", "1").Succeeds();
            Assert.Contains($"objects, drawn in {name}", said, StringComparison.Ordinal);
            Assert.All(before, file => Assert.Equal(file.Value, File.ReadAllBytes(file.Key)));
            Assert.False(before.ContainsKey(name));
            before.Add(name, File.ReadAllBytes(name));
        }

        FilesOfADetectorAreUsedAsItsRun(folder, run, data, image, objects);
    }

    /// <summary>What is exported and quantized finds what the run finds.</summary>
    private static void FilesOfADetectorAreUsedAsItsRun(TempFolder folder, string run, string data, string image, JsonElement[] objects)
    {
        string onnx = folder["run.onnx"], graph = folder["run.safetensors"], eight = folder["eight.safetensors"];
        Assert.Contains(
            "it gives boxes, scores and labels", Addernet.Run("export", run, "--to", "onnx", onnx).Succeeds(), StringComparison.Ordinal);
        Addernet.Run("export", run, "--to", "graph", graph).Succeeds();
        Assert.Contains("ends in .safetensors", Addernet.Run("export", run, "--to", "graph", folder["run.net"]).FailsWith(ExitCode.Failure));
        foreach (string file in (string[])[onnx, graph])
        {
            JsonElement[] found = Predict(file);
            Assert.Equal(objects.Length, found.Length);
            Assert.All(objects.Zip(found), o =>
                Assert.Equal(o.First.GetProperty("score").GetSingle(), o.Second.GetProperty("score").GetSingle(), 1e-3f));
        }

        foreach (string target in (string[])["c", "web", "native"])
        {
            string refusal = Addernet.Run("export", target == "c" ? run : graph, "--to", target, folder["none"]).FailsWith(ExitCode.Failure);
            Assert.Contains($"is a detector, and --to {target} has no boxes; use --to onnx, or --to graph.", refusal, StringComparison.Ordinal);
        }

        Assert.False(Path.Exists(folder["none"]));

        string[] quantize = ["quantize", run, "--data-dir", data, "--calibration", "2", "--threads", "1", "--out", eight];
        JsonElement told = JsonDocument.Parse(Addernet.Run([.. quantize, "--json"]).Succeeds()).RootElement;
        Assert.Equal(["map50", "map", "weightBytes"], told.GetProperty("before").EnumerateObject().Select(p => p.Name));
        Assert.Contains("--epochs is for models that tell images apart", Addernet.Run([.. quantize, "--epochs", "1"]).FailsWith(ExitCode.Usage));
        JsonElement measured = JsonDocument.Parse(Addernet.Run("eval", eight, "--data-dir", data, "--threads", "1", "--json").Succeeds()).RootElement;
        Assert.Equal(told.GetProperty("after").GetProperty("map").GetDouble(), measured.GetProperty("all").GetProperty("map").GetDouble());
        Assert.NotEmpty(Predict(eight));
        Assert.Contains("use --to onnx", Addernet.Run("export", eight, "--to", "c", folder["none"]).FailsWith(ExitCode.Failure));
        Assert.Contains("is quantized", Addernet.Run("export", eight, "--to", "onnx", folder["none"]).FailsWith(ExitCode.Failure));

        string bench = Addernet.Run("bench", eight, "--data-dir", data, "--batch-size", "2", "--threads", "1", "--json").Succeeds();
        JsonElement[] rows = [.. JsonDocument.Parse(bench).RootElement.GetProperty("measurements").EnumerateArray()];
        Assert.Equal(["8 bits", "8 bits"], rows.Select(r => r.GetProperty("width").GetString()));
        Assert.Contains("has no boxes; name other data", Addernet.Run("bench", eight, "--data", "mnist").FailsWith(ExitCode.Usage));

        JsonElement[] Predict(string file)
        {
            string[] arguments = ["predict", image, "--run", file, "--out", folder["found"], "--min-score", "0", "--json", "--threads", "1"];
            return [.. JsonDocument.Parse(Addernet.Run(arguments).Succeeds()).RootElement[0].GetProperty("objects").EnumerateArray()];
        }
    }

    [Fact]
    public void Fewer_epochs_than_a_recipe_warms_up_for_shorten_the_warm_up_only_on_the_command_line()
    {
        using TempFolder folder = new();
        string path = folder["recipe.json"], recipe = Addernet.Run("train", "--data", "digits", "--print-recipe").Succeeds();
        File.WriteAllText(path, Regex.Replace(recipe, "\"warmupEpochs\": \\d+", "\"warmupEpochs\": 5"));
        string printed = Addernet.Run("train", "--recipe", path, "--epochs", "3", "--print-recipe").Succeeds();
        Assert.Equal(2, JsonDocument.Parse(printed).RootElement.GetProperty("warmupEpochs").GetInt32());
        File.WriteAllText(path, Regex.Replace(File.ReadAllText(path), "\"epochs\": \\d+", "\"epochs\": 4"));
        Assert.Contains("warmupEpochs is 5", Addernet.Run("train", "--recipe", path).FailsWith(ExitCode.Failure), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("train --data digits --model resnet20", "ResNet-20 finds none; use --model fcos-resnet20, fcos-resnet18, fcos-resnet50")]
    [InlineData("train --data mnist --model fcos-resnet20", "FCOS-ResNet-20 finds objects, and MNIST has images of one class each")]
    [InlineData("train --data digits --layers bnn", "not of binary layers")]
    [InlineData("train --data mnist --neck fpn", "--neck is for detection")]
    [InlineData("train --data digits --neck pan", "--neck takes rpafpn or fpn")]
    [InlineData("info fcos-resnet20 --layers bnn", "not of binary layers")]
    [InlineData("datasets --write voc", "name it with --out")]
    [InlineData("datasets --images 4", "--images belongs to --write")]
    public void What_does_not_go_together_is_told(string arguments, string says) =>
        Assert.Contains(says, Addernet.Run(arguments.Split(' ')).FailsWith(ExitCode.Usage), StringComparison.Ordinal);

    [Fact]
    public void Bad_labels_and_images_are_told_before_training()
    {
        using TempFolder folder = new();
        Addernet.Run("datasets", "--write", "coco", "--out", folder["digits"], "--images", "8").Succeeds();
        string labels = Path.Combine(folder["digits"], "annotations", "instances_train.json");
        File.WriteAllText(labels, File.ReadAllText(labels).Replace("\"bbox\":[", "\"bbox\":[-", StringComparison.Ordinal));
        Outcome outcome = Addernet.Run("train", "--data", "coco", "--data-dir", folder["digits"], "--out", folder["run"]);
        Assert.Equal(ExitCode.Failure, outcome.ExitCode);
        Assert.Contains($"{labels} line 1: the box of", outcome.Error, StringComparison.Ordinal);
        Assert.Contains("--skip-damaged", outcome.Error, StringComparison.Ordinal);
        Assert.False(Directory.Exists(folder["run"]));
        string nowhere = Addernet.Run("train", "--data", "voc").FailsWith(ExitCode.Failure);
        Assert.Contains("give its path with --data-dir", nowhere, StringComparison.Ordinal);
    }

    [Fact]
    public void Options_of_detectors_are_in_the_recipe()
    {
        JsonElement recipe = JsonDocument.Parse(Addernet.Run(
            "train", "--data", "digits", "--neck", "fpn", "--neck-layers", "cnn", "--head-layers", "adder", "--freeze-batchnorm",
            "--input-gradient", "sign", "--image-size", "96", "--backbone", "some/run", "--print-recipe").Succeeds()).RootElement;
        JsonElement detection = recipe.GetProperty("detection");
        Assert.Equal("fpn", detection.GetProperty("neck").GetString());
        Assert.Equal("cnn", detection.GetProperty("neckLayers").GetString());
        Assert.Equal("adder", detection.GetProperty("headLayers").GetString());
        Assert.True(detection.GetProperty("freezeBatchNorm").GetBoolean());
        Assert.Equal(Path.GetFullPath("some/run"), detection.GetProperty("backbone").GetString());
        Assert.Equal("sign", recipe.GetProperty("inputGradient").GetString());
        Assert.Equal(96, recipe.GetProperty("testAugmentation").GetProperty("scaleJitter").GetProperty("size").GetInt32());
    }
}
