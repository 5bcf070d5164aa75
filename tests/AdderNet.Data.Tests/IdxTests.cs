namespace AdderNet.Data.Tests;

public sealed class IdxTests : IDisposable
{
    private readonly TempFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData(false, "", false)]
    [InlineData(true, "", false)]
    [InlineData(true, "mnist", false)]
    [InlineData(false, "MNIST/raw", false)]
    [InlineData(true, "MNIST/raw", true)]
    public void Files_are_read_zipped_or_not_from_the_customary_folders(bool zipped, string under, bool dotted)
    {
        byte[] images = Samples.IdxImages(12), labels = Samples.IdxLabels(12);
        string extension = zipped ? ".gz" : "", join = dotted ? "." : "-";
        folder.Write(Path.Combine(under, $"train-images{join}idx3-ubyte{extension}"), zipped ? Samples.Gzip(images) : images);
        folder.Write(Path.Combine(under, $"train-labels{join}idx1-ubyte{extension}"), zipped ? Samples.Gzip(labels) : labels);

        Dataset dataset = Datasets.Open("mnist", train: true, folder.Path);

        Assert.Equal(12, dataset.Count);
        Assert.Equal([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1], dataset.Labels.ToArray());
        RawImage image = dataset.Read(11);
        Assert.Equal((28, 28, 1), (image.Height, image.Width, image.Channels));
        Assert.Equal(images.AsSpan(16 + 11 * 784, 784).ToArray(), image.Pixels.ToArray());
    }

    [Fact]
    public void A_gz_file_that_was_unzipped_under_its_old_name_is_read()
    {
        folder.Write("t10k-images-idx3-ubyte.gz", Samples.IdxImages(3));
        folder.Write("t10k-labels-idx1-ubyte.gz", Samples.IdxLabels(3));
        Assert.Equal(3, Datasets.Open("mnist", train: false, folder.Path).Count);
    }

    [Fact]
    public void A_folder_without_the_files_says_which_to_put_where()
    {
        Says(null, null, folder.Path, "holds no MNIST files", "train-images-idx3-ubyte.gz and train-labels-idx1-ubyte.gz", "mnist, MNIST/raw");
    }

    [Fact]
    public void A_missing_folder_is_named() =>
        Refused.Says(() => Datasets.Open("mnist", true, folder["nowhere"]), DataProblem.NoSuchFolder, folder["nowhere"], "does not exist");

    [Fact]
    public void A_missing_labels_file_is_named() =>
        Says(Samples.IdxImages(2), null, "holds train-images-idx3-ubyte, but not train-labels-idx1-ubyte.gz");

    [Fact]
    public void A_truncated_gz_file_is_cut_short()
    {
        byte[] images = Samples.Gzip(Samples.IdxImages(20));
        Says(images[..(images.Length / 2)], Samples.IdxLabels(20), "train-images-idx3-ubyte", "get it again");
        Says(images[..12], Samples.IdxLabels(20), "train-images-idx3-ubyte");
        Says(images[..^2], Samples.IdxLabels(20), "train-images-idx3-ubyte");
    }

    [Fact]
    public void A_gz_file_with_a_flipped_bit_is_damaged()
    {
        byte[] images = Samples.Gzip(Samples.IdxImages(20));
        images[^6] ^= 1;
        Says(images, Samples.IdxLabels(20), "train-images-idx3-ubyte", "damaged");
    }

    [Fact]
    public void A_wrong_magic_is_told_with_what_it_should_be() =>
        Says(Samples.Noise(5000, 5), Samples.IdxLabels(2), "is not an IDX file of images", "0 0 8 3");

    [Fact]
    public void Images_and_labels_that_were_swapped_are_told() =>
        Says(Samples.IdxLabels(2), Samples.IdxImages(2), "is not an IDX file of labels");

    [Fact]
    public void An_empty_file_is_no_IDX_file() => Says([], Samples.IdxLabels(2), "is not an IDX file");

    [Fact]
    public void A_header_that_is_cut_short_is_told() => Says(Samples.IdxImages(2)[..9], Samples.IdxLabels(2), "is cut short");

    [Fact]
    public void A_file_that_is_too_short_is_told_with_both_sizes() =>
        Says(Samples.IdxImages(2)[..^1], Samples.IdxLabels(2), "2 x 28 x 28 bytes, but 1,567 follow");

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Garbage_at_the_end_is_told(bool zipped)
    {
        byte[] longer = [.. Samples.IdxImages(2), 0];
        Says(zipped ? Samples.Gzip(longer) : longer, Samples.IdxLabels(2), "2 x 28 x 28 bytes, but", "follow");
    }

    [Fact]
    public void Counts_that_disagree_are_told_with_both_files() =>
        Says(Samples.IdxImages(3), Samples.IdxLabels(2), "holds 3 images", "holds 2 labels", "train-labels-idx1-ubyte");

    [Fact]
    public void A_label_out_of_range_is_told_with_its_place()
    {
        byte[] labels = Samples.IdxLabels(5);
        labels[^1] = 10;
        Says(Samples.IdxImages(5), labels, "gives image 4 the label 10", "10 classes");
    }

    [Fact]
    public void Images_of_another_size_are_told() =>
        Says(Samples.Idx([2, 16, 16], new byte[512]), Samples.IdxLabels(2), "images of 16x16", "28x28");

    [Fact]
    public void No_images_at_all_are_told() => Says(Samples.Idx([0, 28, 28], []), Samples.IdxLabels(2), "0 x 28 x 28 bytes");

    [Theory]
    [InlineData(4_000_000_000u, 28u, 28u)]
    [InlineData(uint.MaxValue, uint.MaxValue, uint.MaxValue)]
    [InlineData(2_700_000u, 28u, 28u)]
    public void A_header_that_promises_gigabytes_takes_no_memory(uint n, uint h, uint w)
    {
        foreach (bool zipped in new[] { false, true })
        {
            byte[] images = Samples.Idx([n, h, w], new byte[3000]);
            images = zipped ? Samples.Gzip(images) : images;
            using var stream = new MemoryStream(images);
            long before = GC.GetAllocatedBytesForCurrentThread();
            DataException refused = Assert.Throws<DataException>(() => Idx.Read(stream, "images", 3));
            Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 4 << 20);
            Assert.StartsWith("images", refused.Message, StringComparison.Ordinal);
        }
    }

    private void Says(byte[]? images, byte[]? labels, params string[] parts)
    {
        foreach ((string name, byte[]? content) in new[] { ("train-images-idx3-ubyte", images), ("train-labels-idx1-ubyte", labels) })
        {
            if (content is not null)
            {
                folder.Write(name, content);
            }
        }

        Refused.Says(() => Datasets.Open("mnist", train: true, folder.Path), [folder.Path, .. parts]);
    }
}
