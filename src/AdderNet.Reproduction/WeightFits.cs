namespace AdderNet.Reproduction;

/// <summary>The two distributions that the paper tells apart, fitted to a layer's weights.</summary>
/// <param name="Laplace">The Laplace distribution.</param>
/// <param name="Gaussian">The Gaussian.</param>
/// <param name="ExcessKurtosis">Of the weights: 0 for a Gaussian, 3 for a Laplace distribution.</param>
internal sealed record WeightFits(DensityFit Laplace, DensityFit Gaussian, double ExcessKurtosis)
{
    /// <summary>How much more likely the Laplace distribution makes the weights, in nats a weight; their scale does not matter.</summary>
    public double Difference => Laplace.LogLikelihood - Gaussian.LogLikelihood;

    /// <summary>The one that makes them more likely.</summary>
    public DensityFit Better => Difference > 0 ? Laplace : Gaussian;

    /// <summary>Fits both.</summary>
    /// <param name="weights">At least two different numbers.</param>
    public static WeightFits Of(IReadOnlyList<float> weights)
    {
        DensityFit gaussian = DensityFit.Gaussian(weights);
        return new WeightFits(DensityFit.Laplace(weights), gaussian, weights.Average(w => Math.Pow((w - gaussian.Location) / gaussian.Scale, 4)) - 3);
    }
}
