using AdderNet.Graph;

namespace AdderNet.Reproduction;

/// <summary>Values that were met: their bounds over all of them, and some of them, evenly picked.</summary>
/// <param name="Smallest">The smallest.</param>
/// <param name="Largest">The largest.</param>
/// <param name="Sample">Some of them.</param>
internal sealed record ValueSample(double Smallest, double Largest, float[] Sample)
{
    /// <summary>Standard deviation of the sample.</summary>
    public double Deviation => DeviationOf(Sample);

    /// <summary>Standard deviation of some values.</summary>
    public static double DeviationOf(float[] values)
    {
        double mean = values.Average(v => (double)v);
        return Math.Sqrt(values.Average(v => (v - mean) * (v - mean)));
    }
}

/// <summary>One layer of weights, and what surrounds it in a trained network.</summary>
/// <param name="Name">Its name.</param>
/// <param name="IsAdder">Whether it is an adder layer.</param>
/// <param name="Filters">Its weights.</param>
/// <param name="Inputs">What it reads.</param>
/// <param name="Taps">What is left of its taps; null for an ordinary layer.</param>
/// <param name="Scales">|gamma| of the BatchNorm behind it by channel; null where there is none.</param>
/// <param name="Dead">Output channels that the ReLU behind it leaves 0 in every pixel of every image; null where there is none.</param>
internal sealed record LayerAnalysis(
    string Name, bool IsAdder, float[] Filters, ValueSample Inputs, TapStatistics? Taps, float[]? Scales, int? Dead)
{
    /// <summary>Standard deviation of the filters.</summary>
    public double Deviation { get; } = ValueSample.DeviationOf(Filters);
}
