using System.Text.Json;

namespace AdderNet.Cli.Tests;

/// <summary>Training on folders of images as people lay them out.</summary>
public sealed class ImageFolderTests : IDisposable
{
    private readonly TempFolder folder = new();

    public ImageFolderTests() => File.WriteAllText(folder["recipe.json"],
        """
        {
          "model": "resnet20", "layers": "conv", "dataset": "imagefolder", "epochs": 2, "batchSize": 16,
          "trainAugmentation": { "resize": 16, "centerCrop": 16 }, "testAugmentation": { "resize": 16, "centerCrop": 16 }
        }
        """);

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Valid_is_validation_and_test_is_measured_once_at_the_end()
    {
        Fill("train", 6);
        Fill("valid", 3);
        Fill("test", 2);
        string[] lines = Train("--json").Succeeds().TrimEnd().Split('\n');
        Assert.Equal(3, lines.Length);
        foreach (string line in lines[..2])
        {
            Assert.Contains("\"validation", line);
            Assert.DoesNotContain("\"test", line.Replace("testSeconds", "", StringComparison.Ordinal));
        }

        Assert.Equal(4, JsonDocument.Parse(lines[2]).RootElement.GetProperty("test").GetProperty("count").GetInt32());
        Outcome eval = Addernet.Run("eval", folder["run"], "--data-dir", folder["data"], "--json");
        Assert.Equal(4, JsonDocument.Parse(eval.Succeeds()).RootElement.GetProperty("count").GetInt32());
    }

    [Fact]
    public void Class_folders_alone_are_trained_on_with_a_tenth_held_out()
    {
        Fill("", 10);
        Outcome outcome = Train();
        Assert.Contains("18 training and 2 validation images", outcome.Succeeds());
        Assert.Contains("val accuracy", outcome.Out.Replace("val loss   accuracy", "val accuracy", StringComparison.Ordinal));
        Assert.Contains("Validation accuracy", outcome.Out);
        Assert.Contains("2 of 20 images, a tenth of each class, are held out", outcome.Error);
    }

    [Fact]
    public void Damaged_images_are_all_named_before_the_first_epoch_or_left_out_and_counted()
    {
        Fill("train", 6);
        Fill("val", 2);
        string cut = folder["data/train/cat/cut.png"], empty = folder["data/val/dog/empty.jpg"];
        TinyData.WritePng(cut, 1, 40, 40);
        File.WriteAllBytes(cut, File.ReadAllBytes(cut)[..^50]);
        File.WriteAllText(empty, "");
        Outcome refused = Train();
        Assert.Equal(ExitCode.Failure, refused.ExitCode);
        Assert.Contains(cut, refused.Error);
        Assert.Contains(empty, refused.Error);
        Assert.Contains("Error: 2 of 18 images", refused.Error);
        Assert.False(Directory.Exists(folder["run"]));
        Outcome outcome = Train("--skip-damaged");
        Assert.Contains("12 training and 4 validation images", outcome.Succeeds());
        Assert.Contains("2 of 18 images", outcome.Error);
        Assert.Contains("--skip-damaged", Addernet.Run("eval", folder["run"], "--data-dir", folder["data"]).Error);
        Addernet.Run("eval", folder["run"], "--data-dir", folder["data"], "--skip-damaged").Succeeds();
    }

    [Fact]
    public void Files_that_hold_no_image_are_counted_and_training_goes_on()
    {
        Fill("train", 6);
        Fill("val", 2);
        for (int i = 0; i < 20; i++)
        {
            File.WriteAllBytes(folder[$"data/train/cat/w{i}.webp"], [.. "RIFF"u8, 0, 0, 0, 0, .. "WEBP"u8]);
        }

        Outcome outcome = Train();
        Assert.Contains("12 training and 4 validation images", outcome.Succeeds());
        Assert.Contains("20 of 36 files", outcome.Error);
    }

    [Fact]
    public void Seventeen_images_in_batches_of_sixteen_are_all_trained_on()
    {
        Fill("train", 8);
        Fill("val", 4);
        TinyData.WritePng(folder["data/train/cat/z.png"], 3, 40, 40);
        Assert.Contains("17 training and 8 validation images", Train().Succeeds());
    }

    private Outcome Train(params string[] options) =>
        Addernet.Run(["train", "--recipe", folder["recipe.json"], "--data-dir", folder["data"], "--out", folder["run"], "--threads", "1", .. options]);

    private void Fill(string split, int images)
    {
        for (int i = 0; i < images; i++)
        {
            TinyData.WritePng(folder[Path.Combine("data", split, "cat", $"{i}.png")], i % 3, 20 + i, 24);
            TinyData.WritePng(folder[Path.Combine("data", split, "dog", $"{i}.png")], 5 + i % 3, 24, 20 + i);
        }
    }
}
