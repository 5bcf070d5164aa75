using System.Reflection;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
using AdderNet.Graph;
using AdderNet.Inference;

namespace AdderNet.Native.Tests;

/// <summary>The functions of addernet.h, called as C calls them.</summary>
public sealed unsafe class ExportsTests : IDisposable
{
    private static readonly delegate* unmanaged<byte*, int, nint> Load = &Exports.Load;
    private static readonly delegate* unmanaged<nint, float*, int, float*, int> RunModel = &Exports.Run;
    private static readonly delegate* unmanaged<nint, void> FreeModel = &Exports.Free;

    private readonly TempFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void A_model_tells_its_shapes_and_class_names_and_computes_what_the_engine_does()
    {
        string path = Saved(Models.Small(Models.Padded));
        float[] images = Models.Image(5 * 3 * 12 * 12), expected = new float[5 * 3], scores = new float[5 * 3];
        using (Engine engine = Engine.Load(path, threads: 1))
        {
            engine.Run(images, expected);
        }

        nint model = LoadFile(path);
        Assert.True(model != 0, LastError());
        delegate* unmanaged<nint, int*, int> inputShape = &Exports.GetInputShape, outputShape = &Exports.GetOutputShape;
        delegate* unmanaged<nint, int> outputLength = &Exports.GetOutputLength, classCount = &Exports.GetClassCount;
        delegate* unmanaged<nint, int, byte*> className = &Exports.GetClassName;
        delegate* unmanaged<nint, float*, float*, int> normalization = &Exports.GetNormalization;
        int* shape = stackalloc int[3];
        float* mean = stackalloc float[3], std = stackalloc float[3];

        Assert.Equal(0, inputShape(model, shape));
        Assert.Equal([3, 12, 12], new Span<int>(shape, 3).ToArray());
        Assert.Equal(0, outputShape(model, shape));
        Assert.Equal([3, 1, 1], new Span<int>(shape, 3).ToArray());
        Assert.Equal(3, outputLength(model));
        Assert.Equal(3, classCount(model));
        Assert.Equal(Models.ClassNames, Names());
        Assert.Equal(0, normalization(model, mean, std));
        Assert.Equal([.5f, .4f, .3f], new Span<float>(mean, 3).ToArray());
        Assert.Equal([.25f, .25f, .25f], new Span<float>(std, 3).ToArray());
        Assert.Equal(0, Run(model, images, 5, scores));
        Assert.Equal(expected, scores);
        FreeModel(model);

        string?[] Names()
        {
            string?[] names = new string?[3];
            for (int i = 0; i < names.Length; i++)
            {
                names[i] = Marshal.PtrToStringUTF8((nint)className(model, i));
            }

            return names;
        }
    }

    [Fact]
    public void What_is_wrong_is_told_in_a_sentence_and_by_the_result()
    {
        nint model = LoadFile(Saved(Models.Small()));
        float[] image = Models.Image(3 * 12 * 12), scores = new float[3];
        delegate* unmanaged<nint, int, byte*> className = &Exports.GetClassName;
        delegate* unmanaged<nint, float*, float*, int> normalization = &Exports.GetNormalization;
        float value;

        Assert.Equal(-1, Run(model, image, 0, scores));
        Assert.Contains("images is 0", LastError(), StringComparison.Ordinal);
        Assert.Equal(-1, Run(model, image, int.MaxValue, scores));
        Assert.Contains("images is 2147483647", LastError(), StringComparison.Ordinal);
        Assert.Equal(-1, RunModel(model, null, 1, &value));
        Assert.Equal("input is NULL.", LastError());
        Assert.True(className(model, 3) is null);
        Assert.Contains("no name of class 3", LastError(), StringComparison.Ordinal);
        Assert.Equal(-1, normalization(model, &value, &value));
        Assert.Contains("normalized", LastError(), StringComparison.Ordinal);
        Assert.Equal(-1, Run(0, image, 1, scores));
        Assert.Contains("NULL", LastError(), StringComparison.Ordinal);

        FreeModel(model);
        Assert.Equal(-1, Run(model, image, 1, scores));
        Assert.Contains("was freed", LastError(), StringComparison.Ordinal);
        FreeModel(model);
        FreeModel(0);
    }

