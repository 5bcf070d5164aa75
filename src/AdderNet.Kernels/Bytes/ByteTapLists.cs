namespace AdderNet.Kernels.Bytes;

/// <summary>One weight that is left: where the patch holds its inputs, and its code four times over.</summary>
internal readonly record struct ByteTap(int Offset, int Weight)
{
    public static ByteTap Of(int offset, int code) => new(offset, code * 0x01010101);
}

/// <summary>What happens to a tile's 16-bit totals before a piece is added.</summary>
internal enum BytePieceStart : byte
{
    /// <summary>The piece begins its filter: the totals are 0.</summary>
    Fresh,

    /// <summary>The totals go on.</summary>
    Continue,

    /// <summary>They might overflow: they join the 32-bit totals and begin again at 0.</summary>
    Spill,
}

/// <summary>Some taps of one filter: large groups to compare, small groups to compare, groups of plain sums, one behind the other.</summary>
internal readonly record struct BytePiece(int FirstTap, ushort Large, ushort Small, ushort Plain, BytePieceStart Start);

/// <summary>
/// The taps of all filters that need work, in the order the inner loop reads them: channels in chunks whose patch stays in the first-level
/// cache, filter after filter in each.
/// </summary>
/// <remarks>
/// A tap of code 0 is left out: min(x, 0) = 0. A tap of the top code is a plain sum: min(x, top) = x. The others are compared, in groups
/// that cannot exceed 255 together: a sum of min(x, w) is at most the sum of w, so twice as many as the width alone allows fit where
/// the weights are right. The fewer groups, the less widening.
/// </remarks>
internal sealed class ByteTapLists
{
    /// <summary>The patch of a chunk: well below the 32 KB of a first-level cache, with room for taps and totals that stream by.</summary>
    public const int PatchBytes = 20 * 1024;

    private const int Capacity = 255, TotalCapacity = 65535;

    private readonly int large, small, top;
    private readonly List<ByteTap> taps = [];
    private readonly List<BytePiece> pieces = [];
    private (int Offset, int Code)[] sorted;
    private int[] sums, members;
    private long[] groups;

    public ByteTapLists(AdderShape shape, ReadOnlySpan<byte> codes, int bits, ByteTiling tiling)
    {
        (large, small) = GroupSizes(bits);
        top = (1 << bits) - 1;
        int channels = Math.Clamp(PatchBytes / tiling.ChannelLength, 1, shape.GroupC), filters = shape.GroupO;
        Chunks = (shape.GroupC - 1) / channels + 1;
        ChunkChannels = (shape.GroupC - 1) / Chunks + 1;
        Chunks = (shape.GroupC - 1) / ChunkChannels + 1;
        int lists = Chunks * shape.O;
        ListStarts = Pinned<int>(lists + Chunks + 1);
        FilterSpills = Pinned<byte>(shape.O + 1);
        int[] totals = new int[shape.O + 1];

        // What is collected for one filter after the other; reused, since a network has thousands and loading waits for this.
        (int Offset, int Code)[] left = new (int, int)[ChunkChannels * shape.KernelH * shape.KernelW];
        sorted = new (int, int)[left.Length];
        sums = new int[left.Length + 1];
        groups = new long[left.Length];
        members = new int[left.Length];
        int at = 0;
        for (int group = 0; group < shape.Groups; group++)
        {
            for (int chunk = 0; chunk < Chunks; chunk++)
            {
                for (int o = group * filters; o < (group + 1) * filters; o++)
                {
                    int count = Collect(o, chunk, codes);
                    ListStarts[at++] = pieces.Count;
                    AddPieces(left.AsSpan(0, count), chunk == 0, ref totals[o], ref FilterSpills[o]);
                }
            }
        }

        for (int chunk = 0; chunk < Chunks; chunk++)
        {
            int count = Collect(0, chunk, []);
            ListStarts[at++] = pieces.Count;
            AddPieces(left.AsSpan(0, count), chunk == 0, ref totals[shape.O], ref FilterSpills[shape.O]);
        }

        ListStarts[at] = pieces.Count;
        Taps = Pinned<ByteTap>(taps.Count);
        taps.CopyTo(Taps);
        Pieces = Pinned<BytePiece>(pieces.Count);
        pieces.CopyTo(Pieces);
        taps.Clear();
        pieces.Clear();
        (sorted, sums, groups, members) = ([], [], [], []);

        // A filter's taps of one chunk; without codes those of the box, which takes every input as it is.
        int Collect(int o, int chunk, ReadOnlySpan<byte> codes)
        {
            int count = 0;
            for (int c = chunk * ChunkChannels; c < Math.Min(shape.GroupC, (chunk + 1) * ChunkChannels); c++)
            {
                for (int i = 0; i < shape.KernelH; i++)
                {
                    for (int j = 0; j < shape.KernelW; j++)
                    {
                        int code = codes.IsEmpty ? top : codes[((o * shape.GroupC + c) * shape.KernelH + i) * shape.KernelW + j];
                        if (code > 0)
                        {
                            left[count++] = (tiling.TapOffset(c - chunk * ChunkChannels, i, j), code);
                        }
                    }
                }
            }

            return count;
        }
    }

    /// <summary>Chunks of a group's channels, and channels of each but the last.</summary>
    public int Chunks { get; }

    public int ChunkChannels { get; }

    public ByteTap[] Taps { get; }

    public BytePiece[] Pieces { get; }

    /// <summary>Where the pieces of a list start: first by group, chunk and filter, then the box's by chunk, then the end.</summary>
    public int[] ListStarts { get; }

