namespace AdderNet.Cli.Tests.Reproduce;

public class ImageNetTests
{
    [Fact]
    public void ImageNet_is_trained_from_a_folder_of_images_after_telling_how_long_the_real_one_takes()
    {
        using TempFolder folder = new();
        foreach (var (path, label) in ((string, int)[])[("train/cat/1.png", 1), ("train/cat/2.png", 1), ("train/dog/1.png", 7), ("val/cat/1.png", 1), ("val/dog/1.png", 7)])
        {
            string file = folder[Path.Combine("images", path)];
            Directory.CreateDirectory(Path.GetDirectoryName(file)!);
            TinyData.WritePng(file, label, 40, 30);
        }

        string text = Addernet.Run(
            "reproduce", "imagenet", "--epochs", "1", "--threads", "1", "--data-dir", folder["images"], "--out", folder["imagenet"]).Succeeds();
        int told = text.IndexOf("on 64 machines", StringComparison.Ordinal);
        Assert.InRange(told, 1, text.IndexOf("Run 1 of 4", StringComparison.Ordinal));
        Assert.Contains("AdderNet ResNet-18: ", text);
        Assert.Contains("CNN ResNet-50: ", text);
        Assert.Contains("on this machine", text);
        string[] rows = File.ReadAllLines(folder["imagenet/accuracy.csv"]);
        Assert.Equal(5, rows.Length);
        Assert.EndsWith(",67,87.6", rows[1]);
        Assert.EndsWith(",76.2,92.9", rows[4]);
        Assert.All(rows[1..], row => Assert.Equal(100, double.Parse(row.Split(',')[2], System.Globalization.CultureInfo.InvariantCulture)));
        string html = File.ReadAllText(folder["imagenet/report.html"]);
        Assert.Contains("on 64 machines", html);
        Assert.Contains("1,281,167", html);
    }

    [Fact]
    public void Without_a_folder_it_says_which_to_give() =>
        Assert.Contains("--data-dir", Addernet.Run("reproduce", "imagenet").FailsWith(ExitCode.Failure));
}
