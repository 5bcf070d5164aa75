using System.Diagnostics;
using System.Globalization;
using AdderNet.Reproduction;

namespace AdderNet.Cli.Tests.Reproduce;

public class ReproduceTests(TinyExperiment tiny) : IClassFixture<TinyExperiment>
{
    [Fact]
    public void An_experiment_trains_its_runs_in_order_and_tells_how_far_all_of_it_is()
    {
        string text = tiny.First.Succeeds();
        string[] runs = ["lenet5-bn-adder-seed1", "lenet5-bn-cnn-seed1", "lenet5-bn-adder-seed2", "lenet5-bn-cnn-seed2"];
        int[] places = [.. runs.Select((run, i) => text.IndexOf($"Run {i + 1} of 4: {(i % 2 == 0 ? "AdderNet" : "CNN")} ({run}), 2 epochs", StringComparison.Ordinal))];
        Assert.All(places, place => Assert.True(place > 0, text));
        Assert.Equal(places.Order(), places);
        Assert.Contains("on this machine", text);
        Assert.Contains($"Report: {Path.Combine(tiny.Mnist, "report.html")}", text);
        Assert.All(runs, run => Assert.True(File.Exists(Path.Combine(tiny.Mnist, "runs", run, "checkpoint.json"))));
    }

    [Fact]
    public void The_report_holds_all_it_shows_and_our_numbers_beside_the_papers()
    {
        string html = File.ReadAllText(Path.Combine(tiny.Mnist, "report.html"));
        Assert.DoesNotContain("http", html.Replace("http-equiv", "", StringComparison.Ordinal));
        Assert.DoesNotContain("<script", html);
        Assert.DoesNotContain("<link", html);
        Assert.DoesNotContain("url(", html);
        Assert.Contains("src=\"data:image/", html);
        Assert.Contains("prefers-color-scheme: dark", html);
        Assert.Contains("99.40", html);
        Assert.Contains($"reproduce mnist --epochs 2 --seeds 2 --data-dir {tiny.Data} --threads 1 --out {tiny.Mnist}", html);
        Assert.Contains("libtorch 2", html);
        Assert.Contains("1, 2", html);
        Assert.DoesNotContain("not run yet", html);
    }

    [Fact]
    public void Figures_lie_beside_the_report()
    {
        Assert.Equal([0x89, (byte)'P', (byte)'N', (byte)'G'], File.ReadAllBytes(Path.Combine(tiny.Mnist, "curves.png"))[..4]);
        Assert.Contains("<svg", File.ReadAllText(Path.Combine(tiny.Mnist, "curves.svg")));
    }

    [Fact]
    public void Tables_are_CSV_files_with_every_digit()
    {
        string[] lines = File.ReadAllLines(Path.Combine(tiny.Mnist, "accuracy.csv"));
        Assert.Equal("version,\"accuracy, %\",spread,seeds,\"paper, %\",difference", lines[0]);
        Assert.Equal(["AdderNet", "CNN"], lines[1..].Select(l => l.Split(',')[0]));
        Assert.All(lines[1..], l =>
        {
            double[] values = [.. l.Split(',')[1..].Select(v => double.Parse(v, CultureInfo.InvariantCulture))];
            Assert.Equal((2, 99.4), (values[2], values[3]));
            Assert.Equal(values[0] - 99.4, values[4], 1e-9);
        });
        Assert.Equal(5, File.ReadAllLines(Path.Combine(tiny.Mnist, "runs.csv")).Length);
    }

    [Fact]
    public void The_same_command_again_trains_nothing_and_writes_the_same_tables()
    {
        string table = Path.Combine(tiny.Mnist, "accuracy.csv");
        string before = File.ReadAllText(table);
        string text = tiny.Run("mnist", tiny.Mnist, "--seeds", "2").Succeeds();
        Assert.Contains("All 4 runs are complete", text);
        Assert.DoesNotContain("Run 1 of", text);
        Assert.Equal(before, File.ReadAllText(table));
    }

    [Fact]
    public async Task An_interrupted_run_goes_on_where_it_stopped_and_ends_as_if_it_had_not()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no kill -INT.");
        string out1 = tiny["interrupted/mnist"], out2 = tiny["whole/mnist"];
        using Process process = Addernet.StartInterruptible(tiny["."], tiny.Arguments("mnist", out1, "--epochs", "20"));
        Task<string> error = process.StandardError.ReadToEndAsync();
        string text = "";
        while (await process.StandardOutput.ReadLineAsync() is { } line)
        {
            text += line + "\n";
            if (line.Contains(" 2/20 ", StringComparison.Ordinal) && text.Contains("Run 2 of 2", StringComparison.Ordinal))
            {
                Process.Start("kill", ["-INT", $"{process.Id}"]).Dispose();
            }
        }

