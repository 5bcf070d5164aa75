using System.Diagnostics;
using AdderNet.Reproduction;
using AdderNet.Training;

namespace AdderNet.Cli;

/// <summary>Shows a run: a table that grows by a line an epoch, and, on a terminal, bars beneath it.</summary>
internal static class TrainingDisplay
{
    /// <summary>Runs the training and shows how it goes, as the host can.</summary>
    /// <param name="host">Where it is shown.</param>
    /// <param name="metrics">What the training measures.</param>
    /// <param name="history">Epochs completed earlier.</param>
    /// <param name="epochs">Epochs of the run.</param>
    /// <param name="train">The training.</param>
    /// <param name="whole">What the run is a part of: how far that is (0 to 1) and what to say of it; null where it stands alone.</param>
    /// <param name="cancel">Cancelled by Ctrl-C.</param>
    /// <param name="measured">What the images measured after each epoch are called: test, or val.</param>
    public static TrainingResult Run(
        Host host, IReadOnlyList<Metric> metrics, IReadOnlyList<EpochMetrics> history, int epochs, Func<IProgress<TrainingProgress>, TrainingResult> train,
        Func<TrainingProgress, (double Fraction, string Text)>? whole, CancellationToken cancel, string measured = "test")
    {
        TrainingTable table = new(metrics, epochs, measured);
        if (host.Live is null)
        {
            host.Out.WriteLine(table.Header);
            WriteAll(host.Out.WriteLine);
            return train(new Plain(host.Out, table, whole));
        }

        return LiveLines.Run(host.Live, lines =>
        {
            lines.Keep(table.Header, "bold");
            WriteAll(row => lines.Keep(row));
            return train(new Bars(lines, table, whole, cancel));
        });

        void WriteAll(Action<string> write)
        {
            foreach (EpochMetrics m in history)
            {
                write(table.Row(m));
            }
        }
    }

    /// <summary>One JSON object a line: each epoch's metrics.</summary>
    public static TrainingResult RunAsJson(Host host, Func<IProgress<TrainingProgress>, TrainingResult> train) => train(new JsonLines(host));

    private static string Doing(TrainingProgress p) => p.Phase == TrainingPhase.Train ? "learning" : "testing";

    private static string Rate(double imagesPerSecond) => FormattableString.Invariant($"{imagesPerSecond:N0} images/s");

    /// <summary>Bars for the epoch and the whole run.</summary>
    private sealed class Bars(LiveLines lines, TrainingTable table, Func<TrainingProgress, (double Fraction, string Text)>? whole, CancellationToken cancel) : IProgress<TrainingProgress>
    {
        public void Report(TrainingProgress p)
        {
            if (p.Notice is { } notice)
            {
                lines.Keep($"  Note: {notice}", "yellow");
            }

            if (p.Completed is { } metrics)
            {
                lines.Keep(table.Row(metrics));
            }

            lines.Show(() => Draw(p), now: p.Completed is not null);
        }

        private IEnumerable<string> Draw(TrainingProgress p)
        {
            // Learning from an image costs three times as much as a look at it, and there are mostly five times as many.
            const double learning = 0.94;
            double phase = (double)p.Batch / Math.Max(1, p.Batches);
            double epoch = p.Phase == TrainingPhase.Train ? learning * phase : learning + (1 - learning) * phase;
            int width = Math.Clamp(lines.Width - 85, 8, 40);
            string left = p.TimeLeft is { } time ? $"{Duration.Clock(time)} left" : "";
            yield return " ";
            yield return $"{$"  epoch {p.Epoch}, {Doing(p)}",-24}{lines.Bar(phase, width, "deepskyblue1")} {phase,4:P0}   {Rate(p.ImagesPerSecond)}   {table.SoFar(p.Values)}";
            yield return $"{"  whole run",-24}{lines.Bar((p.Epoch - 1 + epoch) / p.Epochs, width, "green")} {(p.Epoch - 1 + epoch) / p.Epochs,4:P0}   {left}";
            if (whole?.Invoke(p) is var (fraction, text))
            {
                yield return $"{"  all runs",-24}{lines.Bar(fraction, width, "mediumpurple")} {fraction,4:P0}   {text}";
            }

            yield return cancel.IsCancellationRequested
                ? "  [yellow]Stopping after this batch; Ctrl-C again stops at once.[/]"
                : "  [grey]Ctrl-C stops; the epochs above are kept and the run can be resumed.[/]";
        }
    }

    /// <summary>A line an epoch, and one every half minute within long epochs.</summary>
    private sealed class Plain(TextWriter writer, TrainingTable table, Func<TrainingProgress, (double Fraction, string Text)>? whole) : IProgress<TrainingProgress>
    {
        private readonly Stopwatch sinceLine = Stopwatch.StartNew();

        public void Report(TrainingProgress p)
        {
            if (p.Notice is { } notice)
            {
                writer.WriteLine($"  Note: {notice}");
            }

            if (p.Completed is { } metrics)
            {
                writer.WriteLine(table.Row(metrics));
            }
            else if (sinceLine.Elapsed.TotalSeconds >= 30)
            {
                string left = whole?.Invoke(p) is (_, var text) ? $"   {text}" : p.TimeLeft is { } time ? $"   {Duration.Clock(time)} left" : "";
                writer.WriteLine(FormattableString.Invariant(
                    $"  epoch {p.Epoch}, {Doing(p)}: {100.0 * p.Batch / p.Batches:F0} %   {Rate(p.ImagesPerSecond)}   {table.SoFar(p.Values)}{left}"));
            }
            else
            {
                return;
            }

            writer.Flush();
            sinceLine.Restart();
        }
    }

    private sealed class JsonLines(Host host) : IProgress<TrainingProgress>
    {
        public void Report(TrainingProgress p)
        {
            if (p.Notice is { } notice)
            {
                host.Error.WriteLine($"Note: {notice}");
            }

            if (p.Completed is { } metrics)
            {
                host.Out.WriteJsonLine(metrics);
                host.Out.Flush();
            }
        }
    }
}
