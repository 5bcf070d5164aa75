using System.Diagnostics;
using System.Text.Json;

namespace AdderNet.Bench;

/// <summary>ResNet-20 against the official algorithm in PyTorch, each in a process of its own, so that each has its own peak memory.</summary>
internal static class OfficialSuite
{
    public const string Inference = "official: resnet20 inference", Step = "official: resnet20 training step", Memory = "official: peak memory of the process";

    /// <summary>What a process prints about itself.</summary>
    private sealed record Result(double Inference, long InferencePeakBytes, double Step, long PeakBytes);

    private static readonly JsonSerializerOptions Json = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    /// <summary>The rows, or none where no python3 has torch.</summary>
    public static IEnumerable<Row> Measure(int threads, int batch)
    {
        string? python = FindPython();
        if (python is null)
        {
            Console.Error.WriteLine("The comparison with the official algorithm needs a python3 with torch (Debian: python3-torch); left out.");
            return [];
        }

        Result peer = Run(python, [Path.Combine(AppContext.BaseDirectory, "official_peer.py"), $"{threads}", $"{batch}", "1"]);
        Result ours = Run("dotnet", [typeof(OfficialSuite).Assembly.Location, "official-ours", $"{threads}", $"{batch}"]);
        string name = $"batch {batch}";
        return
        [
            new Row(Inference, name, threads, ours.Inference, peer.Inference, "s"),
            new Row(Step, name, threads, ours.Step, peer.Step, "s"),
            new Row(Memory, $"{name}, inference", threads, ours.InferencePeakBytes / 1e6, peer.InferencePeakBytes / 1e6, "MB"),
            new Row(Memory, $"{name}, training", threads, ours.PeakBytes / 1e6, peer.PeakBytes / 1e6, "MB"),
        ];
    }

    /// <summary>Our side of the comparison: the same work, printed in the same form.</summary>
    public static void RunOurs(int batch)
    {
        double inference = MedianSeconds(EngineSuite.AdderInference(batch));
        long inferencePeak = PeakBytes();
        double step = MedianSeconds(ModelSuite.AdderStep(batch));
        Console.WriteLine(JsonSerializer.Serialize(new Result(inference, inferencePeak, step, PeakBytes()), Json));
    }

    private static long PeakBytes()
    {
        using var self = Process.GetCurrentProcess();
        return self.PeakWorkingSet64;
    }

    private static double MedianSeconds(Action action) => Interleaved.Medians(TimeSpan.FromSeconds(3), 5, action)[0];

    private static string? FindPython() =>
        ((string[])["python3", "/usr/bin/python3"]).FirstOrDefault(p =>
        {
            try
            {
                using Process process = Start(p, ["-c", "import importlib.util, sys; sys.exit(importlib.util.find_spec('torch') is None)"]);
                process.StandardOutput.ReadToEnd();
                process.WaitForExit();
                return process.ExitCode == 0;
            }
            catch (System.ComponentModel.Win32Exception)
            {
                return false;
            }
        });

    private static Result Run(string program, IEnumerable<string> arguments)
    {
        using Process process = Start(program, arguments);
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0
            ? JsonSerializer.Deserialize<Result>(output, Json)!
            : throw new InvalidOperationException($"{program} ended with code {process.ExitCode}: {output}");
    }

    private static Process Start(string program, IEnumerable<string> arguments) =>
        Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = false })!;
}
