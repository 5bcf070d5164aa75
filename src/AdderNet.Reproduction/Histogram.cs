namespace AdderNet.Reproduction;

/// <summary>How many of some values lie where, as a density.</summary>
/// <param name="Centres">The middles of the bins.</param>
/// <param name="Densities">Shares of the values, divided by the bins' width.</param>
/// <param name="Width">Of a bin.</param>
internal sealed record Histogram(double[] Centres, double[] Densities, double Width)
{
    /// <summary>Counts values into equal bins.</summary>
    /// <param name="values">The values. The few beyond the bounds belong to the outermost bins.</param>
    /// <param name="from">Where the first bin begins.</param>
    /// <param name="to">Where the last bin ends.</param>
    /// <param name="bins">How many.</param>
    public static Histogram Of(IReadOnlyCollection<float> values, double from, double to, int bins)
    {
        double width = (to - from) / bins;
        int[] counts = new int[bins];
        foreach (float v in values)
        {
            counts[(int)Math.Clamp(Math.Floor((v - from) / width), 0, bins - 1)]++;
        }

        return new Histogram(
            [.. Enumerable.Range(0, bins).Select(i => from + (i + .5) * width)],
            [.. counts.Select(c => c / (width * Math.Max(values.Count, 1)))], width);
    }
}
