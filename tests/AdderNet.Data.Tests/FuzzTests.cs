using System.Buffers.Binary;
using SkiaSharp;

namespace AdderNet.Data.Tests;

/// <summary>Every parser of data, fed with damaged files: a <see cref="DataException"/> or a valid result, in bounded memory.</summary>
public class FuzzTests
{
    private static readonly byte[] Labels = Samples.IdxLabels(4), Images = Samples.IdxImages(4);

    [Fact]
    public void The_engine_finds_a_parser_that_trusts_a_length_field()
    {
        byte[] seed = [4, 0, 0, 0, 1, 2, 3, 4, 0, 0, 0, 0];
        static void Trusting(byte[] data)
        {
            int length = BinaryPrimitives.ReadInt32LittleEndian(data);
            Assert.Equal(length, data.AsSpan(4, length).ToArray().Length);
        }

        Exception failure = Assert.ThrowsAny<Exception>(() => Fuzz.Check(seed, Trusting, typeof(InvalidDataException)));
        Assert.Contains("Case", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_same_seed_gives_the_same_cases()
    {
        byte[] seed = [.. Enumerable.Range(0, 200).Select(i => (byte)i)];
        Assert.Equal(Fuzz.Mutations(seed, 500, 3), Fuzz.Mutations(seed, 500, 3));
        Assert.True(Fuzz.Mutations(seed, 500, 3).Count(data => !data.SequenceEqual(seed)) > 480);
    }

    [Fact]
    public void IDX_images() => Fuzz.Check(Images, data => Use(Mnist(data, Labels)), typeof(DataException));

    [Fact]
    public void IDX_labels() => Fuzz.Check(Labels, data => Use(Mnist(Images, data)), typeof(DataException));

    [Fact]
    public void Gzipped_IDX() => Fuzz.Check(Samples.Gzip(Images), data => Use(Mnist(data, Labels)), typeof(DataException));

    [Fact]
    public void IDX_damaged_before_it_was_gzipped() =>
        Fuzz.Check(Images, data => Use(Mnist(Samples.Gzip(data), Labels)), typeof(DataException));

    [Fact]
    public void CIFAR_10_records() => Fuzz.Check(Samples.Cifar(2), data => Cifar(data, Samples.Cifar10, 1), typeof(DataException));

    [Fact]
    public void CIFAR_100_records() =>
        Fuzz.Check(Samples.Cifar(2, labelBytes: 2, classes: 100), data => Cifar(data, Datasets.Find("cifar100"), 2), typeof(DataException));

    [Fact]
    public void Archives() => Fuzz.Check(Samples.Gzip(Samples.CifarTar(1)), Archive, typeof(DataException));

    [Fact]
    public void Archives_damaged_before_they_were_gzipped() =>
        Fuzz.Check(Samples.CifarTar(1), data => Archive(Samples.Gzip(data)), typeof(DataException));

    [Fact]
    public void Archives_with_the_checksums_made_right() =>
        Fuzz.Check(Samples.CifarTar(1), data => Archive(Samples.Gzip(Checksums.RepairTar(data))), typeof(DataException));

    [Fact]
    public void JPEG_images() => Fuzz.Check(Samples.ImageFile(48, 40, SKEncodedImageFormat.Jpeg), Image, typeof(DataException));

    [Fact]
    public void PNG_images() => Fuzz.Check(Samples.ImageFile(24, 20, SKEncodedImageFormat.Png), Image, typeof(DataException));

    [Fact]
    public void PNG_images_with_the_checksums_made_right() =>
        Fuzz.Check(Samples.ImageFile(24, 20, SKEncodedImageFormat.Png), data => Image(Checksums.RepairPng(data)), typeof(DataException));

    private static Dataset Mnist(byte[] images, byte[] labels) =>
        IdxDataset.Load(Samples.Mnist, new MemoryStream(images), "images", new MemoryStream(labels), "labels");

    private static void Cifar(byte[] data, DatasetInfo info, int labelBytes)
    {
        var records = new CifarDataset.Records(info, labelBytes);
        records.Add(new MemoryStream(data), data.Length, "records");
        Use(records.ToDataset());
    }

    private static void Archive(byte[] data) =>
        Use(CifarDataset.LoadArchive(Samples.Cifar10, 1, new MemoryStream(data), "archive", ["cifar-10-batches-bin/data_batch_1.bin", "cifar-10-batches-bin/test_batch.bin"]));

    private static void Image(byte[] data)
    {
        RawImage image = ImageFile.Decode(data, "image");
        Assert.Equal(image.Height * image.Width * 3, image.Pixels.Length);
    }

    // A set that was accepted can be read to its end.
    private static void Use(Dataset dataset)
    {
        for (int i = 0; i < dataset.Count; i++)
        {
            Assert.InRange(dataset.Labels[i], 0, dataset.ClassNames.Count - 1);
            Assert.Equal(dataset.Info.Height * dataset.Info.Width * dataset.Info.Channels, dataset.Read(i).Pixels.Length);
        }
    }
}
