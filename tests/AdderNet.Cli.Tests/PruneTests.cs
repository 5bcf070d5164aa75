using System.Text.Json;
using AdderNet.Graph;

namespace AdderNet.Cli.Tests;

public class PruneTests(TinyRun tiny) : IClassFixture<TinyRun>
{
    [Fact]
    public void Without_options_it_tells_what_costs_nothing_and_writes_nothing()
    {
        string[] before = Directory.GetFiles(tiny.Run, "*", SearchOption.AllDirectories);

        string text = Addernet.Run("prune", tiny.Run, "--data-dir", tiny.Data, "--threads", "1").Succeeds();
        JsonElement told = Json("prune", tiny.Run, "--data-dir", tiny.Data, "--threads", "1", "--json");

        Assert.Contains("skipped   plain  compared  work left", text);
        Assert.All((string[])["conv2", "conv3", "conv4", "all"], layer => Assert.Contains($"\n{layer} ", text));
        Assert.DoesNotContain("\nconv1 ", text);
        JsonElement conv2 = told.GetProperty("layers")[0], taps = conv2.GetProperty("taps");
        Assert.Equal(
            (6 * 16 * 25, true), (taps.GetProperty("skipped").GetInt32() + taps.GetProperty("plain").GetInt32() + taps.GetProperty("compared").GetInt32(),
                conv2.GetProperty("afterRelu").GetBoolean()));
        Assert.InRange(taps.GetProperty("skipped").GetInt32(), 1, 2399);
        Assert.True(told.GetProperty("total").GetProperty("additions").GetInt64() < told.GetProperty("total").GetProperty("allAdditions").GetInt64());
        Assert.Equal(before, Directory.GetFiles(tiny.Run, "*", SearchOption.AllDirectories));
    }

    [Fact]
    public void Free_taps_narrow_layers_products_and_few_frequencies_are_trained_on_and_eval_quantize_and_prune_take_the_file()
    {
        string file = tiny["pruned.safetensors"];

        Outcome outcome = Addernet.Run(
            "prune", tiny.Run, "--taps", "0.8", "--channels", "0.2", "--svd", "8", "--frequencies", "3", "--epochs", "2", "--data-dir", tiny.Data, "--out", file, "--threads", "1",
            "--batch-size", "40", "--json");

        JsonElement told = JsonDocument.Parse(outcome.Succeeds()).RootElement;
        Assert.Contains("fine-tuning, epoch 2 of 2", outcome.Error);
        NetworkGraph graph = GraphFile.Load(file);
        double left = new TapWork(graph).All.Left;
        Assert.InRange(left, 0, 0.2);
        Assert.Equal(left, told.GetProperty("after").GetProperty("tapsLeft").GetDouble(), 1e-9);
        Assert.Equal("fc", told.GetProperty("svd")[0].GetProperty("layer").GetString());
        JsonElement waves = told.GetProperty("frequencies")[0];
        Assert.Equal(("conv1", 25, 3), (waves.GetProperty("layer").GetString(), waves.GetProperty("full").GetInt32(), waves.GetProperty("kept").GetArrayLength()));
        Assert.InRange(waves.GetProperty("error").GetDouble(), 1e-6, 1);
        Assert.True(told.GetProperty("after").GetProperty("multiplications").GetInt64() < told.GetProperty("before").GetProperty("multiplications").GetInt64());
        Assert.Contains(told.GetProperty("channels").EnumerateArray(), c => c.GetProperty("after").GetInt32() < c.GetProperty("before").GetInt32());
        Assert.True(told.GetProperty("after").GetProperty("weightBytes").GetInt64() < told.GetProperty("before").GetProperty("weightBytes").GetInt64());
        Assert.Equal(("lenet5-bn", "mnist"), (graph.Metadata.Model, graph.Metadata.Dataset));
        double top1 = told.GetProperty("after").GetProperty("top1").GetDouble();
        Assert.InRange(top1, 0.5, 1);
        Assert.Equal(top1, Json("eval", file, "--data-dir", tiny.Data, "--json").GetProperty("top1").GetDouble());
        JsonElement integers = Json(
            "quantize", file, "--bits", "7", "--epochs", "1", "--calibration", "32", "--data-dir", tiny.Data, "--out", tiny["seven.safetensors"], "--threads", "1", "--json");
        Assert.True(integers.GetProperty("layers").EnumerateArray().Single(l => l.GetProperty("name").GetString() == "conv3").GetProperty("skipped").GetDouble() > 0.5);

        // What is there is not lost, and a pruned network can be pruned again.
        Assert.Contains("exists", Addernet.Run("prune", tiny.Run, "--taps", "0.8", "--data-dir", tiny.Data, "--out", file).FailsWith(ExitCode.Failure));
        string again = Addernet.Run("prune", file, "--taps", "0.9", "--data-dir", tiny.Data, "--out", tiny["again.safetensors"], "--threads", "1").Succeeds();
        Assert.Matches(@"40 images: \d+\.\d\d %, pruned \d+\.\d\d % \(.*points\)", again);
        Assert.Matches(@"Milliseconds a picture, before and after: \d", again);
        Assert.Contains("is quantized", Addernet.Run(
            "prune", tiny["seven.safetensors"], "--taps", "0.9", "--data-dir", tiny.Data, "--out", tiny["no"]).FailsWith(ExitCode.Failure));
    }

