namespace AdderNet.Kernels;

/// <summary>
/// One axis of a sliding window: destination d and tap t meet source d * Stride + Origin + t * TapStep, zero outside 0 to Size - 1.
/// </summary>
internal readonly record struct Axis(int Count, int Size, int Origin, int Stride, int Taps, int TapStep)
{
    public bool NeedsPadding => Origin < 0 || (Count - 1L) * Stride + Origin + (Taps - 1L) * TapStep >= Size;

    /// <summary>Sources that so many neighbouring destinations see.</summary>
    public int Extent(int destinations) => (destinations - 1) * Stride + (Taps - 1) * TapStep + 1;
}

/// <summary>A run of floats that source pixel windows and packed filters both hold contiguously: where it starts in either.</summary>
internal readonly record struct Segment(nint Source, nint Length, nint Filter);

/// <summary>Segments summed up in registers before they join the totals: few enough for float32 to stay accurate and their
/// filters to stay in the first-level cache.</summary>
internal readonly record struct Chunk(int Segment, int Segments);

/// <summary>
/// How destination pixels see a channels-last source, cut into tiles of destination pixels that one task handles with
/// little memory. Serves the forward pass (source X), and the input gradient (source: the gradient at Y).
/// </summary>
internal unsafe struct Window
{
    // 256 elements in one float32 sum put the official ResNet-20's logits 1.4e-3 off (most inputs are 0 behind a ReLU, so a filter's
    // rounding errors agree at all pixels and do not average out), and 128 0.9e-3 to 1.03e-3, by the vectors' width; 64 put them where
    // any order of summation does, 0.7e-3 to 0.8e-3.
    private const int ChunkLength = 64;
    private const int TasksPerThread = 4;
    private const int PatchBytes = 192 * 1024;

    public int Channels, Groups, Rows, TileRows, TileCols, RowTiles, ColTiles;
    public Axis Y, X;

    /// <summary>Whether windows are read where they lie; otherwise a task copies its part of the source with padding around.</summary>
    public bool InPlace;

    /// <summary>Floats from one patch row to the next.</summary>
    public int Pitch;

    public Window(int images, int channels, int groups, Axis y, Axis x, int pixelsATile, int minTiles, bool copy = false)
    {
        (Channels, Groups, Y, X) = (channels, groups, Simplest(y), Simplest(x));
        InPlace = !copy && y.Taps * x.Taps == 1 && !y.NeedsPadding && !x.NeedsPadding;
        Rows = images * y.Count;
        TileCols = x.Count;
        if (!InPlace)
        {
            while (TileCols > 16 && (long)y.Taps * x.Extent(TileCols) * channels * sizeof(float) > PatchBytes)
            {
                TileCols = (TileCols + 1) / 2;
            }
        }

        TileCols = Math.Min(TileCols, 2 * pixelsATile);
        ColTiles = Ceiling(x.Count, TileCols);
        Pitch = x.Extent(TileCols) * channels;
        int rows = Math.Max(1, pixelsATile / TileCols);
        if (!InPlace)
        {
            // Rows of a dilated window are gathered for one destination row at a time, so that no row between them is copied.
            rows = Y.TapStep > 1 ? 1 : Math.Max(1, Math.Min(rows, PatchBytes / sizeof(float) / Pitch / y.Stride));
        }

        rows = Math.Min(rows, Math.Max(1, (int)((long)Rows * ColTiles / minTiles)));
        RowTiles = Ceiling(Rows, rows);
        TileRows = Ceiling(Rows, RowTiles);
        RowTiles = Ceiling(Rows, TileRows);
    }

    private static Axis Simplest(Axis axis) => axis.Taps == 1 ? axis with { TapStep = 1 } : axis;

    public readonly int Tiles => RowTiles * ColTiles;

    public readonly int MaxPixels => TileRows * TileCols;

    public readonly int GroupChannels => Channels / Groups;

    /// <summary>Floats of the largest patch, with room to read a few vectors beyond its end.</summary>
    public readonly long PatchLength => InPlace ? 0 : (long)PatchRows * Pitch + 64;

    private readonly int PatchRows => TileRows * Y.Stride + ((TileRows + Y.Count - 2) / Y.Count + 1) * Y.Taps;

    /// <summary>Patch pixels (of one channel group each) at most; also counts pixels read in place.</summary>
    public readonly long PatchPixels => InPlace ? MaxPixels : (long)PatchRows * (Pitch / Channels);

    public static int Ceiling(int a, int b) => (a - 1) / b + 1;

    /// <summary>
    /// How many tiles keep so many threads busy, where each can be split by channels into up to <paramref name="panels"/>
    /// tasks: channels first, since that leaves register tiles full.
    /// </summary>
    public static int TilesFor(int threads, int panels) => threads == 1 ? 1 : Ceiling(TasksPerThread * threads, panels);

    /// <summary>How many tasks by channels a tile is split into, so that there are enough for all threads.</summary>
    public static int SplitsFor(int threads, int panels, int tiles) =>
        threads == 1 ? 1 : Math.Min(panels, Ceiling(TasksPerThread * threads, tiles));

