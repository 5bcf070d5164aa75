namespace AdderNet.Kernels;

/// <summary>
/// How a layer over planes is cut up. Lanes are output pixels: a tile is some output rows of one or several images, those side by side, and
/// its patch holds for each channel and kernel column the input rows that the tile needs, shifted so that every filter element reads whole
/// aligned vectors. Filter element (c, i, j) then meets output lane l at patch[Offset(c, i, j) + l], whatever the kernel size, stride,
/// padding or dilation.
/// </summary>
internal readonly struct PlaneTiling
{
    /// <summary>Vectors of lanes whose sums an inner loop keeps in registers at most.</summary>
    public const int MaxVectors = 12;

    /// <summary>Bytes of patch that one run of the inner loop may touch: what the first-level cache holds beside lists and sums.</summary>
    private const int CacheBytes = 24 * 1024;

    /// <summary>Filter elements that one run of the inner loop may add up in float32 registers before they join the totals.</summary>
    public const int MaxRun = 144;

    /// <summary>Bytes of all sums, and of the patch, that a tile may have: together well within the second-level cache.</summary>
    private const int SumsBytes = 128 * 1024, PatchBytes = 128 * 1024;

    public readonly int Lanes, KernelH, KernelW, StrideH, StrideW, DilationH, DilationW;

    /// <summary>Images side by side in a tile, columns and rows of each, and floats from one row of the patch to the next.</summary>
    public readonly int Images, Cols, Rows, Pitch;

    /// <summary>Rows of a patch plane.</summary>
    public readonly int PatchRows;

    /// <summary>Distinct remainders of the filter rows' positions by the stride; each has patch planes of its own.</summary>
    public readonly int Phases;

    /// <summary>Channels of a block, all of which a patch holds at once, and blocks of a group.</summary>
    public readonly int BlockChannels, Blocks;

    public readonly int ImageTiles, ColTiles;

    public PlaneTiling(AdderShape s, VectorWidth width)
        : this(new AdderShapeNumbers(s), width)
    {
    }

    public PlaneTiling(in AdderShapeNumbers s, VectorWidth width)
    {
        Lanes = (int)width;
        (KernelH, KernelW, StrideH, StrideW, DilationH, DilationW) = (s.KernelH, s.KernelW, s.StrideH, s.StrideW, s.DilationH, s.DilationW);
        Phases = Math.Min(KernelH, StrideH / Gcd(StrideH, DilationH));
        ColTiles = Window.Ceiling(s.OutW, 128);
        Cols = Window.Ceiling(Window.Ceiling(s.OutW, ColTiles), Lanes) * Lanes;
        Cols = Math.Min(Cols, s.OutW);
        ColTiles = Window.Ceiling(s.OutW, Cols);
        (Images, Pitch, Rows) = Cut(s, s.N);
        ImageTiles = Window.Ceiling(s.N, Images);
        PatchRows = Rows + (KernelH - 1) * DilationH / StrideH;

        // Blocks decide the order in which sums are added up. They are those of a large batch, so that an image's result does not depend on
        // how many come with it.
        (_, int pitch, int rows) = Cut(s, int.MaxValue);
        int patchRows = rows + (KernelH - 1) * DilationH / StrideH;
        long touched = (long)KernelW * Phases * (Math.Min(rows, Window.Ceiling(MaxVectors * Lanes, pitch)) + patchRows - rows) * pitch * sizeof(float);
        int channels = (int)Math.Min(CacheBytes / touched, MaxRun / (KernelH * KernelW));
        channels = (int)Math.Min(channels, PatchBytes / ((long)KernelW * Phases * patchRows * pitch * sizeof(float)));
        Blocks = Window.Ceiling(s.GroupC, Math.Max(1, channels));
        BlockChannels = Window.Ceiling(s.GroupC, Blocks);
        Blocks = Window.Ceiling(s.GroupC, BlockChannels);
    }

    /// <summary>How many images of a batch stand side by side in a tile, its pitch and its rows.</summary>
    private (int Images, int Pitch, int Rows) Cut(in AdderShapeNumbers s, int batch)
    {
        (int Images, int Pitch, int Rows) cut = default;
        double best = double.MaxValue;
        for (int images = 1; images == 1 || (images <= batch && ColTiles == 1 && images * Cols <= 128); images *= 2)
        {
            // A vector more or less for each run of the inner loop, which loads a weight; and the lanes that hold no pixel.
            int pitch = Window.Ceiling(images * Cols, Lanes) * Lanes, rows = RowsFor(s, pitch), vectors = rows * pitch / Lanes;
            double cost = (vectors + Window.Ceiling(vectors, MaxVectors)) / ((double)images * Cols * rows);
            if (cost < best * 0.95)
            {
                best = cost;
                cut = (images, pitch, rows);
            }
        }

        return cut;
    }

    /// <summary>Floats of one channel in a patch.</summary>
    public int ChannelLength => KernelW * Phases * PatchRows * Pitch;

    /// <summary>Filter elements of one channel.</summary>
    public int Taps => KernelH * KernelW;

    /// <summary>Input rows, and columns, that so many output rows or columns see.</summary>
    public int SourceRows(int rows) => (rows - 1) * StrideH + (KernelH - 1) * DilationH + 1;

    /// <inheritdoc cref="SourceRows"/>
    public int SourceCols => (Cols - 1) * StrideW + (KernelW - 1) * DilationW + 1;

    /// <summary>Where in a patch, in floats, filter element (i, j) of a block's channel c starts.</summary>
    public int Offset(int c, int i, int j) => (((c * KernelW + j) * Phases + i % Phases) * PatchRows + i * DilationH / StrideH) * Pitch;

    /// <summary>The input row, counted from that of a tile's first window, that row <paramref name="row"/> of a patch plane of a phase holds.</summary>
    public int SourceRow(int phase, int row) => row * StrideH + phase * DilationH % StrideH;

    /// <summary>Output rows of a tile: as many as its sums have room for, all tiles about as high.</summary>
    private static int RowsFor(in AdderShapeNumbers s, int pitch)
    {
        long most = Math.Max(1, Math.Min(
            SumsBytes / sizeof(float) / ((long)s.GroupO * pitch),
            PatchBytes / 4 / sizeof(float) / ((long)s.KernelW * pitch)));
        return Window.Ceiling(s.OutH, Window.Ceiling(s.OutH, (int)Math.Min(most, s.OutH)));
    }

    private static int Gcd(int a, int b) => b == 0 ? a : Gcd(b, a % b);
}
