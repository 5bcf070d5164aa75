using AdderNet.Graph;

namespace AdderNet.Inference;

/// <summary>
/// Chooses the largest value that codes of adder layers reach: beyond it inputs are clamped, below it steps are finer. What decides is the
/// error in the sums of the layers that read the codes, after BatchNorm is fitted again.
/// </summary>
internal static class GridSearch
{
    private static readonly double[] Percentiles = [99.99, 99.95, 99.9, 99.8, 99.5, 99, 98, 97, 95];
    private static readonly double[] Fractions = [0.9, 0.8, 0.7, 0.6, 0.5, 0.4];

    /// <summary>A layer that reads the codes.</summary>
    /// <param name="X">What it reads in the integer network, before it is rounded.</param>
    /// <param name="Sums">Its sums in the float32 network.</param>
    /// <param name="Factor">What BatchNorm multiplies each channel's sums by.</param>
    /// <param name="Shape">Its output.</param>
    /// <param name="Run">Its sums of codes on a grid.</param>
    public sealed record Trial(float[] X, float[] Sums, double[] Factor, FeatureShape Shape, Func<int[], Grid, float[]> Run);

    /// <summary>The best of the largest value, percentiles of the values, and shares of the largest.</summary>
    public static (Grid Grid, string Rule) Find(IReadOnlyList<Trial> trials, float[] values, int bits)
    {
        float[] sorted = [.. values.Where(v => v > 0)];
        Array.Sort(sorted);
        if (sorted.Length == 0)
        {
            return (Grid.To(1, bits), "max");
        }

        // Percentiles of all values, those after the ReLU that are 0 among them.
        double largest = sorted[^1];
        IEnumerable<(double Largest, string Rule)> candidates =
        [
            (largest, "max"),
            .. Percentiles.Select(p => (p, (long)(values.Length * (100 - p) / 100))).Where(c => c.Item2 < sorted.Length)
                .Select(c => ((double)sorted[sorted.Length - 1 - (int)c.Item2], FormattableString.Invariant($"{c.p} %"))),
            .. Fractions.Select(f => (f * largest, FormattableString.Invariant($"{f} max"))),
        ];
        return candidates.Where(c => c.Largest > 0)
            .Select(c => (Grid: Grid.To(c.Largest, bits), c.Rule))
            .MinBy(c => trials.Sum(trial => Error(trial, c.Grid)));
    }

    /// <summary>The mean square of what a layer's outputs are off, relative to their variance.</summary>
    private static double Error(Trial trial, Grid grid)
    {
        float[] sums = trial.Run(Array.ConvertAll(trial.X, v => grid.Code(v)), grid);
        LineFit[] fits = LineFit.OfChannels(sums, trial.Sums, trial.Shape.Channels, trial.Shape.Pixels);
        double missed = 0, spread = 0;
        foreach ((int o, LineFit fit) in fits.Index())
        {
            missed += trial.Factor[o] * trial.Factor[o] * fit.Missed;
            spread += trial.Factor[o] * trial.Factor[o] * fit.Spread;
        }

        return spread > 0 ? missed / spread : 0;
    }
}
