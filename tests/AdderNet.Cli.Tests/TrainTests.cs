using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace AdderNet.Cli.Tests;

public partial class TrainTests(TinyRun tiny) : IClassFixture<TinyRun>
{
    [Fact]
    public void A_run_shows_every_epoch_and_ends_with_what_to_type_next()
    {
        string text = tiny.Training.Succeeds();
        Assert.StartsWith("AdderNet LeNet-5-BN on MNIST: 160 training and 40 test images, 6 epochs", text);
        Assert.Equal(6, EpochRow().Count(text));
        Assert.Contains($"Saved in {tiny.Run}", text);
        Assert.Contains($"{Host.CommandName} eval {tiny.Run} --data-dir {tiny.Data}", text);
        Assert.DoesNotContain('\u001b', text);
        Assert.True(Accuracy(text) > 60, text);
    }

    [Fact]
    public void Eval_finds_the_accuracy_that_training_told()
    {
        string text = Addernet.Run("eval", tiny.Run, "--last", "--data-dir", tiny.Data).Succeeds();
        Assert.Equal(Accuracy(tiny.Training.Out), Accuracy(text));
        JsonElement json = JsonDocument.Parse(Addernet.Run("eval", tiny.Run, "--last", "--data-dir", tiny.Data, "--json").Succeeds()).RootElement;
        Assert.Equal(Accuracy(text), 100 * json.GetProperty("top1").GetDouble(), 0.01);
        Assert.Equal(40, json.GetProperty("count").GetInt32());
    }

    [Fact]
    public void Predict_names_the_classes_of_images_of_any_size()
    {
        string small = tiny["small.png"], large = tiny["large.png"];
        TinyData.WritePng(small, 7, 28, 28);
        TinyData.WritePng(large, 7, 280, 280);
        string text = Addernet.Run("predict", small, large, "--run", tiny.Run, "--top", "3").Succeeds();
        Assert.Equal(2, text.Split('\n').Count(l => l.EndsWith(".png", StringComparison.Ordinal)));
        Assert.Equal(6, text.Split(" %").Length - 1);
        JsonElement[] json = [.. JsonDocument.Parse(Addernet.Run("predict", small, large, "--run", tiny.Run, "--json").Succeeds()).RootElement.EnumerateArray()];
        Assert.All(json, p => Assert.Equal("7", p.GetProperty("guesses")[0].GetProperty("class").GetString()));
        Assert.All(json, p => Assert.Equal(5, p.GetProperty("guesses").GetArrayLength()));
    }

    [Fact]
    public void A_complete_run_resumed_says_that_it_is_complete() =>
        Assert.Contains("the run is complete", Addernet.Run("train", "--resume", tiny.Run).Succeeds());

    [Fact]
    public void A_terminal_gets_bars_and_the_same_table()
    {
        string text = Addernet.RunLive([.. tiny.Train, "--out", tiny["live"]]).Succeeds();
        Assert.Contains("━", text);
        Assert.Contains("Ctrl-C stops", text);
        Assert.Equal(6, LiveEpochRow().Count(Escapes().Replace(text, "")));
    }

    [Fact]
    public void Scripts_get_an_object_an_epoch_and_one_with_the_result()
    {
        string[] lines = Addernet.Run([.. tiny.Train, "--json", "--out", tiny["json"]]).Succeeds().TrimEnd().Split('\n');
        Assert.Equal(7, lines.Length);
        Assert.Equal(Enumerable.Range(1, 6), lines[..6].Select(l => JsonDocument.Parse(l).RootElement.GetProperty("epoch").GetInt32()));
        Assert.Equal(6, JsonDocument.Parse(lines[6]).RootElement.GetProperty("epochs").GetInt32());
    }

