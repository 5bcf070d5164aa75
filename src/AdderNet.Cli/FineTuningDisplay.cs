using System.Diagnostics;
using AdderNet.Reproduction;
using AdderNet.Training;

namespace AdderNet.Cli;

/// <summary>Shows fine-tuning: a line an epoch, a bar on a terminal and else a line every half minute.</summary>
/// <param name="lines">The terminal's lines; null where there is no terminal.</param>
/// <param name="writer">Where lines go without one.</param>
internal sealed class FineTuningDisplay(LiveLines? lines, TextWriter writer) : IProgress<FineTuningProgress>
{
    private readonly Stopwatch sinceLine = Stopwatch.StartNew();

    /// <summary>Runs the fine-tuning and shows how it goes, as the host can.</summary>
    public static T Run<T>(Host host, Func<IProgress<FineTuningProgress>, T> tune) => host.Live is null
        ? tune(new FineTuningDisplay(null, host.Error))
        : LiveLines.Run(host.Live, lines => tune(new FineTuningDisplay(lines, host.Error)));

    public void Report(FineTuningProgress p)
    {
        bool done = p.Batch == p.Batches;
        string text = FormattableString.Invariant(
            $"fine-tuning, epoch {p.Epoch} of {p.Epochs}: {(done ? "" : $"{100.0 * p.Batch / p.Batches:F0} %, ")}loss {p.SoFar.Loss:F4}, accuracy {100 * p.SoFar.Top1:F2} % on training images");
        string left = $"{Duration.Clock(p.TimeLeft)} left";
        if (lines is not null)
        {
            if (done)
            {
                lines.Keep(text);
            }

            lines.Show(() => [$"{lines.Bar((p.Epoch - 1 + (double)p.Batch / p.Batches) / p.Epochs, 30, "green")}  {text}   {left}"]);
        }
        else if (done || sinceLine.Elapsed.TotalSeconds >= 30)
        {
            writer.WriteLine(done ? text : $"{text}, {left}");
            writer.Flush();
            sinceLine.Restart();
        }
    }
}