        await process.WaitForExitAsync();
        Assert.Equal(ExitCode.Interrupted, process.ExitCode);
        Assert.Contains("Ctrl-C again", await error);
        Assert.Contains($"continue with:\n\n  {Host.CommandName} {string.Join(' ', tiny.Arguments("mnist", out1, "--epochs", "20"))}\n", text);
        // The report of what there is: the first run whole, the second not.
        string[] table = File.ReadAllLines(Path.Combine(out1, "accuracy.csv"));
        Assert.StartsWith("CNN,,,0,", table[2]);
        Assert.DoesNotContain("AdderNet,,", table[1]);
        Assert.Contains("of 20</i>", File.ReadAllText(Path.Combine(out1, "report.html")));

        string rest = Addernet.Run(tiny.Arguments("mnist", out1, "--epochs", "20")).Succeeds();
        Assert.DoesNotContain("Run 1 of 2", rest);
        Assert.Contains("Run 2 of 2", rest);
        Addernet.Run(tiny.Arguments("mnist", out2, "--epochs", "20")).Succeeds();
        Assert.Equal(Accuracies(out2), Accuracies(out1));
    }

    [Fact]
    public void A_run_that_an_experiment_beside_it_has_trained_is_copied()
    {
        string ablation = tiny["reproduction/ablation"];
        string text = tiny.Run("ablation", ablation).Succeeds();
        Assert.Contains("lenet5-bn-adder-seed1 is copied from", text);
        Assert.Contains("lenet5-bn-cnn-seed1 is copied from", text);
        Assert.Contains("Run 3 of 5", text);
        Assert.DoesNotContain("Run 1 of 5", text);
        Assert.Equal(
            File.ReadAllText(Path.Combine(tiny.Mnist, "runs/lenet5-bn-adder-seed1/metrics.csv")),
            File.ReadAllText(Path.Combine(ablation, "runs/lenet5-bn-adder-seed1/metrics.csv")));
        string html = File.ReadAllText(Path.Combine(ablation, "report.html"));
        Assert.All((string[])["97.72", "97.99", "98.99", "99.40", "copied from"], number => Assert.Contains(number, html));
        Assert.Equal(6, File.ReadAllLines(Path.Combine(ablation, "accuracy.csv")).Length);
        Assert.Empty(Directory.GetDirectories(Path.Combine(ablation, "runs"), "*.incomplete"));
    }

    [Fact]
    public void Runs_of_other_epochs_in_the_folder_are_told_and_stay()
    {
        string run = Path.Combine(tiny.Mnist, "runs/lenet5-bn-adder-seed1/checkpoint.json");
        byte[] before = File.ReadAllBytes(run);
        string message = Addernet.Run(tiny.Arguments("mnist", tiny.Mnist, "--epochs", "5")).FailsWith(ExitCode.Failure);
        Assert.Contains("2 epochs, not of 5", message);
        Assert.Contains("--epochs 2", message);
        Assert.Contains("--out", message);
        Assert.Equal(before, File.ReadAllBytes(run));
    }

    [Fact]
    public void A_terminal_gets_a_bar_for_the_whole_experiment()
    {
        string text = Addernet.RunLive(tiny.Arguments("mnist", tiny["live/mnist"], "--epochs", "2")).Succeeds();
        Assert.Contains("all runs", text);
        Assert.Contains("run 2 of 2", text);
        Assert.Contains("left for all", text);
    }

    [Fact]
    public void Without_data_nothing_is_begun()
    {
        string empty = Directory.CreateDirectory(tiny["empty"]).FullName, folder = tiny["nothing/mnist"];
        Assert.Contains("train-images", Addernet.Run("reproduce", "mnist", "--data-dir", empty, "--out", folder).FailsWith(ExitCode.Failure));
        Assert.False(Path.Exists(folder));
    }

    [Fact]
    public void An_experiment_that_does_not_exist_is_told_with_the_nearest()
    {
        Assert.Contains("did you mean mnist?", Addernet.Run("reproduce", "mnits").FailsWith(ExitCode.Usage));
        Assert.Contains("ablation", Addernet.Run("reproduce").FailsWith(ExitCode.Usage));
        Assert.Contains("--list", Addernet.Run("reproduce", "--list", "mnist").FailsWith(ExitCode.Usage));
        Assert.Contains("trains nothing", Addernet.Run("reproduce", "variance", "--epochs", "3").FailsWith(ExitCode.Usage));
        Assert.Contains("--seeds takes", Addernet.Run("reproduce", "mnist", "--seeds", "0").FailsWith(ExitCode.Usage));
    }

    private static string[] Accuracies(string folder) => [.. File.ReadAllLines(Path.Combine(folder, "accuracy.csv"))];
}
