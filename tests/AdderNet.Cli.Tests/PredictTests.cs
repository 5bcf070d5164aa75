using System.Text.Json;

namespace AdderNet.Cli.Tests;

public class PredictTests(TinyRun tiny) : IClassFixture<TinyRun>
{
    [Fact]
    public void Every_good_image_is_answered_and_each_bad_one_told()
    {
        string folder = Directory.CreateDirectory(tiny["mixed"]).FullName;
        string good = Path.Combine(folder, "-a b [1].PNG"), last = Path.Combine(folder, "z.jpg"), text = Path.Combine(folder, "m.jpg"), empty = Path.Combine(folder, "n.webp");
        TinyData.WritePng(good, 7, 40, 40);
        // The content decides, not the name.
        TinyData.WritePng(last, 2, 28, 28);
        File.WriteAllText(text, "a note");
        File.WriteAllText(empty, "");
        File.WriteAllText(Path.Combine(folder, "notes.txt"), "left out of a folder");
        foreach (string[] images in new string[][] { [folder], [Path.Combine(folder, "*.[PjJw]*")], [good, text, empty, last] })
        {
            Outcome outcome = Addernet.Run(["predict", .. images, "--run", tiny.Run, "--json"]);
            Assert.Equal(ExitCode.Failure, outcome.ExitCode);
            JsonElement[] answers = [.. JsonDocument.Parse(outcome.Out).RootElement.EnumerateArray()];
            Assert.Equal([good, last], answers.Select(a => a.GetProperty("image").GetString()));
            Assert.Equal("7", answers[0].GetProperty("guesses")[0].GetProperty("class").GetString());
            string[] errors = outcome.Error.TrimEnd().Split('\n');
            Assert.Equal(2, errors.Length);
            Assert.Contains(text, errors[0]);
            Assert.Contains(empty, errors[1]);
        }

        Assert.Contains(good, Addernet.Run("predict", good, last, "--run", tiny.Run).Succeeds());
    }

    [Fact]
    public void Arguments_that_name_nothing_are_told_beside_the_answers()
    {
        string good = tiny["good.png"];
        TinyData.WritePng(good, 1, 28, 28);
        Outcome outcome = Addernet.Run("predict", tiny["none/*.png"], good, tiny["missing.png"], "--run", tiny.Run);
        Assert.Equal(ExitCode.Failure, outcome.ExitCode);
        Assert.Contains(good, outcome.Out);
        Assert.Equal(2, outcome.Error.Split("Error: ").Length - 1);
    }
}
