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
        Assert.Contains("quantized already", Addernet.Run("quantize", file, "--data-dir", tiny.Data, "--out", tiny["again"]).FailsWith(ExitCode.Failure));
        Assert.False(File.Exists(tiny["again"]));
    }

    [Theory]
    [InlineData("--bits", "3")]
    [InlineData("--bits", "9")]
    [InlineData("--calibration", "0")]
    public void Numbers_out_of_range_are_refused(string option, string value)
    {
        string file = tiny["none.safetensors"];

        Assert.Contains(option, Addernet.Run("quantize", tiny.Run, option, value, "--data-dir", tiny.Data, "--out", file).FailsWith(ExitCode.Usage));
        Assert.False(File.Exists(file));
    }

    private static double Top1(JsonElement result) => result.GetProperty("top1").GetDouble();

    private static JsonElement Json(params string[] arguments) => JsonDocument.Parse(Addernet.Run(arguments).Succeeds()).RootElement;
}
