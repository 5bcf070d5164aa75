using System.Buffers.Binary;
using System.Formats.Tar;
using System.IO.Compression;
using SkiaSharp;

namespace AdderNet.Data.Tests;

/// <summary>Small files of each format, made of arithmetic, so that tests know every byte.</summary>
internal static class Samples
{
    public static readonly DatasetInfo Mnist = Datasets.Find("mnist");
    public static readonly DatasetInfo Cifar10 = Datasets.Find("cifar10");

    /// <summary>Bytes from a linear congruential generator.</summary>
    public static byte[] Noise(int length, uint seed)
    {
        byte[] bytes = new byte[length];
        uint state = seed;
        for (int i = 0; i < length; i++)
        {
            state = (state * 1103515245 + 12345) & 0x7FFFFFFF;
            bytes[i] = (byte)(state >> 16);
        }

        return bytes;
    }

    /// <summary>An IDX file of bytes.</summary>
    public static byte[] Idx(uint[] sizes, byte[] data)
    {
        byte[] file = [0, 0, 8, (byte)sizes.Length, .. new byte[4 * sizes.Length], .. data];
        for (int i = 0; i < sizes.Length; i++)
        {
            BinaryPrimitives.WriteUInt32BigEndian(file.AsSpan(4 + 4 * i), sizes[i]);
        }

        return file;
    }

    /// <summary>IDX images of MNIST's size.</summary>
    public static byte[] IdxImages(int count) => Idx([(uint)count, 28, 28], Noise(count * 784, 1));

    /// <summary>IDX labels 0, 1, .. 9, 0, ...</summary>
    public static byte[] IdxLabels(int count) => Idx([(uint)count], [.. Enumerable.Range(0, count).Select(i => (byte)(i % 10))]);

    /// <summary>CIFAR records whose labels count up from <paramref name="first"/>.</summary>
    public static byte[] Cifar(int count, int labelBytes = 1, int classes = 10, int first = 0)
    {
        byte[] file = Noise(count * (labelBytes + 3072), (uint)(first + 7));
        for (int i = 0; i < count; i++)
        {
            file[i * (labelBytes + 3072) + labelBytes - 1] = (byte)((first + i) % classes);
        }

        return file;
    }

    /// <summary>An archive as CIFAR-10's official one, with <paramref name="count"/> images a file.</summary>
    public static byte[] CifarTar(int count)
    {
        var members = new List<(string, byte[])> { ("cifar-10-batches-bin/readme.html", Noise(100, 3)) };
        for (int i = 1; i <= 5; i++)
        {
            members.Add(($"cifar-10-batches-bin/data_batch_{i}.bin", Cifar(count, first: i)));
        }

        members.Add(("cifar-10-batches-bin/test_batch.bin", Cifar(count, first: 6)));
        return Tar(members);
    }

    public static byte[] Tar(IEnumerable<(string Name, byte[] Content)> members)
    {
        var stream = new MemoryStream();
        using (var tar = new TarWriter(stream, TarEntryFormat.Ustar, leaveOpen: true))
        {
            foreach ((string name, byte[] content) in members)
            {
                tar.WriteEntry(new UstarTarEntry(TarEntryType.RegularFile, name) { DataStream = new MemoryStream(content) });
            }
        }

        return stream.ToArray();
    }

    public static byte[] Gzip(byte[] content)
    {
        var stream = new MemoryStream();
        using (var gzip = new GZipStream(stream, CompressionLevel.Fastest))
        {
            gzip.Write(content);
        }

        return stream.ToArray();
    }

    public static byte[] Gunzip(byte[] file)
    {
        using var gzip = new GZipStream(new MemoryStream(file), CompressionMode.Decompress);
        var content = new MemoryStream();
        gzip.CopyTo(content);
        return content.ToArray();
    }

    /// <summary>An image file of a smooth gradient with a dark square, or of one colour.</summary>
    public static byte[] ImageFile(int width, int height, SKEncodedImageFormat format, SKColor? colour = null)
    {
        using var bitmap = new SKBitmap(new SKImageInfo(width, height, SKColorType.Rgba8888, SKAlphaType.Unpremul));
        for (int y = 0; y < height; y++)
        {
            for (int x = 0; x < width; x++)
            {
                bitmap.SetPixel(x, y, colour ?? (x > width / 2 && y > height / 2
                    ? new SKColor(20, 30, 40)
                    : new SKColor((byte)(255 * x / width), (byte)(255 * y / height), 128)));
            }
        }

        using SKData data = bitmap.Encode(format, 90);
        return data.ToArray();
    }

    public static RawImage NoiseImage(int width, int height, uint seed) => new(height, width, 3, Noise(width * height * 3, seed));

    /// <summary>A data set of noise images in memory.</summary>
    public static Dataset NoiseDataset(int count, int height = 32, int width = 32, int channels = 3)
    {
        DatasetInfo info = Cifar10 with { Height = height, Width = width, Channels = channels };
        return Dataset.FromMemory(info, Noise(count * height * width * channels, 11), [.. Enumerable.Range(0, count).Select(i => i % 10)]);
    }
}
