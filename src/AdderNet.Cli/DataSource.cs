using System.CommandLine;
using AdderNet.Data;
using AdderNet.Data.Detection;
using Spectre.Console;

namespace AdderNet.Cli;

/// <summary>Opens data sets and shows what is downloaded for them.</summary>
internal static class DataSource
{
    public static Option<bool> SkipDamaged() => new("--skip-damaged")
    {
        Description = "Leave out image files that can't be read, and tell how many; without it they are all named and nothing starts",
    };

    /// <summary>The training or the test images.</summary>
    public static Dataset Open(Host host, string name, bool train, string? dataDir, CancellationToken cancel, bool skipDamaged = false) =>
        With(host, progress => Datasets.Open(name, train, dataDir, progress, skipDamaged, cancel));

    /// <summary>All splits; what a user should know of them is told.</summary>
    public static DatasetSplits OpenSplits(Host host, string name, string? dataDir, bool skipDamaged, CancellationToken cancel)
    {
        DatasetSplits splits = With(host, progress => Datasets.OpenSplits(name, dataDir, progress, skipDamaged, cancel));
        foreach (string notice in splits.Notices)
        {
            host.Error.WriteLine(notice);
        }

        return splits;
    }

    /// <summary>All splits of a data set with boxes; what a user should know of them is told.</summary>
    public static DetectionSplits OpenDetection(Host host, string name, string? dataDir, bool skipDamaged, CancellationToken cancel)
    {
        DetectionSplits splits = With(host, progress => Datasets.OpenDetection(name, dataDir, progress, skipDamaged, cancel));
        foreach (string notice in splits.Notices)
        {
            host.Error.WriteLine(notice);
        }

        return splits;
    }

    private static T With<T>(Host host, Func<IProgress<DownloadProgress>, T> open) => host.Live is null
        ? open(new Notices(host.Error))
        : LiveLines.Run(host.Live, lines => open(new Bars(lines)));

    private static string Waits(DownloadProgress p) =>
        $"Waiting for another process that {(p.IsCheck ? "checks the images in" : "gets")} {p.File}";

    private static string Mega(long bytes) => FormattableString.Invariant($"{bytes / 1e6:N1} MB");

    private sealed class Bars(LiveLines lines) : IProgress<DownloadProgress>
    {
        public void Report(DownloadProgress p) => lines.Show(() =>
        [
            p.Waiting ? Markup.Escape(Waits(p))
                : p.TotalBytes is { } total ? $"Getting {p.File}  {lines.Bar((double)p.ReceivedBytes / total, 30, "deepskyblue1")} {Mega(p.ReceivedBytes)} of {Mega(total)}"
                : $"Getting {p.File}  {Mega(p.ReceivedBytes)}",
        ]);
    }

    /// <summary>A line for each file.</summary>
    private sealed class Notices(TextWriter writer) : IProgress<DownloadProgress>
    {
        private string? last;

        public void Report(DownloadProgress p)
        {
            string line = p.Waiting ? $"{Waits(p)}..."
                : $"Getting {p.File}{(p.TotalBytes is { } total ? $" ({Mega(total)})" : "")}...";
            if (line != last)
            {
                writer.WriteLine(line);
                last = line;
            }
        }
    }
}
