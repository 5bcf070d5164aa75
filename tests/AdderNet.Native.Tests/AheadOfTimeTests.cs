using System.Globalization;
using System.Runtime.Intrinsics.X86;
using AdderNet.Graph;
using AdderNet.Infer;
using AdderNet.Inference;

namespace AdderNet.Native.Tests;

/// <summary>What <c>./native</c> compiled ahead of time, run as its users run it.</summary>
public sealed class AheadOfTimeTests : IDisposable
{
    private readonly TempFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void The_example_in_C_compiles_without_warnings_and_gives_the_engines_class()
    {
        string library = Path.GetDirectoryName(Repository.Native("libaddernet.so"))!;
        string program = Path.Combine(folder.Path, "classify");
        (int exit, _, string error) = Repository.Run(
            Repository.Program("cc"), "-std=c99", "-Wall", "-Wextra", "-Werror", Path.Combine(library, "classify.c"), $"-I{library}", $"-L{library}",
            "-laddernet", $"-Wl,-rpath,{library}", "-o", program);
        Assert.True(exit == 0, error);
        (string model, string image, string expected) = Expected();

        Assert.Equal((0, expected, ""), Repository.Run(program, model, image));
        (exit, _, error) = Repository.Run(program, model + "x", image);
        Assert.Equal(1, exit);
        Assert.Contains(model + "x", error, StringComparison.Ordinal);
    }

    [Fact]
    public void The_example_in_Python_gives_the_engines_class()
    {
        string example = Repository.Native("classify.py");
        (string model, string image, string expected) = Expected();

        Assert.Equal((0, expected, ""), Repository.Run(Repository.Program("python3"), example, model, image));
    }

    [Fact]
    public void The_library_computes_with_this_processors_vectors()
    {
        (string build, int floats, string register) = Avx512BW.VL.IsSupported ? ("x86-64-v4", 16, "zmm")
            : Avx2.IsSupported ? ("x86-64-v3", 8, "ymm")
            : Sse42.IsSupported ? ("x86-64-v2", 4, "xmm")
            : ("any", 4, "v");
        string library = Repository.Native("libaddernet.so"), code = Repository.Native($"libaddernet-{build}.so");
        (int exit, string output, string error) = Repository.Run(
            Repository.Program("python3"), "-c", $"import ctypes; print(ctypes.CDLL('{library}').addernet_vector_width())");
        Assert.Equal((0, $"{floats}", ""), (exit, output.Trim(), error));

        // What it says is what it was compiled for: minima of bytes and of floats are in registers of that width.
        if (Sse42.IsSupported)
        {
            (_, string instructions, _) = Repository.Run(Repository.Program("objdump"), "-d", "--no-show-raw-insn", code);
            Assert.Matches($@"pminub .*%{register}\d", instructions);
            Assert.Matches($@"minps .*%{register}\d", instructions);
        }
    }

    [Fact]
    public void The_program_prints_what_it_prints_in_this_process()
    {
        string program = Repository.Native("addernet-infer"), model = Saved(), image = Path.Combine(folder.Path, "image.ppm");
        File.WriteAllBytes(image, Models.Ppm(9, 11, Models.Bytes(9 * 11 * 3)));
        using StringWriter output = new(), error = new();
        int exit = Command.Run([model, image], output, error);

        Assert.Equal((exit, output.ToString(), error.ToString()), Repository.Run(program, model, image));
        Assert.Equal(2, Repository.Run(program).ExitCode);
    }

    private (string Model, string Image, string Expected) Expected()
    {
        string model = Saved(), image = Path.Combine(folder.Path, "image.raw");
        byte[] bytes = Models.Bytes(3 * 144);
        File.WriteAllBytes(image, bytes);
        float[] mean = [.5f, .4f, .3f], scores = new float[3];
        float[] input = [.. Enumerable.Range(0, bytes.Length).Select(i => (bytes[i % 144 * 3 + i / 144] / 255f - mean[i / 144]) / .25f)];
        using Engine engine = Engine.Load(model, threads: 1);
        engine.Run(input, scores);
        int best = scores.AsSpan().IndexOf(scores.Max());
        return (model, image, string.Create(CultureInfo.InvariantCulture, $"{best} {Models.ClassNames[best]} {scores[best]:F3}\n"));
    }

    private string Saved()
    {
        string path = Path.Combine(folder.Path, "model.safetensors");
        Models.Small(Models.Padded).Save(path);
        return path;
    }
}
