using SkiaSharp;

namespace AdderNet.Data.Tests;

public sealed class ImageFolderTests : IDisposable
{
    private static readonly byte[] Png = Samples.ImageFile(20, 16, SKEncodedImageFormat.Png);
    private static readonly byte[] Jpeg = Samples.ImageFile(30, 24, SKEncodedImageFormat.Jpeg);
    private readonly TempFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Labels_follow_the_sorted_names_of_the_classes()
    {
        folder.Write("val/bee/v.png", Png);
        folder.Write("train/zebra/b.jpg", Jpeg);
        folder.Write("train/zebra/a.PNG", Png);
        folder.Write("train/Ant/deep/c.jpeg", Jpeg);
        folder.Write("train/Ant/notes.txt", [1]);
        folder.Write("train/bee/d.png", Png);
        folder.Write("train/.hidden/e.png", Png);
        Dataset dataset = Datasets.Open("imagefolder", train: true, folder.Path);
        Assert.Equal(["Ant", "bee", "zebra"], dataset.ClassNames);
        Assert.Equal([0, 1, 2, 2], dataset.Labels.ToArray());
        Assert.Equal(["c.jpeg", "d.png", "a.PNG", "b.jpg"], Enumerable.Range(0, 4).Select(i => Path.GetFileName(dataset.Describe(i))));
        Assert.Equal((24, 30), (dataset.Read(3).Height, dataset.Read(3).Width));
        Assert.Equal(4, dataset.Info.TrainCount);
    }

    [Theory]
    [InlineData("val")]
    [InlineData("test")]
    public void A_class_without_test_images_shifts_no_label(string test)
    {
        folder.Write("train/a/1.png", Png);
        folder.Write("train/b/1.png", Png);
        folder.Write("train/c/1.png", Png);
        folder.Write($"{test}/c/1.png", Png);
        Dataset dataset = Datasets.Open("imagefolder", train: false, folder.Path);
        Assert.Equal([2], dataset.Labels.ToArray());
        Assert.Equal(3, dataset.ClassNames.Count);
    }

    [Fact]
    public void Test_images_alone_bring_their_own_classes()
    {
        folder.Write("val/x/1.png", Png);
        Assert.Equal(["x"], Datasets.Open("imagefolder", train: false, folder.Path).ClassNames);
    }

    [Fact]
    public void What_is_missing_is_told()
    {
        Refused.Says(() => Datasets.Open("imagefolder", true), DataProblem.NoDownload, "no download");
        Refused.Says(() => Datasets.Open("imagefolder", true, folder["none"]), folder["none"], "does not exist");
        Refused.Says(() => Datasets.Open("imagefolder", true, folder.Path), folder.Path, "has no class folders");
        Directory.CreateDirectory(folder["train"]);
        Refused.Says(() => Datasets.Open("imagefolder", true, folder.Path), folder["train"], "has no class folders");
        Directory.CreateDirectory(folder["train/a"]);
        Refused.Says(() => Datasets.Open("imagefolder", true, folder.Path), folder["train/a"], "holds no image (.jpg,");
        folder.Write("train/a/1.png", Png);
        folder.Write("val/b/1.png", Png);
        Refused.Says(() => Datasets.Open("imagefolder", false, folder.Path), folder["val/b"], "is a class that the training images lack (they have a)");
    }

    [Fact]
    public void Images_of_many_sizes_become_one_size()
    {
        folder.Write("val/a/1.png", Png);
        folder.Write("train/a/1.png", Png);
        folder.Write("train/a/2.jpg", Jpeg);
        Dataset dataset = Datasets.Open("imagefolder", train: true, folder.Path);
        foreach (bool train in new[] { true, false })
        {
            using var loader = new DataLoader(dataset, Augmentation.For("imagefolder", train), 2, shuffle: false, seed: 1);
            using Batch batch = Assert.Single(loader.Epoch(0));
            Assert.Equal((224, 224, 3), (batch.Height, batch.Width, batch.Channels));
            Assert.Equal(2 * 224 * 224 * 3, batch.Images.Length);
        }
    }

    [Fact]
    public void Images_of_many_sizes_without_a_crop_are_told()
    {
        folder.Write("val/a/1.png", Png);
        folder.Write("train/a/1.png", Png);
        string second = folder.Write("train/a/2.jpg", Jpeg);
        Dataset dataset = Datasets.Open("imagefolder", train: true, folder.Path);
        using var loader = new DataLoader(dataset, new Augmentation(), 2, shuffle: false, seed: 1);
        Refused.Says(() => _ = loader.Epoch(0).ToList(), second, "24x30", "16x20", "centerCrop");
    }
}
