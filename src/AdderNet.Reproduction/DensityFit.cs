namespace AdderNet.Reproduction;

/// <summary>A distribution fitted to a sample by maximum likelihood.</summary>
/// <param name="Name">Of the distribution.</param>
/// <param name="Location">The Gaussian's mean; the Laplace distribution's median.</param>
/// <param name="Scale">The Gaussian's standard deviation; the Laplace distribution's mean distance from its median.</param>
/// <param name="LogLikelihood">Mean logarithm of the density over the sample, in nats.</param>
/// <param name="Density">The density at a value.</param>
internal sealed record DensityFit(string Name, double Location, double Scale, double LogLikelihood, Func<double, double> Density)
{
    /// <summary>exp(-(x - m)^2 / 2 s^2) / (s sqrt(2 pi)).</summary>
    /// <param name="sample">At least two different numbers.</param>
    public static DensityFit Gaussian(IReadOnlyList<float> sample)
    {
        double mean = sample.Average(x => (double)x), s = Math.Sqrt(sample.Average(x => (x - mean) * (x - mean)));
        return new DensityFit(
            "Gaussian", mean, s, -0.5 * Math.Log(2 * Math.PI * s * s) - 0.5,
            x => Math.Exp(-(x - mean) * (x - mean) / (2 * s * s)) / (s * Math.Sqrt(2 * Math.PI)));
    }

    /// <summary>exp(-|x - m| / b) / 2b.</summary>
    /// <inheritdoc cref="Gaussian"/>
    public static DensityFit Laplace(IReadOnlyList<float> sample)
    {
        float[] sorted = [.. sample.Order()];
        double median = (sorted[(sorted.Length - 1) / 2] + (double)sorted[sorted.Length / 2]) / 2, b = sample.Average(x => Math.Abs(x - median));
        return new DensityFit("Laplace", median, b, -Math.Log(2 * b) - 1, x => Math.Exp(-Math.Abs(x - median) / b) / (2 * b));
    }
}
