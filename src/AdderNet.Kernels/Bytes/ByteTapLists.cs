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

        List<(int Offset, int Code)> left = [];
        int at = 0;
        for (int group = 0; group < shape.Groups; group++)
        {
            for (int chunk = 0; chunk < Chunks; chunk++)
            {
                for (int o = group * filters; o < (group + 1) * filters; o++)
                {
                    Collect(o, chunk, codes);
                    ListStarts[at++] = pieces.Count;
                    AddPieces(left, chunk == 0, ref totals[o], ref FilterSpills[o]);
                }
            }
        }

        for (int chunk = 0; chunk < Chunks; chunk++)
        {
            Collect(0, chunk, []);
            ListStarts[at++] = pieces.Count;
            AddPieces(left, chunk == 0, ref totals[shape.O], ref FilterSpills[shape.O]);
        }

        ListStarts[at] = pieces.Count;
        Taps = Pinned<ByteTap>(taps.Count);
        taps.CopyTo(Taps);
        Pieces = Pinned<BytePiece>(pieces.Count);
        pieces.CopyTo(Pieces);
        taps.Clear();
        pieces.Clear();

        // A filter's taps of one chunk; without codes those of the box, which takes every input as it is.
        void Collect(int o, int chunk, ReadOnlySpan<byte> codes)
        {
            left.Clear();
            for (int c = chunk * ChunkChannels; c < Math.Min(shape.GroupC, (chunk + 1) * ChunkChannels); c++)
            {
                for (int i = 0; i < shape.KernelH; i++)
                {
                    for (int j = 0; j < shape.KernelW; j++)
                    {
                        int code = codes.IsEmpty ? top : codes[((o * shape.GroupC + c) * shape.KernelH + i) * shape.KernelW + j];
                        if (code > 0)
                        {
                            left.Add((tiling.TapOffset(c - chunk * ChunkChannels, i, j), code));
                        }
                    }
                }
            }
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

    private void AddPieces(List<(int Offset, int Code)> left, bool first, ref int total, ref byte spills)
    {
        // As few pieces as keep each within 16 bits.
        int parts = 1;
        while (!Fit(parts))
        {
            parts++;
        }

        for (int part = 0; part < parts; part++)
        {
            List<(int Offset, int Code)> some = Part(part, parts);
            int weight = some.Sum(t => t.Code);
            bool spill = total + weight > TotalCapacity;
            total = spill ? weight : total + weight;
            spills |= spill ? (byte)1 : (byte)0;
            AddPiece(some, first && part == 0 ? BytePieceStart.Fresh : spill ? BytePieceStart.Spill : BytePieceStart.Continue);
        }

        bool Fit(int parts)
        {
            for (int part = 0; part < parts; part++)
            {
                if (Part(part, parts).Sum(t => t.Code) > TotalCapacity)
                {
                    return false;
                }
            }

            return true;
        }

        List<(int Offset, int Code)> Part(int part, int parts) =>
            parts == 1 ? left : left[(int)((long)left.Count * part / parts)..(int)((long)left.Count * (part + 1) / parts)];
    }

    private void AddPiece(List<(int Offset, int Code)> some, BytePieceStart start)
    {
        int firstTap = taps.Count;
        List<(int Offset, int Code)> plain = [.. some.Where(t => t.Code == top)], compared = [.. some.Where(t => t.Code < top)];

        // What is left of plain taps when groups are full is compared like the others.
        int plainGroups = plain.Count / small;
        compared.AddRange(plain[(plainGroups * small)..]);
        compared.Sort((a, b) => a.Code.CompareTo(b.Code));

        int largeGroups = large > small ? AddLargeGroups(compared) : 0, rest = compared.Count - largeGroups * large;
        foreach ((int offset, int code) in compared[(largeGroups * large)..])
        {
            taps.Add(ByteTap.Of(offset, code));
        }

        for (; rest % small != 0; rest++)
        {
            taps.Add(default);
        }

        int smallGroups = rest / small;
        foreach ((int offset, int code) in plain[..(plainGroups * small)])
        {
            taps.Add(ByteTap.Of(offset, code));
        }

        pieces.Add(large > small
            ? new BytePiece(firstTap, (ushort)largeGroups, (ushort)smallGroups, (ushort)plainGroups, start)
            : new BytePiece(firstTap, (ushort)smallGroups, 0, (ushort)plainGroups, start));
    }

    /// <summary>Writes as many large groups of the smallest codes as fit 8 bits each; returns how many.</summary>
    private int AddLargeGroups(List<(int Offset, int Code)> sorted)
    {
        for (int groups = sorted.Count / large; groups > 0; groups--)
        {
            // Each group takes one code of every layer of the sorted list, the largest of it where the sum so far is smallest.
            int[] sums = new int[groups];
            int[][] members = [.. sums.Select(_ => new int[large])];
            for (int layer = large - 1; layer >= 0; layer--)
            {
                int[] order = [.. Enumerable.Range(0, groups).OrderBy(g => sums[g])];
                for (int k = 0; k < groups; k++)
                {
                    int index = layer * groups + groups - 1 - k;
                    members[order[k]][layer] = index;
                    sums[order[k]] += sorted[index].Code;
                }
            }

            if (sums.Max() <= Capacity)
            {
                foreach (int index in members.SelectMany(m => m))
                {
                    taps.Add(ByteTap.Of(sorted[index].Offset, sorted[index].Code));
                }

                return groups;
            }
        }

        return 0;
    }
}