    /// <summary>Number of segments and chunks <see cref="Describe"/> writes at most.</summary>
    public readonly int MaxSegments => checked((int)(Runs + (long)Runs * RunLength / ChunkLength + 1));

    /// <summary>Number of parts of a window that are contiguous in memory: its rows where neighbouring pixels lie side by side, else its pixels.</summary>
    public readonly int Runs => RowsAreRuns ? Y.Taps : Y.Taps * X.Taps;

    /// <summary>Floats of a run.</summary>
    public readonly int RunLength => RowsAreRuns ? X.Taps * Channels : GroupChannels;

    private readonly bool RowsAreRuns => Groups == 1 && X.TapStep == 1 && !InPlace;

    /// <summary>Where a run starts, from a window's offset.</summary>
    public readonly nint RunStart(int run) =>
        RowsAreRuns ? (nint)run * Pitch : (nint)(run / X.Taps) * Pitch + (nint)(run % X.Taps) * X.TapStep * Channels;

    /// <summary>Writes the window's segments in filter order (row, column, channel), grouped into chunks; returns the number of chunks.</summary>
    public readonly int Describe(Segment* segments, Chunk* chunks)
    {
        // As few chunks as can be, all about as long; runs are cut where a chunk is full.
        long all = (long)Runs * RunLength;
        int count = (int)((all - 1) / ChunkLength) + 1, segment = 0, run = 0, from = 0;
        nint filter = 0;
        for (int i = 0; i < count; i++)
        {
            int start = segment;
            for (nint end = (nint)(all * (i + 1) / count); filter < end;)
            {
                int length = (int)Math.Min(RunLength - from, end - filter);
                segments[segment++] = new Segment(RunStart(run) + from, length, filter);
                filter += length;
                from += length;
                if (from == RunLength)
                {
                    (run, from) = (run + 1, 0);
                }
            }

            chunks[i] = new Chunk(start, segment - start);
        }

        return count;
    }

    /// <summary>Where tile <paramref name="tile"/> lies among the destinations.</summary>
    public readonly Tile Locate(int tile)
    {
        int row = tile / ColTiles * TileRows, col = tile % ColTiles * TileCols;
        return new Tile(row, Math.Min(TileRows, Rows - row), col, Math.Min(TileCols, X.Count - col));
    }

    /// <summary>
    /// Prepares a tile's windows: writes each destination pixel's offset and returns the base these and the segments are
    /// relative to. <paramref name="rows"/> receives the number of patch rows filled, and <paramref name="places"/>, unless
    /// null, the pixels' offsets counted in patch pixels.
    /// </summary>
    public readonly float* Gather(Tile tile, float* source, float* patch, nint* offsets, int* places, out int rows)
    {
        int row = tile.Row, end = tile.Row + tile.Rows;
        rows = 0;
        nint imageLength = (nint)Y.Size * X.Size * Channels;
        while (row < end)
        {
            int image = row / Y.Count, y = row % Y.Count;
            int count = Math.Min(Y.Count - y, end - row);
            float* from = source + image * imageLength;
            int top = y * Y.Stride + Y.Origin, left = tile.Col * X.Stride + X.Origin;
            nint start, step;
            int copies = 0;
            if (InPlace)
            {
                step = (nint)X.Size * Channels;
                start = image * imageLength + top * step + (nint)left * Channels;
            }
            else
            {
                step = Pitch;
                start = (nint)rows * Pitch;
                copies = Y.TapStep > 1 ? Y.Taps : (count - 1) * Y.Stride + Y.Taps;
                for (int i = 0; i < copies; i++)
                {
                    CopyRow(from, top + i * Y.TapStep, left, X.Extent(tile.Cols), patch + (nint)rows++ * Pitch);
                }
            }

            int width = Pitch / Channels;
            for (int i = 0; i < count; i++)
            {
                nint offset = start + i * Y.Stride * step;
                int place = (rows - copies + i * Y.Stride) * width;
                for (int j = 0; j < tile.Cols; j++)
                {
                    *offsets++ = offset;
                    offset += (nint)X.Stride * Channels;
                    if (places != null)
                    {
                        *places++ = place;
                        place += X.Stride;
                    }
                }
            }

            row += count;
        }

        return InPlace ? source : patch;
    }

    private readonly void CopyRow(float* image, int row, int left, int pixels, float* to)
    {
        int before = 0, inside = 0;
        if ((uint)row < (uint)Y.Size)
        {
            before = Math.Clamp(-left, 0, pixels);
            inside = Math.Clamp(X.Size - left, before, pixels) - before;
        }

        new Span<float>(to, before * Channels).Clear();
        to += (nint)before * Channels;
        if (inside > 0)
        {
            new ReadOnlySpan<float>(image + ((nint)row * X.Size + left + before) * Channels, inside * Channels).CopyTo(new Span<float>(to, inside * Channels));
        }

        new Span<float>(to + (nint)inside * Channels, (pixels - before - inside) * Channels).Clear();
    }
}

/// <summary>A rectangle of destinations: rows counted through all images, columns.</summary>
internal readonly record struct Tile(int Row, int Rows, int Col, int Cols)
{
    public int Pixels => Rows * Cols;
}
