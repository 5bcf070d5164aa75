namespace AdderNet.Graph;

/// <summary>
/// What is left of an adder layer's taps, a tap being one weight of one filter. |x - w| = x + w - 2 min(x, w), and the sum of x over the
/// window is the same for all filters. With every input between m and M, a tap w &lt;= m has min(x, w) = w and needs no work, a tap w &gt;= M
/// has min(x, w) = x and is a plain sum of inputs, and the others take a minimum.
/// </summary>
/// <param name="Skipped">Taps at or below the smallest input.</param>
/// <param name="Plain">Taps at or above the largest input.</param>
/// <param name="Compared">Taps between.</param>
public readonly record struct TapStatistics(long Skipped, long Plain, long Compared)
{
    /// <summary>All taps.</summary>
    public long All => Skipped + Plain + Compared;

    /// <summary>The share of taps that need work, 0 to 1.</summary>
    public double Left => All == 0 ? 0 : (Plain + Compared) / (double)All;

    /// <summary>The taps of a layer of codes, whose grid says what its inputs lie between.</summary>
    /// <param name="layer">The layer.</param>
    public static TapStatistics Of(QuantizedAdderNode layer)
    {
        ArgumentNullException.ThrowIfNull(layer);
        ReadOnlySpan<byte> codes = layer.Filters.Data.Span;
        int skipped = codes.Count((byte)0), plain = codes.Count((byte)layer.InputGrid.Top);
        return new TapStatistics(skipped, plain, codes.Length - skipped - plain);
    }

    /// <summary>The taps of a float32 layer.</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="least">What every input is at least; negative infinity where that is not known.</param>
    /// <param name="largest">What every input is at most; positive infinity where that is not known.</param>
    public static TapStatistics Of(AdderNode layer, double least, double largest)
    {
        ArgumentNullException.ThrowIfNull(layer);
        int skipped = 0, plain = 0;
        float[] filters = layer.Filters.ToFloats();
        foreach (float w in filters)
        {
            if (w <= least)
            {
                skipped++;
            }
            else if (w >= largest)
            {
                plain++;
            }
        }

        return new TapStatistics(skipped, plain, filters.Length - skipped - plain);
    }

    /// <summary>The taps of both.</summary>
    public static TapStatistics operator +(TapStatistics a, TapStatistics b) => Add(a, b);

    /// <summary>The taps of both.</summary>
    public static TapStatistics Add(TapStatistics a, TapStatistics b) => new(a.Skipped + b.Skipped, a.Plain + b.Plain, a.Compared + b.Compared);

    /// <summary>The shares in words.</summary>
    public override string ToString() => All == 0 ? "no taps" : FormattableString.Invariant(
        $"taps: {100.0 * Skipped / All:F1} % skipped, {100.0 * Plain / All:F1} % plain sums, {100.0 * Compared / All:F1} % compared");
}