    [Fact]
    public void An_AdderNet_starts_from_a_CNN_whose_run_says_the_rest()
    {
        string cnn = tiny["cnn"];
        Addernet.Run([.. tiny.Train, "--layers", "cnn", "--out", cnn]).Succeeds();
        string text = Addernet.Run("train", "--from", cnn, "--data-dir", tiny.Data, "--threads", "1", "--epochs", "3", "--out", tiny["from"]).Succeeds();
        Assert.StartsWith("AdderNet LeNet-5-BN on MNIST: 160 training and 40 test images, 3 epochs of batches of 16", text);
        Assert.Contains($"Starting from the CNN in {cnn}", text);
        Assert.True(Accuracy(text) > 60, text);
        JsonElement recipe = JsonDocument.Parse(File.ReadAllText(Path.Combine(tiny["from"], "recipe.json"))).RootElement;
        Assert.Equal(cnn, recipe.GetProperty("from").GetProperty("cnn").GetString());
        Assert.Equal((0.02, 2e-4), (recipe.GetProperty("learningRate").GetDouble(), recipe.GetProperty("weightDecay").GetDouble()));

        string weights = Directory.GetFiles(Path.Combine(cnn, "checkpoints"), "epoch-*6.safetensors").Single();
        recipe = JsonDocument.Parse(Addernet.Run("train", "--from", weights, "--lr", "0.01", "--print-recipe").Succeeds()).RootElement;
        Assert.Equal((weights, 0.01, 16), (recipe.GetProperty("from").GetProperty("cnn").GetString(), recipe.GetProperty("learningRate").GetDouble(), recipe.GetProperty("batchSize").GetInt32()));

        string pth = tiny["cnn.pth"];
        Addernet.Run("convert", cnn, pth).Succeeds();
        recipe = JsonDocument.Parse(Addernet.Run("train", "--from", pth, "--model", "lenet5-bn", "--print-recipe").Succeeds()).RootElement;
        Assert.Equal((50, 0.02), (recipe.GetProperty("epochs").GetInt32(), recipe.GetProperty("learningRate").GetDouble()));
    }

    [Fact]
    public void A_start_that_is_none_is_told_in_a_sentence()
    {
        Assert.Contains("There is no run and no file nowhere to start from.", Addernet.Run("train", "--from", "nowhere").FailsWith(1));
        Assert.Contains("it must be adder where 'from' names a CNN", Addernet.Run("train", "--from", tiny.Run, "--layers", "cnn").FailsWith(1));
        Assert.Contains(
            "LeNet-5-BN cannot start from", Addernet.Run("train", "--from", tiny.Run, "--data-dir", tiny.Data, "--out", tiny["none"]).FailsWith(1));
        Assert.False(Directory.Exists(tiny["none"]));
        Assert.Contains("--backbone", Addernet.Run("train", "--from", tiny.Run, "--data", "digits", "--model", "fcos-resnet20").FailsWith(2));
    }

    [Fact]
    public void An_AdderNet_learns_from_a_teacher_whose_run_says_the_rest_and_from_a_CNN_that_learns_beside_it()
    {
        string cnn = tiny["teacher"], onnx = tiny["teacher.onnx"];
        Addernet.Run([.. tiny.Train, "--layers", "cnn", "--out", cnn]).Succeeds();
        Addernet.Run("export", cnn, "--to", "onnx", onnx).Succeeds();
        string text = Addernet.Run(
            "train", "--teacher", cnn, "--teacher", onnx, "--temperature", "2", "--data-dir", tiny.Data, "--threads", "1", "--epochs", "4", "--out", tiny["taught"]).Succeeds();
        Assert.StartsWith("AdderNet LeNet-5-BN on MNIST: 160 training and 40 test images, 4 epochs of batches of 16", text);
        Assert.Contains($"Learning from {cnn}, {onnx}, too", text);
        Assert.Contains("soft loss", text);
        Assert.True(Accuracy(text) > 60, text);
        Assert.Equal(Accuracy(text), Accuracy(Addernet.Run("eval", tiny["taught"], "--last", "--data-dir", tiny.Data).Succeeds()));
        JsonElement distillation = JsonDocument.Parse(File.ReadAllText(Path.Combine(tiny["taught"], "recipe.json"))).RootElement.GetProperty("distillation");
        Assert.Equal((2, 64), (distillation.GetProperty("temperature").GetDouble(), distillation.GetProperty("teachers")[1].GetProperty("sha256").GetString()!.Length));

        text = Addernet.Run(
            "train", "--data-dir", tiny.Data, "--epochs", "4", "--batch-size", "16", "--threads", "1", "--distill", "progressive", "--out", tiny["progressive"]).Succeeds();
        Assert.Contains("Learning from a CNN of the same model, too, which is trained at the same time", text);
        Assert.Contains("CNN's accuracy", text);
        Assert.True(Accuracy(text) > 60, text);
    }

