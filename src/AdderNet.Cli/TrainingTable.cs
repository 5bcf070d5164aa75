using AdderNet.Reproduction;
using AdderNet.Training;

namespace AdderNet.Cli;

/// <summary>A run as text: a row an epoch, with the columns that its task shows.</summary>
/// <param name="metrics">What the task measures.</param>
/// <param name="epochs">Epochs of the run.</param>
/// <param name="measured">What the images measured after each epoch are called: test, or val.</param>
internal sealed class TrainingTable(IReadOnlyList<Metric> metrics, int epochs, string measured = "test")
{
    private readonly Metric[] shown = [.. metrics.Where(m => m.IsShown)];

    /// <summary>The headings.</summary>
    public string Header =>
        $"{"epoch",7}{string.Concat(Columns("train", TrainingPhase.Train).Concat(Columns(measured, TrainingPhase.Test)).Select(c => c.Title.PadLeft(c.Width)))}{"images/s",11}{"time",9}";

    /// <summary>An epoch's row.</summary>
    public string Row(EpochMetrics epoch) => FormattableString.Invariant(
        $"{epoch.Epoch + "/" + epochs,7}{Cells("train", TrainingPhase.Train, epoch.Train)}{Cells(measured, TrainingPhase.Test, epoch.Measured)}{epoch.ImagesPerSecond,11:N0}{Duration.Clock(TimeSpan.FromSeconds(epoch.TrainSeconds + epoch.TestSeconds)),9}");

    /// <summary>What was measured so far, in a few words.</summary>
    public string SoFar(MetricValues values) =>
        string.Join("   ", shown.Where(m => values.Find(m.Name) is not null).Select(m => $"{m.Title} {m.Format(values[m.Name])}"));

    // The first column of a phase says which phase it is.
    private IEnumerable<(Metric Metric, string Title, int Width)> Columns(string name, TrainingPhase phase) => shown.Where(m => m.Phase is null || m.Phase == phase).Select((metric, i) =>
    {
        string title = i == 0 ? $"{name} {metric.Title}" : metric.Title;
        return (metric, title, 3 + Math.Max(title.Length, metric.Format(1).Length));
    });

    private string Cells(string name, TrainingPhase phase, MetricValues values) => string.Concat(Columns(name, phase).Select(
        c => (values.Find(c.Metric.Name) is { } value ? c.Metric.Format(value) : "").PadLeft(c.Width)));
}
