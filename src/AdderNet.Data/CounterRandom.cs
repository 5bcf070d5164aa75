namespace AdderNet.Data;

/// <summary>
/// Random numbers that are a function of (seed, epoch, item) alone: whichever thread prepares an item, and in whatever
/// order, it gets the same ones.
/// </summary>
internal struct CounterRandom(ulong seed, int epoch, long item)
{
    private const ulong Golden = 0x9E3779B97F4A7C15;

    private ulong state = Mix(Mix(Mix(seed + Golden) + (uint)epoch + Golden) + (ulong)item + Golden);

    /// <summary>Uniform over all 64-bit numbers (SplitMix64).</summary>
    public ulong Next() => Mix(state += Golden);

    /// <summary>Uniform over 0 .. <paramref name="count"/> - 1.</summary>
    public int Next(int count) => (int)Math.BigMul(Next(), (ulong)count, out _);

    /// <summary>Uniform over [<paramref name="low"/>, <paramref name="high"/>).</summary>
    public double Uniform(double low, double high) => low + (high - low) * ((Next() >> 11) * (1.0 / (1UL << 53)));

    private static ulong Mix(ulong z)
    {
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}