    /// <summary>1 for each filter, and behind them the box, whose totals need 32 bits.</summary>
    public byte[] FilterSpills { get; }

    /// <summary>Taps of a large and of a small group by bits: a small one holds whatever the weights, a large one where they allow it.</summary>
    public static (int Large, int Small) GroupSizes(int bits) => bits switch { 8 => (2, 1), 7 => (4, 2), 6 => (8, 4), _ => (8, 8) };

    private static T[] Pinned<T>(int length)
        where T : unmanaged => GC.AllocateArray<T>(length, pinned: true);

    private void AddPieces(ReadOnlySpan<(int Offset, int Code)> left, bool first, ref int total, ref byte spills)
    {
        // As few pieces as keep each within 16 bits.
        int parts = 1;
        while (!Fit(left, parts))
        {
            parts++;
        }

        for (int part = 0; part < parts; part++)
        {
            ReadOnlySpan<(int Offset, int Code)> some = Part(left, part, parts);
            int weight = Weight(some);
            bool spill = total + weight > TotalCapacity;
            total = spill ? weight : total + weight;
            spills |= spill ? (byte)1 : (byte)0;
            AddPiece(some, first && part == 0 ? BytePieceStart.Fresh : spill ? BytePieceStart.Spill : BytePieceStart.Continue);
        }

        static bool Fit(ReadOnlySpan<(int Offset, int Code)> left, int parts)
        {
            for (int part = 0; part < parts; part++)
            {
                if (Weight(Part(left, part, parts)) > TotalCapacity)
                {
                    return false;
                }
            }

            return true;
        }

        static ReadOnlySpan<(int Offset, int Code)> Part(ReadOnlySpan<(int Offset, int Code)> left, int part, int parts) =>
            left[(int)((long)left.Length * part / parts)..(int)((long)left.Length * (part + 1) / parts)];
    }

    private static int Weight(ReadOnlySpan<(int Offset, int Code)> taps)
    {
        int weight = 0;
        foreach ((_, int code) in taps)
        {
            weight += code;
        }

        return weight;
    }

    private void AddPiece(ReadOnlySpan<(int Offset, int Code)> some, BytePieceStart start)
    {
        int firstTap = taps.Count;
        Sort(some);
        int plain = some.Length;
        while (plain > 0 && sorted[plain - 1].Code == top)
        {
            plain--;
        }

        // What is left of plain taps when groups are full is compared like the others.
        int plainGroups = (some.Length - plain) / small;
        plain = some.Length - plainGroups * small;
        int largeGroups = large > small ? AddLargeGroups(sorted.AsSpan(0, plain)) : 0, rest = plain - largeGroups * large;
        AddTaps(sorted.AsSpan(largeGroups * large, rest));
        for (; rest % small != 0; rest++)
        {
            taps.Add(default);
        }

        int smallGroups = rest / small;
        AddTaps(sorted.AsSpan(plain, plainGroups * small));
        pieces.Add(large > small
            ? new BytePiece(firstTap, (ushort)largeGroups, (ushort)smallGroups, (ushort)plainGroups, start)
            : new BytePiece(firstTap, (ushort)smallGroups, 0, (ushort)plainGroups, start));
    }

    /// <summary>Into <c>sorted</c>, the smallest codes first, by counting: codes are bytes.</summary>
    private void Sort(ReadOnlySpan<(int Offset, int Code)> some)
    {
        Span<int> starts = stackalloc int[257];
        starts.Clear();
        foreach ((_, int code) in some)
        {
            starts[code + 1]++;
        }

        for (int code = 1; code < starts.Length; code++)
        {
            starts[code] += starts[code - 1];
        }

        foreach ((int Offset, int Code) tap in some)
        {
            sorted[starts[tap.Code]++] = tap;
        }
    }

    private void AddTaps(ReadOnlySpan<(int Offset, int Code)> some)
    {
        foreach ((int offset, int code) in some)
        {
            taps.Add(ByteTap.Of(offset, code));
        }
    }

    /// <summary>Writes as many large groups of the smallest codes as fit 8 bits each; returns how many.</summary>
    private int AddLargeGroups(ReadOnlySpan<(int Offset, int Code)> compared)
    {
        for (int i = 0; i < compared.Length; i++)
        {
            sums[i + 1] = sums[i] + compared[i].Code;
        }

        for (int count = compared.Length / large; count > 0; count--)
        {
            // No order helps where the codes are more than all groups hold together.
            if (sums[count * large] > count * Capacity)
            {
                continue;
            }

            // Each group takes one code of every layer of the sorted list, the largest of it where the sum so far is smallest. In a group's
            // number the upper half is its sum.
            Span<long> order = groups.AsSpan(0, count);
            for (int g = 0; g < count; g++)
            {
                order[g] = g;
            }

            for (int layer = large - 1; layer >= 0; layer--)
            {
                order.Sort();
                for (int k = 0; k < count; k++)
                {
                    int index = layer * count + count - 1 - k;
                    members[(int)order[k] * large + layer] = index;
                    order[k] += (long)compared[index].Code << 32;
                }
            }

            long most = 0;
            foreach (long group in order)
            {
                most = Math.Max(most, group >> 32);
            }

            if (most <= Capacity)
            {
                foreach (int index in members.AsSpan(0, count * large))
                {
                    taps.Add(ByteTap.Of(compared[index].Offset, compared[index].Code));
                }

                return count;
            }
        }

        return 0;
    }
}
