using System.IO.Compression;
using System.Security.Cryptography;

namespace AdderNet.Data.Tests;

public class DatasetsTests
{
    [Theory]
    [InlineData("cifar10", "cifar10")]
    [InlineData("CIFAR-10", "cifar10")]
    [InlineData("fashion_mnist", "fashion-mnist")]
    [InlineData("FashionMNIST", "fashion-mnist")]
    public void Names_are_found_however_they_are_written(string name, string expected) => Assert.Equal(expected, Datasets.Find(name).Name);

    [Theory]
    [InlineData("minst", "did you mean mnist?")]
    [InlineData("cifar", "did you mean cifar10?")]
    [InlineData("something else", "there are mnist, fashion-mnist, cifar10, cifar100, imagefolder, digits, voc, coco.")]
    public void An_unknown_name_gets_the_nearest_one_and_the_list(string name, string says) =>
        Refused.Says(() => Datasets.Find(name), $"\"{name}\"", says, "imagefolder");

    [Fact]
    public void A_folder_in_place_of_a_name_is_told_from_a_name_that_is_unknown() =>
        Refused.Says(() => Datasets.Find(Path.GetTempPath()), DataProblem.FolderForName, "is a folder", "imagefolder");

    [Fact]
    public void Class_names_are_complete_and_distinct()
    {
        Assert.Equal([10, 10, 10, 100, 0, 10, 0, 0], Datasets.All.Select(info => info.Classes));
        Assert.All(Datasets.All, info => Assert.Equal(info.Classes, info.ClassNames.Distinct().Count()));
        Assert.Equal(Datasets.Find("cifar100").ClassNames.Order(StringComparer.Ordinal), Datasets.Find("cifar100").ClassNames);
    }

    [Fact]
    public void The_MNIST_that_comes_along_is_the_published_one_and_asks_for_nothing()
    {
        foreach (OfficialFile file in (OfficialFile[])[.. Datasets.Mnist.Train, .. Datasets.Mnist.Test])
        {
            using Stream zipped = IdxSource.Resource(file);
            using GZipStream content = new(zipped, CompressionMode.Decompress);
            Assert.Equal(file.Sha256, Convert.ToHexStringLower(SHA256.HashData(content)));
        }

        Dataset train = Datasets.Open("mnist", train: true), test = Datasets.Open("mnist", train: false);
        Assert.Equal((60_000, 10_000), (train.Count, test.Count));
        Assert.Equal([7, 2, 1, 0, 4, 1, 4, 9, 5, 9], test.Labels[..10].ToArray());
        Assert.True(File.Exists(Path.Combine(AppContext.BaseDirectory, "Mnist", "LICENSE.md")));
    }

    [Fact]
    public void Debians_Fashion_MNIST_is_read_from_where_its_package_has_put_it()
    {
        Assert.SkipUnless(Directory.Exists("/usr/share/datasets/fashion-mnist"), "Debian's dataset-fashion-mnist is not installed");
        var offline = new DownloadTests.Progress(_ => Assert.Fail("it was to be downloaded"));
        Assert.Equal(60_000, Datasets.Open("fashion-mnist", train: true, progress: offline).Count);
        Assert.Equal(10_000, Datasets.Open("fashion-mnist", train: false, progress: offline).Count);
    }

    [Fact]
    public void An_image_in_memory_is_a_view_of_the_set_not_a_copy()
    {
        Dataset dataset = Samples.NoiseDataset(100);
        long before = GC.GetAllocatedBytesForCurrentThread();
        int sum = 0;
        for (int i = 0; i < 100; i++)
        {
            sum += dataset.Read(i).Pixels.Span[0];
        }

        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 100 * 200);
        Assert.True(sum > 0);
    }
}
