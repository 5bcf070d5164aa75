namespace AdderNet.Kernels.Bytes;

/// <summary>
/// One channel's requantization, and the same in 32-bit arithmetic where that is exact.
/// </summary>
/// <remarks>
/// v grows or falls with Y, so beyond some Y the code is 0 or Top whatever the residual is, and Y may be clamped there first. What is left
/// of v, counted from its value at the lower clamp, mostly fits 32 bits:
/// <code>
///     code = clamp((clamp(Y - Low, 0, Span) * Multiplier + r * ResidualMultiplier + SmallOffset) >> Shift, 0, Top)
/// </code>
/// </remarks>
internal readonly struct ByteChannel
{
    public readonly int Low, Span, Multiplier, ResidualMultiplier, SmallOffset, Shift;
    public readonly long Offset;
    public readonly bool Fast;

    /// <param name="r">The layer's requantization.</param>
    /// <param name="o">The channel.</param>
    /// <param name="lowest">The lowest Y there can be; the highest is 0.</param>
    /// <param name="origin">Added to <see cref="Low"/>: what the kernel has left out of Y.</param>
    public ByteChannel(Requantization r, int o, long lowest, int origin)
    {
        (Multiplier, ResidualMultiplier, Shift) = (r.Multiplier[o], r.ResidualMultiplier?[o] ?? 0, r.Shift[o]);
        Offset = r.Offset[o] + (1L << (Shift - 1));
        long m = Multiplier, residual = r.HasResidual ? 255L * ResidualMultiplier : 0, end = (r.Top + 1L) << Shift;
        long least = Offset + Math.Min(0, residual), most = Offset + Math.Max(0, residual);

        // Y of the last value known to be 0 and the first known to be Top, on whichever side they lie.
        long low = lowest, high = 0;
        if (m > 0)
        {
            low = Math.Max(low, FloorDivide(-1 - most, m));
            high = Math.Min(high, FloorDivide(end - least - 1, m) + 1);
        }
        else if (m < 0)
        {
            low = Math.Max(low, FloorDivide(-(end - least), -m));
            high = Math.Min(high, FloorDivide(most, -m) + 1);
        }

        // The whole range may lie on one side.
        (low, high) = (Math.Min(low, 0), Math.Max(high, lowest));
        high = Math.Max(high, low);
        Int128 atLow = (Int128)low * m + Offset, atHigh = (Int128)high * m + Offset;
        (long smallest, long largest) = (Math.Min(0, residual), Math.Max(0, residual));
        Fast = Fits(atLow) && Fits(atLow + smallest) && Fits(atLow + largest) && Fits(atHigh) && Fits(atHigh + smallest) && Fits(atHigh + largest)
            && Fits((high - low) * m) && Fits(low + origin) && Fits(high - low) && Shift < 32;
        if (Fast)
        {
            (Low, Span, SmallOffset) = ((int)low + origin, (int)(high - low), (int)atLow);
        }
    }

    /// <summary>The code of one sum in 64-bit arithmetic, as <see cref="Requantization"/> defines it.</summary>
    public byte Apply(int y, byte residual, int top)
    {
        long v = (long)y * Multiplier + (long)residual * ResidualMultiplier + Offset;
        return v < 0 ? (byte)0 : (byte)Math.Min(v >> Shift, top);
    }

    private static bool Fits(Int128 value) => value >= int.MinValue && value <= int.MaxValue;

    private static long FloorDivide(long a, long b) => a / b - (a % b < 0 ? 1 : 0);
}
