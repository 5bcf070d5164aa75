using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace AdderNet.Kernels.Tests;

/// <summary>Inputs and results of the published implementation, stored as safetensors.</summary>
public class ReferenceTests
{
    public static TheoryData<string> Files =>
        [.. Directory.GetFiles(Path.Combine(AppContext.BaseDirectory, "TestData"), "*.safetensors").Select(f => Path.GetFileName(f)!).Order()];

    [Theory]
    [MemberData(nameof(Files))]
    public void Forward_and_gradients_equal_the_published_implementation(string file)
    {
        (JsonElement header, byte[] data) = Read(file);
        int[] input = Shape(header, "input"), weight = Shape(header, "weight");
        int stride = Option(header, "stride"), padding = Option(header, "padding");
        AdderShape shape = new(input[0], input[1], input[2], input[3], weight[0], weight[2], weight[3])
        {
            StrideH = stride,
            StrideW = stride,
            PaddingH = padding,
            PaddingW = padding,
        };
        float[] x = ChannelsLast(header, data, "input"), filters = Floats(header, data, "weight"), g = ChannelsLast(header, data, "grad_output");
        float[] y = new float[shape.YLength], gradX = new float[shape.XLength], gradFilters = new float[shape.FiltersLength];

        AdderKernel.Forward(shape, x, filters, y);
        Close(ChannelsLast(header, data, "output"), y, 1e-5);

        AdderKernel.InputGradient(shape, x, filters, g, gradX);
        Close(ChannelsLast(header, data, "grad_input"), gradX, 1e-4);

        // The published implementation scales the gradient by eta * sqrt(k) / norm before it returns it.
        AdderKernel.WeightGradient(shape, x, filters, g, gradFilters);
        double norm = Math.Sqrt(gradFilters.Sum(v => (double)v * v)), factor = 0.2 * Math.Sqrt(gradFilters.Length) / Math.Max(norm, 1e-12);
        Close(Floats(header, data, "grad_weight_normalized"), [.. gradFilters.Select(v => (float)(v * factor))], 1e-4);
    }

    private static void Close(float[] expected, float[] actual, double tolerance)
    {
        double small = tolerance * 0.01 * expected.Max(MathF.Abs);
        for (int i = 0; i < expected.Length; i++)
        {
            Assert.InRange(actual[i], expected[i] - tolerance * Math.Abs(expected[i]) - small, expected[i] + tolerance * Math.Abs(expected[i]) + small);
        }
    }

    private static (JsonElement Header, byte[] Data) Read(string file)
    {
        byte[] bytes = File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, "TestData", file));
        int length = (int)BinaryPrimitives.ReadInt64LittleEndian(bytes);
        return (JsonDocument.Parse(bytes.AsMemory(8, length)).RootElement, bytes[(8 + length)..]);
    }

    private static int Option(JsonElement header, string name) =>
        int.Parse(header.GetProperty("__metadata__").GetProperty(name).GetString()!, CultureInfo.InvariantCulture);

    private static int[] Shape(JsonElement header, string name) =>
        [.. header.GetProperty(name).GetProperty("shape").EnumerateArray().Select(e => e.GetInt32())];

    private static float[] Floats(JsonElement header, byte[] data, string name)
    {
        JsonElement offsets = header.GetProperty(name).GetProperty("data_offsets");
        return MemoryMarshal.Cast<byte, float>(data.AsSpan(offsets[0].GetInt32()..offsets[1].GetInt32())).ToArray();
    }

    private static float[] ChannelsLast(JsonElement header, byte[] data, string name)
    {
        float[] from = Floats(header, data, name), to = new float[from.Length];
        int[] shape = Shape(header, name);
        int channels = shape[1], pixels = shape[2] * shape[3];
        for (int i = 0; i < from.Length; i++)
        {
            int n = i / pixels / channels, c = i / pixels % channels, p = i % pixels;
            to[(n * pixels + p) * channels + c] = from[i];
        }

        return to;
    }
}
