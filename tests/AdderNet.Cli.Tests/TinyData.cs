using System.Buffers.Binary;
using SkiaSharp;

namespace AdderNet.Cli.Tests;

/// <summary>A small data set in MNIST's layout that a small network learns at once: each class lights up its own stripe.</summary>
internal static class TinyData
{
    private const int Side = 28;

    /// <summary>Writes the four files, unzipped, and returns their folder.</summary>
    public static string Write(string folder, int train = 160, int test = 40, int classes = 10)
    {
        Directory.CreateDirectory(folder);
        WriteSplit(folder, "train", train, classes, seed: 1);
        WriteSplit(folder, "t10k", test, classes, seed: 2);
        return folder;
    }

    /// <summary>One image of a class, as PNG, at any size.</summary>
    public static void WritePng(string path, int label, int width, int height)
    {
        byte[] pixels = Image(label, new Random(3));
        using SKBitmap bitmap = new(Side, Side, SKColorType.Gray8, SKAlphaType.Opaque);
        pixels.CopyTo(bitmap.GetPixelSpan());
        using SKBitmap scaled = bitmap.Resize(new SKImageInfo(width, height, SKColorType.Rgba8888), SKSamplingOptions.Default);
        using SKData data = scaled.Encode(SKEncodedImageFormat.Png, 100);
        File.WriteAllBytes(path, data.ToArray());
    }

    private static void WriteSplit(string folder, string name, int count, int classes, int seed)
    {
        Random random = new(seed);
        byte[] labels = [.. Enumerable.Range(0, count).Select(i => (byte)(i % classes))];
        byte[] pixels = [.. labels.SelectMany(label => Image(label, random))];
        File.WriteAllBytes(Path.Combine(folder, $"{name}-images-idx3-ubyte"), [.. Header(3, count, Side, Side), .. pixels]);
        File.WriteAllBytes(Path.Combine(folder, $"{name}-labels-idx1-ubyte"), [.. Header(1, count), .. labels]);
    }

    private static byte[] Image(int label, Random random)
    {
        byte[] pixels = new byte[Side * Side];
        random.NextBytes(pixels);
        for (int i = 0; i < pixels.Length; i++)
        {
            bool lit = (i / Side - 4) / 2 == label % 10 && i / Side >= 4;
            pixels[i] = (byte)(pixels[i] / 8 + (lit ? 200 : 0));
        }

        return pixels;
    }

    private static byte[] Header(byte rank, params int[] sizes)
    {
        byte[] header = new byte[4 + 4 * sizes.Length];
        (header[2], header[3]) = (8, rank);
        for (int i = 0; i < sizes.Length; i++)
        {
            BinaryPrimitives.WriteInt32BigEndian(header.AsSpan(4 + 4 * i), sizes[i]);
        }

        return header;
    }
}
