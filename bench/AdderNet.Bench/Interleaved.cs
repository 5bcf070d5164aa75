using System.Diagnostics;

namespace AdderNet.Bench;

/// <summary>Times actions in turn, A B A B ..., so that a machine whose speed drifts treats them alike.</summary>
internal static class Interleaved
{
    /// <summary>The median seconds of each action over some rounds. An action is repeated within a round until the round is long enough to time.</summary>
    public static double[] Medians(TimeSpan atLeast, int rounds, params Action[] actions)
    {
        int[] repeats = [.. actions.Select(a => Repeats(a, atLeast / rounds / actions.Length))];
        double[][] seconds = [.. actions.Select(_ => new double[rounds])];
        for (int round = 0; round < rounds; round++)
        {
            for (int i = 0; i < actions.Length; i++)
            {
                long start = Stopwatch.GetTimestamp();
                for (int r = 0; r < repeats[i]; r++)
                {
                    actions[i]();
                }

                seconds[i][round] = Stopwatch.GetElapsedTime(start).TotalSeconds / repeats[i];
            }
        }

        return [.. seconds.Select(Median)];
    }

    /// <summary>The middle value; the mean of the middle two of an even number.</summary>
    public static double Median(double[] values)
    {
        double[] sorted = [.. values.Order()];
        return (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
    }

    /// <summary>The geometric mean, the fair mean of ratios.</summary>
    public static double GeometricMean(IEnumerable<double> values) => Math.Exp(values.Average(Math.Log));

    private static int Repeats(Action action, TimeSpan slice)
    {
        action(); // Compiles it and touches its memory.
        action();
        long start = Stopwatch.GetTimestamp();
        action();
        double once = Stopwatch.GetElapsedTime(start).TotalSeconds;
        return (int)Math.Clamp(slice.TotalSeconds / Math.Max(once, 1e-7), 1, 100_000);
    }
}
