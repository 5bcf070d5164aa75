namespace AdderNet.Kernels.Bytes;

/// <summary>
/// How a layer's sums become codes on the next layer's grid, channel by channel, in integers alone.
/// </summary>
/// <remarks>
/// With Y = -sum |x - w| (32 bits, at most 0), r the residual's code (0 where there is none), and 64-bit arithmetic throughout:
/// <code>
///     v = Y * Multiplier[o] + r * ResidualMultiplier[o] + Offset[o]
///     code = clamp((v + 2^(Shift[o] - 1)) / 2^Shift[o], 0, Top)       rounded down, so that halves round up
/// </code>
/// In C99: <c>v += (int64_t)1 &lt;&lt; (shift - 1); code = v &lt; 0 ? 0 : v &gt;&gt; shift; if (code &gt; top) code = top;</c>.
/// There is one rounding only, after the residual is added. A folded BatchNorm with negative gamma has a negative multiplier. The clamp at
/// 0 is the ReLU; codes of values that may be negative have their zero point in the offset.
/// </remarks>
public sealed class Requantization
{
    /// <summary>Multipliers, offsets and shifts of all output channels.</summary>
    /// <param name="top">The largest code written, 1 to 255.</param>
    /// <param name="multiplier">Factor of Y for each output channel [O].</param>
    /// <param name="offset">Summand for each output channel [O], within +-2^60.</param>
    /// <param name="shift">Bits that each output channel [O] is shifted right by, 1 to 40.</param>
    /// <param name="residualMultiplier">Factor of the residual's code for each output channel [O]; empty where nothing is added.</param>
    /// <exception cref="ArgumentException">The spans differ in length, or a value is out of range.</exception>
    public Requantization(
        int top, ReadOnlySpan<int> multiplier, ReadOnlySpan<long> offset, ReadOnlySpan<int> shift, ReadOnlySpan<int> residualMultiplier = default)
    {
        if (top is < 1 or > 255)
        {
            throw new ArgumentException($"The largest code is {top}; it must be 1 to 255.", nameof(top));
        }

        int channels = multiplier.Length;
        if (channels == 0 || offset.Length != channels || shift.Length != channels || (residualMultiplier.Length != channels && !residualMultiplier.IsEmpty))
        {
            throw new ArgumentException(
                $"There are {channels} multipliers, {offset.Length} offsets, {shift.Length} shifts and {residualMultiplier.Length} residual multipliers; give one of each a channel.");
        }

        for (int o = 0; o < channels; o++)
        {
            if (shift[o] is < 1 or > 40 || offset[o] is < -(1L << 60) or > 1L << 60)
            {
                throw new ArgumentException($"Channel {o} has shift {shift[o]} and offset {offset[o]}; use shifts of 1 to 40 and offsets within +-2^60.");
            }
        }

        (Top, Multiplier, Offset, Shift, ResidualMultiplier) =
            (top, multiplier.ToArray(), offset.ToArray(), shift.ToArray(), residualMultiplier.IsEmpty ? null : residualMultiplier.ToArray());
    }

    /// <summary>The largest code written: 2^bits - 1 of the next layer.</summary>
    public int Top { get; }

    /// <summary>Output channels.</summary>
    public int Channels => Multiplier.Length;

    /// <summary>Whether a residual is added.</summary>
    public bool HasResidual => ResidualMultiplier is not null;

    internal int[] Multiplier { get; }

    internal long[] Offset { get; }

    internal int[] Shift { get; }

    internal int[]? ResidualMultiplier { get; }

    /// <summary>
    /// The integers that come nearest to code = Y * scale[o] + shift[o] + r * residualScale, as many digits kept as 32-bit arithmetic
    /// holds.
    /// </summary>
    /// <param name="top">The largest code written, 1 to 255.</param>
    /// <param name="scale">Codes of the next grid for one step of Y, for each output channel [O]; any sign.</param>
    /// <param name="shift">Codes added for each output channel [O].</param>
    /// <param name="residualScale">Codes of the next grid for one step of the residual; 0 where nothing is added.</param>
    /// <exception cref="ArgumentException">The spans differ in length or are empty, or a value is not finite or too large.</exception>
    public static Requantization FromScales(int top, ReadOnlySpan<double> scale, ReadOnlySpan<double> shift, double residualScale = 0)
    {
        if (scale.Length != shift.Length)
        {
            throw new ArgumentException($"There are {scale.Length} scales but {shift.Length} shifts; give one of each a channel.");
        }

        int[] multiplier = new int[scale.Length], bits = new int[scale.Length], residual = new int[scale.Length];
        long[] offset = new long[scale.Length];
        for (int o = 0; o < scale.Length; o++)
        {
            // What is computed in 32 bits is a code before the clamp with the residual still to come, one step of Y beyond the clamp at most.
            double reach = top + 2 + 255 * Math.Abs(residualScale) + 2 * Math.Abs(scale[o]);
            int s = double.IsFinite(reach) ? 30 - (int)Math.Ceiling(Math.Log2(reach)) : 0;
            double m = Math.ScaleB(scale[o], s), b = Math.ScaleB(shift[o], s), k = Math.ScaleB(residualScale, s);
            if (s < 1 || !(Math.Abs(b) <= 1L << 60))
            {
                throw new ArgumentException($"Channel {o}: a scale of {scale[o]}, a shift of {shift[o]} and a residual's scale of {residualScale} cannot be held in integers.");
            }

            (multiplier[o], offset[o], residual[o], bits[o]) = ((int)Math.Round(m), (long)Math.Round(b), (int)Math.Round(k), s);
        }

        return new Requantization(top, multiplier, offset, bits, residualScale == 0 ? [] : residual);
    }

    /// <summary>The code of one sum.</summary>
    /// <param name="channel">Output channel.</param>
    /// <param name="y">Y = -sum |x - w|.</param>
    /// <param name="residual">The residual's code.</param>
    public byte Apply(int channel, int y, byte residual = 0)
    {
        long v = (long)y * Multiplier[channel] + (ResidualMultiplier is { } k ? (long)residual * k[channel] : 0) + Offset[channel];
        v += 1L << (Shift[channel] - 1);
        return v < 0 ? (byte)0 : (byte)Math.Min(v >> Shift[channel], Top);
    }
}
