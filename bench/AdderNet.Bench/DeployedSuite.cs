using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Text.Json;
using AdderNet.Graph;
using AdderNet.Inference;
using Spectre.Console;

namespace AdderNet.Bench;

/// <summary>
/// <c>addernet-infer</c>, compiled ahead of time, with ResNet-20: a whole process that loads it and classifies one image.
/// </summary>
internal static class DeployedSuite
{
    private const int Rounds = 21;

    private sealed record Result(double Milliseconds, double Megabytes);

    /// <exception cref="BenchException">Something is missing, or a program failed.</exception>
    public static void Run()
    {
        string program = Path.GetFullPath(Path.Combine(Here(), "..", "..", "artifacts", "native", "addernet-infer"));
        if (!File.Exists(program))
        {
            throw new BenchException($"There is no {program}; make it with ./native.");
        }

        string python = Tool("python3", "python3");
        Tool("time", "time");

        DirectoryInfo folder = Directory.CreateTempSubdirectory("addernet-bench-");
        try
        {
            string image = Path.Combine(folder.FullName, "image.pgm");
            byte[] pixels = new byte[28 * 28];
            new Random(1).NextBytes(pixels);
            File.WriteAllBytes(image, [.. "P5 28 28 255\n"u8, .. pixels]);
            NetworkGraph adder = EngineSuite.Trained(new NetworkMetadata(
                "resnet20", "mnist", null, new InputPreparation([0.1307f], [0.3081f], CoverHeight: 28, CoverWidth: 28, Pad: 2)));
            List<(string Name, string Path)> files = [Saved("float32", adder)];
            float[] calibration = EngineSuite.Images(adder, 64);
            files.AddRange(EngineSuite.Bits.Select(bits => Saved($"{bits} bits", Quantizer.Quantize(adder, calibration, bits).Graph)));
            string[][] commands =
            [
                [program, "--help"],
                .. from file in files
                   from threads in (string[])["1", "2"]
                   select (string[])[program, file.Path, image, "--threads", threads],
            ];
            Result[] results = Start(python, commands);

            Table table = new Table().Title("addernet-infer with ResNet-20, from start to end").AddColumn("model")
                .AddColumn(new TableColumn("threads").RightAligned()).AddColumn(new TableColumn("file, KB").RightAligned())
                .AddColumn(new TableColumn("ms").RightAligned()).AddColumn(new TableColumn("MB in memory").RightAligned());
            table.AddRow("none (--help)", "", "", $"{results[0].Milliseconds:F1}", $"{results[0].Megabytes:F1}");
            for (int i = 1; i < results.Length; i++)
            {
                (string name, string path) = files[(i - 1) / 2];
                table.AddRow(
                    name, commands[i][^1], $"{new FileInfo(path).Length / 1024.0:F0}", $"{results[i].Milliseconds:F1}",
                    $"{results[i].Megabytes:F1}");
            }

            AnsiConsole.Write(table);

            (string, string) Saved(string name, NetworkGraph graph)
            {
                string path = Path.Combine(folder.FullName, $"{name.Replace(' ', '-')}.safetensors");
                graph.Save(path);
                return (name, path);
            }
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static Result[] Start(string python, string[][] commands)
    {
        string[] arguments = [Path.Combine(AppContext.BaseDirectory, "start.py"), $"{Rounds}", JsonSerializer.Serialize(commands)];
        ProcessStartInfo start = new(python, arguments) { RedirectStandardOutput = true };
        using Process process = Process.Start(start)!;
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0
            ? JsonSerializer.Deserialize<Result[]>(output, JsonSerializerOptions.Web)!
            : throw new BenchException("The programs could not be measured; the lines above say why.");
    }

    private static string Tool(string name, string package) => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
        .Select(folder => Path.Combine(folder, name)).FirstOrDefault(File.Exists)
        ?? throw new BenchException($"The program '{name}' is needed and not on the PATH; on Debian or Ubuntu: apt install {package}");

    private static string Here([CallerFilePath] string path = "") => Path.GetDirectoryName(path)!;
}
