using AdderNet.Training;

namespace AdderNet.Reproduction;

/// <summary>All runs of an experiment, whatever their task: what the last epoch reached, and what it took.</summary>
internal static class RunTable
{
    public static void Write(IReadOnlyList<RunFinding> runs, Report report)
    {
        IReadOnlyList<Metric> metrics = runs[0].Plan.Recipe.Metrics;
        Metric[] shares = [.. metrics.Where(m => m.IsShown && m.IsShare)], losses = [.. metrics.Where(m => m.IsShown && !m.IsShare)];
        Metric deciding = metrics.Single(m => m.Best is not null);
        string images = runs.Any(r => r.History is [{ Validation: not null }, ..]) ? "validation" : "test";
        Metric[] measured = [.. losses.Where(m => m.Phase is null)];
        report.Title("Runs");
        report.Table(
            "runs",
            [
                "run", "epochs", .. shares.Select(m => new Column($"{images} {m.Title}, %", "F2")),
                new($"best epoch's {deciding.Title}, %", "F2"),
                .. measured.Select(m => new Column($"{images} {m.Title}", "F4")),
                .. losses.Select(m => new Column($"training {m.Title}", "F4")),
                "time", new("images/s", "N0"), "from",
            ],
            runs.Select(r => (object?[])
            [
                r.Plan.Name, r.History.Count,
                .. shares.Select(m => r.Result is { } last ? (object)(100 * last.Measured[m.Name]) : r.Missing),
                r.History.Count == 0 ? null : 100 * r.History.Max(e => e.Measured[deciding.Name]),
                .. measured.Select(m => (object?)r.Last?.Measured[m.Name]), .. losses.Select(m => (object?)r.Last?.Train[m.Name]),
                .. r.History.Count == 0 ? (object?[])[null, null, null]
                : [
                    Duration.Words(r.Time), r.History.Average(e => e.ImagesPerSecond),
                    r.CopiedFrom is null ? "trained here" : $"copied from {r.CopiedFrom}",
                ],
            ]));
    }
}
