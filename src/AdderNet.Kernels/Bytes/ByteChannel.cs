namespace AdderNet.Kernels.Bytes;

/// <summary>
/// One channel's requantization, and the same in 32-bit arithmetic where that is exact.
/// </summary>
/// <remarks>
/// v grows or falls with Y, so beyond some Y the code is 0 or Top whatever the residual is, and Y may be clamped there first. What is left
/// of v mostly fits 32 bits, and then it does not matter what its parts overflow on the way:
/// <code>
///     code = (clamp(Y, Low, High) * Multiplier + r * ResidualMultiplier + SmallOffset) >> Shift, clamped to 0 and Top where ClampsAfter
/// </code>
/// </remarks>
internal readonly struct ByteChannel
{
    public readonly int Low, High, Multiplier, ResidualMultiplier, SmallOffset, Shift;
    public readonly long Offset;
    public readonly bool Fast, ClampsAfter;

    /// <param name="r">The layer's requantization.</param>
    /// <param name="o">The channel.</param>
    /// <param name="lowest">The lowest Y there can be; the highest is 0.</param>
    /// <param name="origin">What the kernel leaves out of Y: it knows Y + origin.</param>
    public ByteChannel(Requantization r, int o, long lowest, int origin)
    {
        (Multiplier, ResidualMultiplier, Shift) = (r.Multiplier[o], r.ResidualMultiplier?[o] ?? 0, r.Shift[o]);
        Offset = r.Offset[o] + (1L << (Shift - 1));
        long end = (r.Top + 1L) << Shift, residual = r.HasResidual ? 255L * ResidualMultiplier : 0;
        long least = Math.Min(0, residual), most = Math.Max(0, residual);

        // Without a residual: the Y whose codes are right without a clamp, if what lies beyond them has the same codes as their ends.
        (long low, long high) = Between(lowest, 0, end - 1);
        ClampsAfter = r.HasResidual || low > high || (low > lowest && Code(low - 1, r.Top) != Code(low, r.Top))
            || (high < 0 && Code(high + 1, r.Top) != Code(high, r.Top));
        if (ClampsAfter)
        {
            // One step beyond the Y that might have a code between 0 and Top for some residual, on either side; all if there are none.
            (low, high) = Between(lowest, -most, end - 1 - least);
            (low, high) = low > high ? (lowest, 0) : (Math.Max(lowest, low - 1), Math.Min(0, high + 1));
        }

        Int128 atLow = (Int128)low * Multiplier + Offset, atHigh = (Int128)high * Multiplier + Offset;
        Fast = Shift < 32 && Fits(atLow + least) && Fits(atLow + most) && Fits(atHigh + least) && Fits(atHigh + most)
            && Fits(low + origin) && Fits(high + origin);
        if (Fast)
        {
            (Low, High) = ((int)low + origin, (int)high + origin);
            SmallOffset = unchecked((int)(Offset - (long)origin * Multiplier));
        }
    }

    /// <summary>The code of one sum in 64-bit arithmetic, as <see cref="Requantization"/> defines it.</summary>
    public byte Apply(int y, byte residual, int top)
    {
        long v = (long)y * Multiplier + (long)residual * ResidualMultiplier + Offset;
        return v < 0 ? (byte)0 : (byte)Math.Min(v >> Shift, top);
    }

    private byte Code(long y, int top) => Apply((int)y, 0, top);

    /// <summary>The first and the last Y from <paramref name="lowest"/> to 0 with Y * Multiplier + Offset from one bound to the other.</summary>
    private (long Low, long High) Between(long lowest, long from, long to)
    {
        (from, to) = (from - Offset, to - Offset);
        if (Multiplier == 0)
        {
            return from <= 0 && to >= 0 ? (lowest, 0) : (0, -1);
        }

        long m = Math.Abs((long)Multiplier);
        (from, to) = Multiplier > 0 ? (from, to) : (-to, -from);
        return (Math.Max(lowest, -FloorDivide(-from, m)), Math.Min(0, FloorDivide(to, m)));
    }

    private static bool Fits(Int128 value) => value >= int.MinValue && value <= int.MaxValue;

    private static long FloorDivide(long a, long b) => a / b - (a % b < 0 ? 1 : 0);
}
