using AdderNet.Training;

namespace AdderNet.Reproduction;

/// <summary>Accuracies as mean and spread (standard deviation) over seeds, beside the paper's.</summary>
internal static class SeedTable
{
    /// <summary>The columns of <see cref="Row"/>.</summary>
    public static IReadOnlyList<Column> Columns(string first) =>
        [first, new("accuracy, %", "F2"), new("spread", "F2"), "seeds", new("paper, %", "F2"), new("difference", "+0.00;-0.00;0.00")];

    /// <summary>One network's row.</summary>
    /// <param name="name">What the table calls it.</param>
    /// <param name="runs">Its runs, one a seed; those that are complete count.</param>
    /// <param name="paper">The paper's accuracy; null where it has none.</param>
    public static IReadOnlyList<object?> Row(string name, IReadOnlyList<RunFinding> runs, double? paper)
    {
        double[] reached = [.. Percentages(runs, e => e.TestTop1)];
        return reached.Length == 0
            ? [name, runs[0].Missing, null, 0, paper, null]
            : [name, reached.Average(), StandardDeviation(reached), reached.Length, paper, reached.Average() - paper];
    }

    /// <summary>A share, in percent, of the last epoch of each complete run.</summary>
    public static IEnumerable<double> Percentages(IEnumerable<RunFinding> runs, Func<EpochMetrics, double> share) =>
        runs.Select(r => r.Result).OfType<EpochMetrics>().Select(e => 100 * share(e));

    /// <summary>The sample's standard deviation (of n - 1 degrees of freedom); null for fewer than two values.</summary>
    public static double? StandardDeviation(IReadOnlyCollection<double> values)
    {
        if (values.Count < 2)
        {
            return null;
        }

        double mean = values.Average();
        return Math.Sqrt(values.Sum(v => (v - mean) * (v - mean)) / (values.Count - 1));
    }
}
