using AdderNet.Data;

namespace AdderNet.Cli;

/// <summary>Opens data sets and shows what is downloaded for them.</summary>
internal static class DataSource
{
    /// <summary>The training or the test images.</summary>
    public static Dataset Open(Host host, string name, bool train, string? dataDir, CancellationToken cancel) => host.Live is null
        ? Datasets.Open(name, train, dataDir, new Notices(host.Error), cancellation: cancel)
        : LiveLines.Run(host.Live, lines => Datasets.Open(name, train, dataDir, new Bars(lines), cancellation: cancel));

    private static string Mega(long bytes) => FormattableString.Invariant($"{bytes / 1e6:N1} MB");

    private sealed class Bars(LiveLines lines) : IProgress<DownloadProgress>
    {
        public void Report(DownloadProgress p) => lines.Show(() =>
        [
            p.Waiting ? $"Waiting for another process that gets {p.File}"
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
            string line = p.Waiting ? $"Waiting for another process that gets {p.File}..."
                : $"Getting {p.File}{(p.TotalBytes is { } total ? $" ({Mega(total)})" : "")}...";
            if (line != last)
            {
                writer.WriteLine(line);
                last = line;
            }
        }
    }
}