    [Theory]
    [InlineData("--taps", "1.5")]
    [InlineData("--channels", "-1")]
    [InlineData("--svd", "2.5")]
    [InlineData("--frequencies", "2.5")]
    [InlineData("--epochs", "3")]
    public void What_makes_no_sense_is_refused(string option, string value) =>
        Assert.Contains(option, Addernet.Run("prune", tiny.Run, option, value, "--data-dir", tiny.Data, "--out", tiny["none"]).FailsWith(ExitCode.Usage));

    [Theory]
    [InlineData("--force")]
    [InlineData("--batch-size", "8")]
    public void What_changes_nothing_is_told(params string[] options) =>
        Assert.Contains($"{options[0]} needs something to prune", Addernet.Run(["prune", tiny.Run, .. options]).FailsWith(ExitCode.Usage));

    [Fact]
    public void Info_of_a_run_counts_what_is_left_without_skipped_taps()
    {
        JsonElement run = Json("info", tiny.Run, "--json"), model = Json("info", "lenet5-bn", "--json");

        Assert.Equal(model.GetProperty("additions").GetInt64(), run.GetProperty("additions").GetInt64());
        Assert.True(run.GetProperty("additionsLeft").GetInt64() < run.GetProperty("additions").GetInt64());
        JsonElement energy = run.GetProperty("energyMicrojoules");
        Assert.True(energy.GetProperty("float32Left").GetDouble() < energy.GetProperty("float32").GetDouble());
        Assert.Matches(@"conv2 +Adder2d +16x10x10 +2,400 +- +480,000 +\d", Addernet.Run("info", tiny.Run).Succeeds());
        Assert.Contains("leave out --layers", Addernet.Run("info", tiny.Run, "--layers", "cnn").FailsWith(ExitCode.Usage));
    }

    [Fact]
    public void The_page_of_an_analysis_holds_all_it_shows_and_both_networks()
    {
        // Bare weights beside a run are taken for a model of its kind.
        string pruned = tiny["taps.safetensors"], bare = tiny["other.pth"], page = tiny["page.html"];
        Addernet.Run("prune", tiny.Run, "--taps", "0.7", "--data-dir", tiny.Data, "--out", pruned, "--threads", "1", "--batch-size", "40").Succeeds();
        Addernet.Run("convert", pruned, bare).Succeeds();

        Assert.Contains(page, Addernet.Run("analyze", tiny.Run, "--with", bare, "--data-dir", tiny.Data, "--out", page, "--threads", "1").Succeeds());
        Assert.Contains("exists", Addernet.Run("analyze", tiny.Run, "--data-dir", tiny.Data, "--out", page).FailsWith(ExitCode.Failure));
        Assert.Contains("make it first", Addernet.Run("analyze", tiny.Run, "--data-dir", tiny.Data, "--out", Path.Combine(tiny["no"], "page.html")).FailsWith(ExitCode.Failure));

        string html = File.ReadAllText(page);
        Assert.Contains("data:image/svg+xml;base64,", html);
        Assert.DoesNotContain("http://", html.Replace("http://www.w3.org", "", StringComparison.Ordinal), StringComparison.Ordinal);
        Assert.All((string[])["conv1", "conv4", "fc", "dead channels", "other.pth", "Gradients", "BatchNorm"], word => Assert.Contains(word, html));
    }

    private static JsonElement Json(params string[] arguments) => JsonDocument.Parse(Addernet.Run(arguments).Succeeds()).RootElement;
}
