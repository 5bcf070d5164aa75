using AdderNet.Data;
using AdderNet.Data.Detection;
using AdderNet.Reproduction;
using AdderNet.Training;

namespace AdderNet.Cli;

/// <summary>Shows on the console how an experiment goes.</summary>
internal sealed class ExperimentDisplay(Host host) : IExperimentDisplay
{
    public void WriteLine(string line = "") => host.Out.WriteLine(line);

    public Dataset OpenData(string name, bool train, string? dataDir, CancellationToken cancel) => DataSource.Open(host, name, train, dataDir, cancel);

    public DetectionSplits OpenScenes(string name, string? dataDir, CancellationToken cancel) =>
        DataSource.OpenDetection(host, name, dataDir, skipDamaged: false, cancel);

    public void Measure(TimeEstimate estimate, IEnumerable<PlannedRun> runs, CancellationToken cancel)
    {
        if (host.Live is null)
        {
            estimate.Measure(runs, (_, i, count) =>
            {
                if (i == 1)
                {
                    host.Error.WriteLine($"Measuring how fast this machine trains {(count == 1 ? "the network" : $"{count} networks")}...");
                }
            }, cancel);
            return;
        }

        LiveLines.Run(host.Live, lines =>
        {
            estimate.Measure(
                runs,
                (run, i, count) => lines.Show(() => [$"Measuring this machine  {lines.Bar((i - 1.0) / count, 30, "deepskyblue1")}  {run.Recipe.Model}, {run.Label}"], now: true),
                cancel);
            return true;
        });
    }

    public TrainingResult Train(
        Trainer trainer, IReadOnlyList<EpochMetrics> history, int epochs, Func<TrainingProgress, (double Fraction, string Text)> whole,
        CancellationToken cancel) =>
        TrainingDisplay.Run(
            host, trainer.Metrics, history, epochs, progress => trainer.Run(progress, cancel), whole, cancel, trainer.MeasuresValidation ? "val" : "test");
}
