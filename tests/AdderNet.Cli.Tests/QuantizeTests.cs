using System.Diagnostics;
using System.Text.Json;
using AdderNet.Graph;

namespace AdderNet.Cli.Tests;

public class QuantizeTests(TinyRun tiny) : IClassFixture<TinyRun>
{
    [Fact]
    public void A_run_in_six_bits_is_as_right_and_eval_and_predict_take_its_file()
    {
        string file = tiny["six.safetensors"], picture = tiny["five.png"];
        TinyData.WritePng(picture, 5, 40, 40);

        JsonElement told = Json("quantize", tiny.Run, "--bits", "6", "--calibration", "64", "--data-dir", tiny.Data, "--out", file, "--threads", "1", "--json");

        double before = Top1(told.GetProperty("before")), after = Top1(told.GetProperty("after"));
        Assert.InRange(after, before - 0.05, 1);
        Assert.Equal(64, told.GetProperty("calibration").GetInt32());
        JsonElement layer = told.GetProperty("layers").EnumerateArray().Single(l => l.GetProperty("name").GetString() == "conv2");
        Assert.Equal(6, layer.GetProperty("bits").GetInt32());
        Assert.Equal(
            1, layer.GetProperty("skipped").GetDouble() + layer.GetProperty("plain").GetDouble() + layer.GetProperty("compared").GetDouble(), 1e-9);

        Assert.Equal(after, Top1(Json("eval", file, "--data-dir", tiny.Data, "--json")));
        JsonElement guess = Json("predict", picture, "--run", file, "--json")[0].GetProperty("guesses")[0];
        JsonElement exact = Json("predict", picture, "--run", tiny.Run, "--json")[0].GetProperty("guesses")[0];
        Assert.Equal(exact.GetProperty("class").GetString(), guess.GetProperty("class").GetString());
        NetworkMetadata metadata = GraphFile.Load(file).Metadata;
        Assert.Equal(("lenet5-bn", "mnist", 2), (metadata.Model, metadata.Dataset, metadata.Preparation!.Pad));
    }

    [Fact]
    public void The_table_has_a_row_a_layer_and_the_accuracy_before_and_after()
    {
        string file = tiny["table.safetensors"];

        string text = Addernet.Run("quantize", tiny.Run, "--calibration", "32", "--data-dir", tiny.Data, "--out", file, "--threads", "1").Succeeds();

        Assert.Contains("skipped   plain  compared", text);
        Assert.All((string[])["conv1", "conv2", "conv3", "conv4", "fc"], layer => Assert.Contains($"\n{layer} ", text));
        Assert.Contains("40 images: float32", text);
        Assert.Contains($"Wrote {file}", text);
        Assert.Contains("exists", Addernet.Run("quantize", tiny.Run, "--data-dir", tiny.Data, "--out", file).FailsWith(ExitCode.Failure));
        Assert.Contains("no folder", Addernet.Run("quantize", tiny.Run, "--data-dir", tiny.Data, "--out", Path.Combine(tiny.Run, "no", "q")).FailsWith(ExitCode.Failure));
        Assert.Contains("quantized already", Addernet.Run("quantize", file, "--data-dir", tiny.Data, "--out", tiny["again"]).FailsWith(ExitCode.Failure));
        Assert.False(File.Exists(tiny["again"]));
    }

    [Fact]
    public void Fine_tuning_tells_accuracy_in_float_quantized_and_fine_tuned_and_writes_what_was_tuned()
    {
        string file = tiny["tuned.safetensors"], plain = tiny["plain.safetensors"];
        string[] four = ["quantize", tiny.Run, "--bits", "4", "--calibration", "64", "--data-dir", tiny.Data, "--threads", "1"];
        Addernet.Run([.. four, "--out", plain]).Succeeds();

        Outcome outcome = Addernet.Run([.. four, "--epochs", "2", "--out", file]);

        Assert.Matches(@"float32 \d+\.\d\d %, 4 bits \d+\.\d\d % \(.*points\), 4 bits after 2 epochs of fine-tuning \d+\.\d\d % \(.*points\)", outcome.Succeeds());
        Assert.Contains("\nconv4 ", outcome.Out);
        Assert.Contains("training", outcome.Out);
        string[] epochs = outcome.Error.TrimEnd().Split('\n');
        Assert.Equal(2, epochs.Length);
        Assert.StartsWith("fine-tuning, epoch 2 of 2: loss", epochs[1]);
        Assert.NotEqual(File.ReadAllBytes(plain), File.ReadAllBytes(file));
        double after = Top1(Json("eval", file, "--data-dir", tiny.Data, "--json"));
        JsonElement told = Json([.. four, "--epochs", "2", "--out", file, "--force", "--json"]);
        Assert.Equal(after, Top1(told.GetProperty("after")));
        Assert.Equal(Top1(Json("eval", plain, "--data-dir", tiny.Data, "--json")), Top1(told.GetProperty("untrained")));
    }

    [Fact]
    public void A_quantized_network_is_not_fine_tuned()
    {
        string file = tiny["graph.safetensors"];
        Addernet.Run("quantize", tiny.Run, "--calibration", "32", "--data-dir", tiny.Data, "--out", file, "--threads", "1").Succeeds();

        string message = Addernet.Run("quantize", file, "--epochs", "1", "--data-dir", tiny.Data, "--out", tiny["no"]).FailsWith(ExitCode.Failure);

        Assert.Contains("quantized already", message);
        Assert.False(File.Exists(tiny["no"]));
    }

    [Fact]
    public void Ctrl_C_in_fine_tuning_leaves_the_file_that_was_there()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no kill -INT.");
        string folder = Directory.CreateDirectory(tiny["stopped"]).FullName, file = Path.Combine(folder, "net.safetensors");
        File.WriteAllText(file, "what was there");
        using Process process = Addernet.StartInterruptible(
            folder, "quantize", tiny.Run, "--epochs", "100000", "--calibration", "32", "--data-dir", tiny.Data, "--out", file, "--force", "--threads", "1");

        string? first = process.StandardError.ReadLine();
        Process.Start("sh", ["-c", $"kill -INT {process.Id}"]).WaitForExit();
        Outcome outcome = Addernet.Finish(process);

        Assert.StartsWith("fine-tuning, epoch 1 of 100000", first);
        Assert.Equal(ExitCode.Interrupted, outcome.ExitCode);
        Assert.Contains("Stopping after this batch", outcome.Error);
        Assert.Equal("what was there", File.ReadAllText(file));
        Assert.Equal([file], Directory.GetFileSystemEntries(folder));
    }

    [Theory]
    [InlineData("--bits", "3")]
    [InlineData("--bits", "9")]
    [InlineData("--calibration", "0")]
    [InlineData("--epochs", "0")]
    public void Numbers_out_of_range_are_refused(string option, string value)
    {
        string file = tiny["none.safetensors"];

        Assert.Contains(option, Addernet.Run("quantize", tiny.Run, option, value, "--data-dir", tiny.Data, "--out", file).FailsWith(ExitCode.Usage));
        Assert.False(File.Exists(file));
    }

    private static double Top1(JsonElement result) => result.GetProperty("top1").GetDouble();

    private static JsonElement Json(params string[] arguments) => JsonDocument.Parse(Addernet.Run(arguments).Succeeds()).RootElement;
}
