namespace AdderNet.Cli.Reproduce;

/// <summary>Shows that the machine is being measured.</summary>
internal static class Measuring
{
    /// <summary>Measures what runs cost, telling which.</summary>
    public static void Show(Host host, TimeEstimate estimate, IEnumerable<PlannedRun> runs, CancellationToken cancel)
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
}
