namespace AdderNet.Kernels.Bytes;

/// <summary>The rows of a patch that some of a filter's rows share: patch row r is input row r * stride + Origin, from the tile's first.</summary>
internal readonly record struct RowClass(int Origin, int Rows, int Start);

/// <summary>
/// How a layer's output pixels are cut into tiles of some vectors, and what of the input a tile needs beside it.
/// </summary>
/// <remarks>
/// Small images stand side by side until they fill vectors, wide ones are cut into strips; either way the pixels of one row number
/// <see cref="RowWidth"/>, rows follow each other without a gap, and a tile is a run of them. A tile's patch holds, for each channel and
/// each column of the filter, the rows that the tile sees through that column:
/// <code>
///     filter column 0:  [input shifted by 0]  row 0 | row 1 | ...   images side by side in each row
///     filter column 1:  [input shifted by 1]  row 0 | row 1 | ...
///     then the next channel
/// </code>
/// So each tap finds the whole tile's inputs one behind the other, from one offset, whatever kernel, stride, padding and dilation are.
/// Rows are taken with the layer's stride. The filter's rows that meet the same ones (stride 1: all) share them, but a dilation larger
/// than the tile gives each its own, as does a tiling that keeps rows apart: shared rows start at multiples of <see cref="RowWidth"/>, which
/// may lie across cache lines; rows apart start with the tile's first pixel, on a cache line.
/// </remarks>
internal sealed class ByteTiling
{
    private readonly int[] rowClass, rowOffset;

    /// <param name="shape">The layer.</param>
    /// <param name="lanes">Bytes in a vector.</param>
    /// <param name="images">Images that stand side by side.</param>
    /// <param name="strips">Strips that an image is cut into; 1 where several images stand side by side.</param>
    /// <param name="apart">Whether each row of the filter has rows of its own in the patch.</param>
    public ByteTiling(AdderShape shape, int lanes, int images, int strips, bool apart)
    {
        (Images, Apart, OutH, OutW) = (images, apart, shape.OutH, shape.OutW);
        StripWidth = (shape.OutW - 1) / strips + 1;
        Strips = (shape.OutW - 1) / StripWidth + 1;
        RowWidth = images * StripWidth;
        Vectors = (OutH * RowWidth - 1) / lanes + 1;
        Tiles = (Vectors - 1) / MaxVectors + 1;
        TileVectors = (Vectors - 1) / Tiles + 1;

        for (int tile = 0; tile < Tiles; tile++)
        {
            int first = FirstVector(tile) * lanes / RowWidth, last = (Math.Min(FirstVector(tile + 1) * lanes, OutH * RowWidth) - 1) / RowWidth;
            TileRows = Math.Max(TileRows, last - first + 1);
        }

        // Rows apart: what comes before the tile's first pixel in its row goes before them.
        int lead = apart && Enumerable.Range(0, Tiles).Any(t => FirstVector(t) * lanes % RowWidth != 0) ? RowWidth : 0;
        rowClass = new int[shape.KernelH];
        rowOffset = new int[shape.KernelH];
        List<RowClass> classes = [];
        int at = 0;
        for (int phase = 0; phase < shape.StrideH; phase++)
        {
            int[] rows = [.. Enumerable.Range(0, shape.KernelH).Where(i => i * shape.DilationH % shape.StrideH == phase)];
            if (rows.Length == 0)
            {
                continue;
            }

            int first = rows[0] * shape.DilationH, extent = TileRows + (rows[^1] * shape.DilationH - first) / shape.StrideH;
            bool shared = !apart && extent <= rows.Length * TileRows;
            foreach (int i in rows)
            {
                if (!shared || i == rows[0])
                {
                    at = apart ? (at + lead + lanes - 1) / lanes * lanes : at;
                    classes.Add(new RowClass(i * shape.DilationH, shared ? extent : TileRows, at));
                    at += apart ? TileVectors * lanes : classes[^1].Rows * RowWidth;
                }

                rowClass[i] = classes.Count - 1;
                rowOffset[i] = shared ? (i * shape.DilationH - first) / shape.StrideH * RowWidth : 0;
            }
        }

        Classes = [.. classes];
        ColumnLength = (at + lanes - 1) / lanes * lanes;
        ChannelLength = ColumnLength * shape.KernelW;
    }

    /// <summary>Vectors of a tile at most: their sums and what they add up from fit the 16 registers of AVX2.</summary>
    public const int MaxVectors = 4;

    /// <summary>Images side by side.</summary>
    public int Images { get; }

    /// <summary>Whether each row of the filter has rows of its own, which start with the tile's first pixel.</summary>
    public bool Apart { get; }

    /// <summary>Strips of an image, and columns of each.</summary>
    public int Strips { get; }

    public int StripWidth { get; }

    /// <summary>Pixels of a row of all images side by side.</summary>
    public int RowWidth { get; }

    public int OutH { get; }

    public int OutW { get; }

    /// <summary>Vectors that hold all pixels, tiles they are cut into, and vectors of a tile at most.</summary>
    public int Vectors { get; }

    public int Tiles { get; }

    public int TileVectors { get; }

    /// <summary>Output rows that a tile touches at most.</summary>
    public int TileRows { get; }

    public RowClass[] Classes { get; }

    /// <summary>Bytes of a patch for one channel, seen through one column of the filter.</summary>
    public int ColumnLength { get; }

    /// <summary>Bytes of a patch for one channel.</summary>
    public int ChannelLength { get; }

    /// <summary>Where a tap finds the tile's inputs in the patch.</summary>
    public int TapOffset(int channel, int i, int j) =>
        channel * ChannelLength + j * ColumnLength + Classes[rowClass[i]].Start + rowOffset[i];

    /// <summary>The first vector of a tile; of the tile after the last: their number.</summary>
    public int FirstVector(int tile) => (int)((long)Vectors * tile / Tiles);
}
