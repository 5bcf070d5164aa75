namespace AdderNet.Kernels;

/// <summary>Between which values a layer's inputs lie. The narrower, the more filter elements need no work; results never depend on it but in rounding.</summary>
/// <param name="Min">The smallest input; negative infinity where it is not known.</param>
/// <param name="Max">The largest input; positive infinity where it is not known.</param>
public readonly record struct InputRange(float Min, float Max)
{
    /// <summary>Any input: nothing is skipped.</summary>
    public static InputRange Any { get; } = new(float.NegativeInfinity, float.PositiveInfinity);

    /// <summary>Inputs that come from a ReLU: none is negative.</summary>
    public static InputRange AfterRelu { get; } = new(0, float.PositiveInfinity);

    /// <summary>This range and 0, which padding brings in.</summary>
    internal InputRange WithZero => new(Math.Min(Min, 0), Math.Max(Max, 0));
}