    [Theory]
    [InlineData(2, "--temperature says how to learn from teachers; name one with --teacher", "--temperature", "3")]
    [InlineData(1, "There is no run and no file nowhere to learn from.", "--teacher", "nowhere")]
    [InlineData(1, "left out where layers is not adder", "--distill", "progressive", "--layers", "cnn")]
    [InlineData(2, "Teachers are for models that tell images apart", "--distill", "progressive", "--data", "digits")]
    [InlineData(2, "--hint takes a layer's name", "--distill", "progressive", "--hint", "a=b=c")]
    public void A_lesson_that_cannot_be_is_told_in_a_sentence(int code, string says, params string[] arguments) =>
        Assert.Contains(says, Addernet.Run(["train", .. arguments]).FailsWith(code));

    [Fact]
    public void A_folder_that_holds_a_run_is_never_overwritten()
    {
        byte[] before = File.ReadAllBytes(Path.Combine(tiny.Run, "checkpoint.json"));
        Assert.Contains("--resume", Addernet.Run([.. tiny.Train, "--out", tiny.Run]).FailsWith(ExitCode.Failure));
        Assert.Equal(before, File.ReadAllBytes(Path.Combine(tiny.Run, "checkpoint.json")));
    }

    [Fact]
    public void Ctrl_C_keeps_the_epochs_that_are_done_and_tells_how_to_go_on()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no kill -INT.");
        using TempFolder work = new();
        string[] arguments = ["train", "--data-dir", tiny.Data, "--epochs", "100000", "--batch-size", "16", "--threads", "1"];
        string first = InterruptAfterAnEpoch(work.Path, arguments);
        Match resume = ResumeCommand().Match(first);
        Assert.True(resume.Success, first);
        int done = EpochRow().Count(first);
        Assert.InRange(done, 1, 99_999);
        string second = InterruptAfterAnEpoch(work.Path, resume.Groups["arguments"].Value.Split(' '));
        Assert.Contains($"\n{done + 1}/100000 ", second);
    }

    // Waits for a row of an epoch that was not there at the start, then presses Ctrl-C.
    private static string InterruptAfterAnEpoch(string folder, string[] arguments)
    {
        using Process process = Addernet.StartInterruptible(folder, arguments);
        Task<string> error = process.StandardError.ReadToEndAsync();
        List<string> lines = [];
        int before = Path.Exists(Path.Combine(folder, "runs")) ? File.ReadLines(Directory.GetFiles(folder, "metrics.csv", SearchOption.AllDirectories).Single()).Count() - 1 : 0;
        bool sent = false;
        while (process.StandardOutput.ReadLine() is { } line)
        {
            lines.Add(line);
            if (!sent && EpochRow().Count(string.Join('\n', lines) + '\n') > before)
            {
                sent = true;
                Process.Start("sh", ["-c", $"kill -INT {process.Id}"]).WaitForExit();
            }
        }

        process.WaitForExit();
        Assert.Equal(ExitCode.Interrupted, process.ExitCode);
        Assert.Contains("Ctrl-C again", error.Result);
        return string.Join('\n', lines) + '\n';
    }

    private static double Accuracy(string text) =>
        double.Parse(AccuracyText().Match(text).Groups[1].Value, CultureInfo.InvariantCulture);

    [GeneratedRegex(@"^ *\d+/\d+ .* % .* %.*$", RegexOptions.Multiline)]
    private static partial Regex EpochRow();

    [GeneratedRegex(@"\r +\d/6 .* % .* % +[\d,]+ +\d+:\d\d *$", RegexOptions.Multiline)]
    private static partial Regex LiveEpochRow();

    [GeneratedRegex(@"(?:Test|:) accuracy ([\d.]+) %")]
    private static partial Regex AccuracyText();

    [GeneratedRegex(@"\u001b\[[0-9;?]*[a-zA-Z]")]
    private static partial Regex Escapes();

    [GeneratedRegex(@"(?<arguments>train --resume \S+)")]
    private static partial Regex ResumeCommand();
}
