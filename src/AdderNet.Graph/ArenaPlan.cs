namespace AdderNet.Graph;

/// <summary>A value that lies in memory from the step that makes it to the last that reads it.</summary>
/// <param name="Length">Its size, in any unit.</param>
/// <param name="First">The step that writes it.</param>
/// <param name="Last">The last step that reads it; at least <paramref name="First"/>.</param>
public readonly record struct Lifetime(long Length, int First, int Last)
{
    internal bool Overlaps(Lifetime other) => First <= other.Last && other.First <= Last;
}

/// <summary>
/// Where the values of a network lie in one block of memory, so that those needed at different times share it. Largest first, each at the
/// lowest place free for its whole life (Pisarchyk and Lee, "Efficient Memory Management for Deep Neural Net Inference", 2020).
/// </summary>
/// <param name="Offsets">Where each value starts, in the order given, a multiple of the alignment.</param>
/// <param name="Length">The block's size: the peak.</param>
public sealed record ArenaPlan(IReadOnlyList<long> Offsets, long Length)
{
    /// <summary>Places values.</summary>
    /// <param name="values">Their sizes and lives.</param>
    /// <param name="alignment">What every offset is a multiple of.</param>
    public static ArenaPlan Place(IReadOnlyList<Lifetime> values, long alignment = 1)
    {
        ArgumentNullException.ThrowIfNull(values);
        ArgumentOutOfRangeException.ThrowIfLessThan(alignment, 1);
        var offsets = new long[values.Count];
        List<int> placed = [];
        long length = 0;
        foreach (int i in Enumerable.Range(0, values.Count).OrderByDescending(i => values[i].Length).ThenBy(i => i))
        {
            long at = 0;
            foreach (int j in placed.Where(j => values[j].Overlaps(values[i])).OrderBy(j => offsets[j]))
            {
                if (at + values[i].Length <= offsets[j])
                {
                    break;
                }

                at = Math.Max(at, Align(offsets[j] + values[j].Length, alignment));
            }

            offsets[i] = at;
            placed.Add(i);
            length = Math.Max(length, at + values[i].Length);
        }

        return new ArenaPlan(offsets, length);
    }

    private static long Align(long value, long alignment) => (value + alignment - 1) / alignment * alignment;
}
