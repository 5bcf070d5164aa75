using System.Text.Json;

namespace AdderNet.Cli.Tests;

public class BenchTests(TinyRun tiny) : IClassFixture<TinyRun>
{
    [Fact]
    public void Every_width_is_measured_at_both_batch_sizes_and_takes_less_memory_than_float32()
    {
        string json = Addernet.Run("bench", tiny.Run, "--data-dir", tiny.Data, "--batch-size", "3", "--threads", "1", "--json").Succeeds();

        JsonElement[] rows = [.. JsonDocument.Parse(json).RootElement.GetProperty("measurements").EnumerateArray()];
        string[] widths = ["float32", "8 bits", "7 bits", "6 bits", "5 bits", "4 bits"];
        Assert.Equal(
            widths.Select(w => (w, 1)).Concat(widths.Select(w => (w, 3))),
            rows.Select(r => (r.GetProperty("width").GetString()!, r.GetProperty("batch").GetInt32())));
        Assert.All(rows, r => Assert.Equal(
            1000 * r.GetProperty("batch").GetInt32() / r.GetProperty("milliseconds").GetDouble(), r.GetProperty("imagesPerSecond").GetDouble(), 1e-6));
        Assert.All(rows.Where(r => r.GetProperty("width").GetString() != "float32"), r => Assert.InRange(
            r.GetProperty("weightBytes").GetInt64(), 1, rows[0].GetProperty("weightBytes").GetInt64() - 1));
        Assert.All(rows, r => Assert.InRange(
            r.GetProperty("peakBytes").GetInt64(), 1, r.GetProperty("activationBytes").GetInt64()));
    }

    [Fact]
    public void A_quantized_network_and_a_convolutional_one_are_measured_as_they_are()
    {
        string six = tiny["six.safetensors"], cnn = Path.Combine(AppContext.BaseDirectory, "TestData", "pytorch_cnn.onnx");
        Addernet.Run("quantize", tiny.Run, "--bits", "6", "--calibration", "32", "--data-dir", tiny.Data, "--out", six, "--threads", "1").Succeeds();

        Assert.Equal(["6 bits", $"6 bits, {six}", "6 bits", $"6 bits, {six}"], Widths(Bench(six, "--with", six)));
        Outcome outcome = Bench(cnn, "--data", "mnist");
        Assert.Equal(["float32", "float32"], Widths(outcome));
        Assert.Contains("Float32 only", outcome.Error);

        Outcome Bench(string file, params string[] data) =>
            Addernet.Run(["bench", file, .. data, "--data-dir", tiny.Data, "--batch-size", "3", "--threads", "1", "--json"]);

        static IEnumerable<string?> Widths(Outcome outcome) => JsonDocument.Parse(outcome.Succeeds()).RootElement.GetProperty("measurements")
            .EnumerateArray().Select(row => row.GetProperty("width").GetString());
    }
}
