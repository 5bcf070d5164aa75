using System.Security.Cryptography;
using System.Text;
using SkiaSharp;

namespace AdderNet.Data.Tests;

public sealed class ImageFolderSplitTests : IDisposable
{
    private static readonly byte[] Png = Samples.ImageFile(20, 16, SKEncodedImageFormat.Png);
    private static readonly byte[] Jpeg = Samples.ImageFile(60, 48, SKEncodedImageFormat.Jpeg);
    private readonly TempFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("val")]
    [InlineData("valid")]
    [InlineData("Validation")]
    [InlineData("DEV")]
    public void Validation_has_several_names_and_test_is_never_taken_for_it(string name)
    {
        Fill("Train", 4);
        Fill(name, 2);
        Fill("test", 3);
        DatasetSplits splits = Open();
        Assert.Equal((8, 4, 6), (splits.Train.Count, splits.Validation!.Count, splits.Test!.Count));
        Assert.Same(splits.Validation, splits.Measured);
        Assert.Empty(splits.Notices);
        Assert.Equal(6, Datasets.Open("imagefolder", train: false, folder.Path).Count);
        folder.Write("val2/notes.txt", [1]);
        Fill("vaL", 1);
        Fill("dev", 1);
        Refused.Says(() => Open(), "mean the same");
    }

    [Theory]
    [InlineData("train/")]
    [InlineData("")]
    public void Without_validation_images_the_same_tenth_of_each_class_is_held_out(string prefix)
    {
        Fill(prefix, 30);
        if (prefix.Length > 0)
        {
            Fill("test", 2);
        }

        DatasetSplits splits = Open(), again = Open();
        Assert.Equal((54, 6), (splits.Train.Count, splits.Validation!.Count));
        Assert.Equal([0, 0, 0, 1, 1, 1], splits.Validation.Labels.ToArray());
        string[] train = Paths(splits.Train), held = Paths(splits.Validation);
        Assert.Empty(train.Intersect(held));
        Assert.Equal(held, Paths(again.Validation!));
        Assert.Contains("6 of 60 images", Assert.Single(splits.Notices));
        Assert.Equal(prefix.Length > 0 ? 4 : null, splits.Test?.Count);
        if (prefix.Length == 0)
        {
            Assert.Equal(held, Paths(Datasets.Open("imagefolder", train: false, folder.Path)));
        }
    }

    [Fact]
    public void Who_waits_for_another_process_that_checks_the_images_says_so()
    {
        Fill("", 30);
        Open();
        string name = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(folder.Path)))[..32];
        FileStream held = LockFile.Hold(Path.Combine(DataCache.Folder("checked-images"), $"{name}.lock"), null, default);
        List<DownloadProgress> told = [];
        Datasets.OpenSplits("imagefolder", folder.Path, new Listener(p =>
        {
            told.Add(p);
            held.Dispose();
        }));
        Assert.Equal(new DownloadProgress(folder.Path, 0, null, Waiting: true, IsCheck: true), Assert.Single(told));
    }

    [Fact]
    public void One_image_a_class_leaves_nothing_to_hold_out()
    {
        Fill("", 1);
        Refused.Says(() => Open(), "too few images");
    }

    [Fact]
    public void Every_damaged_file_is_named_before_any_is_used_or_left_out_and_counted()
    {
        Fill("train", 5);
        Fill("val", 3);
        string cut = folder.Write("train/cat/z.jpg", Jpeg[..(Jpeg.Length / 2)]), empty = folder.Write("val/dog/e.png", []), text = folder.Write("train/dog/t.jpg", [65, 66, 67]);
        byte[] wholeWebP = Samples.ImageFile(20, 16, SKEncodedImageFormat.Webp);
        string webP = folder.Write("train/dog/w.webp", wholeWebP[..(wholeWebP.Length / 2)]), cutPng = folder.Write("train/dog/p.png", Png[..^30]);
        folder.Write("train/dog/unended.jpg", Jpeg[..^2]);
        folder.Write("train/dog/good.webp", wholeWebP);
        for (int time = 0; time < 2; time++)
        {
            DataException told = Assert.Throws<DataException>(Open);
            Assert.Contains("5 of 23 images", told.Message);
            Assert.Equal(DataProblem.DamagedImages, told.Problem);
            foreach (string path in new[] { cut, empty, text, webP, cutPng })
            {
                Assert.Single(told.Details, detail => detail.StartsWith(path + " ", StringComparison.Ordinal));
            }

            DatasetSplits splits = Datasets.OpenSplits("imagefolder", folder.Path, skipDamaged: true);
            Assert.Equal((12, 6), (splits.Train.Count, splits.Validation!.Count));
            Assert.Contains("5 of 23 images", Assert.Single(splits.Notices));
        }

        // A file that changes is looked at again.
        Assert.True(File.Exists(folder["train/cat/0.png"]));
        folder.Write("train/cat/0.png", Png[..^20]);
        Assert.Contains("6 of 23 images", Assert.Throws<DataException>(Open).Message);
    }

    [Fact]
    public void Files_that_begin_as_an_image_and_hold_none_are_left_out_with_their_number()
    {
        Fill("train", 4);
        Fill("val", 2);
        string first = folder.Write("train/cat/w0.webp", [.. "RIFF"u8, 0, 0, 0, 0, .. "WEBP"u8]);
        folder.Write("train/cat/w1.webp", [.. "RIFF"u8, 4, 0, 0, 0, .. "WEBP"u8]);
        folder.Write("train/dog/b.bmp", [.. "BM"u8, 26, 0, 0, 0, 0, 0, 0, 0, 26, 0, 0, 0, 12, 0, 0, 0, 1, 0, 1, 0, 1, 0, 24, 0]);
        folder.Write("val/dog/g.gif", [.. "GIF89a"u8, 1, 0, 1, 0, 0, 0, 0, 0x3B]);
        folder.Write("val/dog/i.ico", [0, 0, 1, 0, 0, 0]);
        for (int time = 0; time < 2; time++)
        {
            DatasetSplits splits = Open();
            Assert.Equal((8, 4), (splits.Train.Count, splits.Validation!.Count));
            string notice = Assert.Single(splits.Notices);
            Assert.Contains("5 of 17 files", notice);
            Assert.Contains(first, notice);
        }
    }

    [Fact]
    public void A_link_to_a_folder_above_brings_no_other_class()
    {
        Fill("train", 3);
        Fill("val", 1);
        Directory.CreateSymbolicLink(folder["train/cat/up"], folder["train"]);
        Directory.CreateSymbolicLink(folder["train/dog/top"], folder.Path);
        DatasetSplits splits = Open();
        Assert.Equal(6, splits.Train.Count);
        Assert.Contains("2 links to folders", Assert.Single(splits.Notices));
    }

    [Fact]
    public void A_class_without_a_readable_image_is_named()
    {
        Fill("train", 2);
        Fill("val", 1);
        folder.Write("train/emu/a.png", []);
        Refused.Says(() => Datasets.OpenSplits("imagefolder", folder.Path, skipDamaged: true), "No image of emu");
        File.Delete(folder["train/emu/a.png"]);
        Directory.CreateDirectory(folder["train/gnu"]);
        Refused.Says(() => Open(), folder["train/emu"], folder["train/gnu"], "hold no image");
    }

    [Fact]
    public void What_is_left_out_is_counted_and_loops_end()
    {
        Fill("train", 2);
        Fill("val", 2);
        folder.Write("train/cat/notes.txt", [1]);
        folder.Write("train/labels.csv", [1]);
        folder.Write("train/dog/.DS_Store", [1]);
        folder.Write("train/.cache/a.png", Png);
        Directory.CreateSymbolicLink(folder["train/cat/again"], folder["train/cat"]);
        DatasetSplits splits = Open();
        Assert.Equal(4, splits.Train.Count);
        string notice = Assert.Single(splits.Notices);
        Assert.Contains("2 files that are no images of a class, 2 hidden files and folders, 1 link", notice);
    }

    private DatasetSplits Open() => Datasets.OpenSplits("imagefolder", folder.Path);

    private static string[] Paths(Dataset set) => [.. Enumerable.Range(0, set.Count).Select(set.Describe)];

    private void Fill(string split, int images)
    {
        for (int i = 0; i < images; i++)
        {
            folder.Write(Path.Combine(split, "cat", $"{i}.png"), Png);
            folder.Write(Path.Combine(split, "dog", $"{i}.png"), Png);
        }
    }

    private sealed class Listener(Action<DownloadProgress> told) : IProgress<DownloadProgress>
    {
        public void Report(DownloadProgress value) => told(value);
    }
}
