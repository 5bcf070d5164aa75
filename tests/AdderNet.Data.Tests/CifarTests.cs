namespace AdderNet.Data.Tests;

public sealed class CifarTests : IDisposable
{
    private readonly TempFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("")]
    [InlineData("cifar-10-batches-bin")]
    [InlineData("cifar10/cifar-10-batches-bin")]
    public void Training_images_come_from_all_five_files_in_order(string under)
    {
        WriteBatches(under);
        Dataset dataset = Datasets.Open("cifar10", train: true, folder.Path);
        Assert.Equal([1, 2, 2, 3, 3, 4, 4, 5, 5, 6], dataset.Labels.ToArray());
        Assert.Equal("bird", dataset.ClassNames[dataset.Labels[1]]);
        Assert.Equal([6, 7], Datasets.Open("cifar10", train: false, folder.Path).Labels.ToArray());
    }

    [Fact]
    public void Planes_become_interleaved_pixels()
    {
        WriteBatches("");
        byte[] record = Samples.Cifar(2, first: 2)[3073..];
        RawImage image = Datasets.Open("cifar10", train: true, folder.Path).Read(3);
        Assert.Equal((32, 32, 3), (image.Height, image.Width, image.Channels));
        for (int i = 0; i < 1024; i++)
        {
            Assert.Equal(new[] { record[1 + i], record[1 + 1024 + i], record[1 + 2048 + i] }, image.Pixels.Slice(3 * i, 3).ToArray());
        }
    }

    [Fact]
    public void CIFAR_100_takes_the_fine_label()
    {
        byte[] train = Samples.Cifar(3, labelBytes: 2, classes: 100, first: 97);
        folder.Write("cifar-100-binary/train.bin", train);
        Dataset dataset = Datasets.Open("cifar100", train: true, folder.Path);
        Assert.Equal(["wolf", "woman", "worm"], dataset.Labels.ToArray().Select(label => dataset.ClassNames[label]));
        Assert.Equal(train[3074 + 2], dataset.Read(1).Pixels.Span[0]);
    }

    [Fact]
    public void The_official_archive_gives_the_same_images_as_its_files()
    {
        WriteBatches("files");
        string archive = folder.Write("archive/cifar-10-binary.tar.gz", Samples.Gzip(Samples.CifarTar(2)));
        foreach (bool train in new[] { true, false })
        {
            Dataset files = Datasets.Open("cifar10", train, folder["files"]);
            foreach (string place in new[] { archive, Path.GetDirectoryName(archive)! })
            {
                Dataset packed = Datasets.Open("cifar10", train, place);
                Assert.Equal(files.Labels.ToArray(), packed.Labels.ToArray());
                for (int i = 0; i < files.Count; i++)
                {
                    Assert.Equal(files.Read(i).Pixels.ToArray(), packed.Read(i).Pixels.ToArray());
                }
            }
        }

        Assert.Equal(["cifar-10-binary.tar.gz"], Directory.GetFiles(folder["archive"]).Select(Path.GetFileName));
    }

    [Fact]
    public void Members_with_names_that_lead_elsewhere_write_nothing()
    {
        byte[] batch = Samples.Cifar(1);
        string outside = "../" + Path.GetFileName(folder.Path) + "-outside.bin";
        string archive = folder.Write("cifar-10-binary.tar.gz", Samples.Gzip(Samples.Tar(
            [(outside, batch), ("/tmp/absolute-outside.bin", batch), ("cifar-10-batches-bin/test_batch.bin", batch)])));
        Assert.Equal(1, Datasets.Open("cifar10", train: false, archive).Count);
        Assert.False(File.Exists(Path.Combine(folder.Path, outside)));
        Assert.False(File.Exists("/tmp/absolute-outside.bin"));
    }

    [Fact]
    public void An_archive_that_lacks_a_file_says_which()
    {
        string archive = folder.Write("a.tar.gz", Samples.Gzip(Samples.Tar([("cifar-10-batches-bin/data_batch_1.bin", Samples.Cifar(1))])));
        Refused.Says(() => Datasets.Open("cifar10", true, archive), archive, "lacks cifar-10-batches-bin/data_batch_2.bin", "binary version");
    }

    [Fact]
    public void A_damaged_archive_is_told()
    {
        byte[] good = Samples.Gzip(Samples.CifarTar(2));
        string archive = folder.Write("a.tar.gz", good[..(good.Length / 2)]);
        Refused.Says(() => Datasets.Open("cifar10", false, archive), archive, "get it again");
        folder.Write("a.tar.gz", Samples.Noise(4000, 1));
        Refused.Says(() => Datasets.Open("cifar10", false, archive), archive, "get it again");
        folder.Write("a.tar.gz", []);
        Refused.Says(() => Datasets.Open("cifar10", false, archive), archive);
    }

    [Fact]
    public void An_archive_that_claims_gigabytes_takes_no_memory()
    {
        foreach (byte type in "0LKxg"u8.ToArray())
        {
            byte[] tar = Samples.Tar([("cifar-10-batches-bin/test_batch.bin", Samples.Cifar(1))]);
            "17777777777\0"u8.CopyTo(tar.AsSpan(124));
            tar[156] = type;
            using var stream = new MemoryStream(Samples.Gzip(Checksums.RepairTar(tar)));
            long before = GC.GetAllocatedBytesForCurrentThread();
            Refused.Says(() => CifarDataset.LoadArchive(Samples.Cifar10, 1, stream, "archive", ["cifar-10-batches-bin/test_batch.bin"]), "archive", "damaged");
            Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
        }
    }

    [Fact]
    public void An_archive_of_zeros_without_end_is_left_early()
    {
        byte[] zeros = Samples.Tar([("other", new byte[40 << 20])]);
        byte[] member = Samples.Gzip(zeros[..^1024]);
        // Gzip members one after another unpack to one long archive.
        string path = folder.Write("a.tar.gz", [.. Enumerable.Repeat(member, 16).SelectMany(bytes => bytes)]);
        Refused.Says(() => Datasets.Open("cifar10", false, path), path, "unpacks to more than 536,870,912 bytes");
    }

    [Fact]
    public void A_missing_file_is_named()
    {
        WriteBatches("");
        File.Delete(folder["data_batch_3.bin"]);
        Refused.Says(() => Datasets.Open("cifar10", true, folder.Path), folder.Path, "lacks data_batch_3.bin");
    }

    [Fact]
    public void A_folder_without_the_files_says_which_to_put_where() =>
        Refused.Says(() => Datasets.Open("cifar100", true, folder.Path), folder.Path, "cifar-100-binary.tar.gz", "the binary version");

    [Theory]
    [InlineData(-1)]
    [InlineData(1)]
    public void A_file_of_another_length_is_told(int difference)
    {
        byte[] batch = Samples.Cifar(2);
        Array.Resize(ref batch, batch.Length + difference);
        string path = folder.Write("test_batch.bin", batch);
        Refused.Says(() => Datasets.Open("cifar10", false, folder.Path), path, "no whole number of CIFAR-10 records of 3073 bytes");
    }

    [Fact]
    public void An_empty_file_is_told()
    {
        string path = folder.Write("test_batch.bin", []);
        Refused.Says(() => Datasets.Open("cifar10", false, folder.Path), path, "0 bytes");
    }

    [Fact]
    public void A_label_out_of_range_is_told_with_its_place()
    {
        byte[] batch = Samples.Cifar(3);
        batch[2 * 3073] = 10;
        string path = folder.Write("test_batch.bin", batch);
        Refused.Says(() => Datasets.Open("cifar10", false, folder.Path), path, "gives image 2 the label 10");
    }

    private void WriteBatches(string under)
    {
        for (int i = 1; i <= 5; i++)
        {
            folder.Write(Path.Combine(under, $"data_batch_{i}.bin"), Samples.Cifar(2, first: i));
        }

        folder.Write(Path.Combine(under, "test_batch.bin"), Samples.Cifar(2, first: 6));
    }
}
