using AdderNet.Graph;

namespace AdderNet.Export.C;

/// <summary>
/// What is left of a quantized adder layer's taps. |x - w| = x + w - 2 min(x, w), so a tap of code 0 needs no work, one of the largest code
/// (x &lt;= w) is a plain sum of inputs, and the others take a minimum; the sum of x over the window is the same for all filters.
/// </summary>
/// <param name="Skipped">Taps of code 0.</param>
/// <param name="Plain">Taps of the largest code.</param>
/// <param name="Compared">Taps between.</param>
internal readonly record struct TapStatistics(long Skipped, long Plain, long Compared)
{
    public long All => Skipped + Plain + Compared;

    public static TapStatistics Of(QuantizedAdderNode layer)
    {
        ReadOnlySpan<byte> codes = layer.Filters.Data.Span;
        int skipped = codes.Count((byte)0), plain = codes.Count((byte)layer.InputGrid.Top);
        return new TapStatistics(skipped, plain, codes.Length - skipped - plain);
    }

    public static TapStatistics operator +(TapStatistics a, TapStatistics b) =>
        new(a.Skipped + b.Skipped, a.Plain + b.Plain, a.Compared + b.Compared);

    /// <summary>Additions for one image by tap lists, of inputs and of minima; a group's filters share the sum of the window.</summary>
    public long Additions(QuantizedAdderNode layer) =>
        layer.Shape.Pixels * ((long)layer.SumLength * layer.Groups + Plain + Compared);

    public override string ToString() => FormattableString.Invariant(
        $"taps: {100.0 * Skipped / All:F1} % skipped, {100.0 * Plain / All:F1} % plain sums, {100.0 * Compared / All:F1} % compared");
}