    [Fact]
    public void A_file_that_is_missing_cut_or_no_model_is_refused()
    {
        string path = Saved(Models.Small());
        byte[] content = File.ReadAllBytes(path);
        File.WriteAllBytes(path, content[..(content.Length / 2)]);

        Assert.Equal(0, LoadFile(path));
        Assert.Contains(path, LastError(), StringComparison.Ordinal);
        Assert.Equal(0, LoadFile(path + "x"));
        Assert.Contains(path + "x", LastError(), StringComparison.Ordinal);
        Assert.Equal(0, Load(null, 0));
        Assert.Equal("The path is NULL.", LastError());
        Assert.Equal(0, LoadFile(path, threads: -1));
        Assert.Contains("threads is -1", LastError(), StringComparison.Ordinal);
    }

    [Fact]
    public void Many_threads_compute_with_one_model_until_it_is_freed_under_them()
    {
        nint model = LoadFile(Saved(Models.Small()), threads: 2);
        float[] image = Models.Image(3 * 12 * 12), expected = new float[3];
        Assert.Equal(0, Run(model, image, 1, expected));
        int computed = 0;

        Parallel.For(0, 8, new ParallelOptions { CancellationToken = TestContext.Current.CancellationToken }, thread =>
        {
            float[] scores = new float[3];
            for (int i = 0; i < 200; i++)
            {
                if (thread == 7 && i == 100)
                {
                    FreeModel(model);
                }
                else if (Run(model, image, 1, scores) == 0)
                {
                    Assert.Equal(expected, scores);
                    Interlocked.Increment(ref computed);
                }
                else
                {
                    Assert.Contains("freed", LastError(), StringComparison.Ordinal);
                }
            }
        });

        Assert.InRange(computed, 100, 8 * 200 - 1);
    }

    [Fact]
    public void The_header_declares_what_the_library_exports()
    {
        string header = File.ReadAllText(Path.Combine(Repository.Root, "src", "AdderNet.Native", "addernet.h"));
        string[] declared = [.. Regex.Matches(header, @"^\w[\w ]*\W\*?(addernet_\w+)\(", RegexOptions.Multiline).Select(m => m.Groups[1].Value)];
        string[] exported =
        [
            .. typeof(Exports).GetMethods(BindingFlags.Static | BindingFlags.Public)
                .Select(m => m.GetCustomAttribute<UnmanagedCallersOnlyAttribute>()?.EntryPoint).OfType<string>(),
        ];
        delegate* unmanaged<int> version = &Exports.GetAbiVersion;

        Assert.Equal(declared.Order(StringComparer.Ordinal), exported.Order(StringComparer.Ordinal));
        Assert.Contains($"#define ADDERNET_ABI_VERSION {version()}\n", header, StringComparison.Ordinal);
    }

    private static int Run(nint model, float[] images, int count, float[] scores)
    {
        fixed (float* x = images, y = scores)
        {
            return RunModel(model, x, count, y);
        }
    }

    private static nint LoadFile(string path, int threads = 0)
    {
        nint text = Marshal.StringToCoTaskMemUTF8(path);
        nint model = Load((byte*)text, threads);
        Marshal.FreeCoTaskMem(text);
        return model;
    }

    private static string LastError()
    {
        delegate* unmanaged<byte*> lastError = &Exports.GetLastError;
        return Marshal.PtrToStringUTF8((nint)lastError())!;
    }

    private string Saved(NetworkGraph graph)
    {
        string path = Path.Combine(folder.Path, "model.safetensors");
        graph.Save(path);
        return path;
    }
}
