namespace AdderNet.Cli.Reproduce;

/// <summary>Mean and spread of what several seeds reached.</summary>
internal static class Statistics
{
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
