using System.Runtime.CompilerServices;

namespace AdderNet.Kernels;

/// <summary>Planes of one channel each in memory, or in a task's copy of a part of them: where the first one's (0, 0) lies or would lie.</summary>
internal readonly unsafe record struct Planes(nint Start, nint ImageStride, nint ChannelStride, nint RowStride)
{
    public float* Row(int image, int channel, int row) => (float*)Start + image * ImageStride + channel * ChannelStride + row * RowStride;
}

/// <summary>Where a tile lies: its first image, output row and column; how many of each it has, and input rows and columns it sees that exist.</summary>
internal readonly struct PlaneTilePlace
{
    public readonly int Image, Images, Row, Rows, Col, Cols, FirstRow, EndRow, FirstCol, EndCol;

    public PlaneTilePlace(in AdderShapeNumbers s, in PlaneTiling tiling, int rows, int rowTiles, int index)
    {
        int col = index % tiling.ColTiles, row = index / tiling.ColTiles % rowTiles;
        Image = index / tiling.ColTiles / rowTiles * tiling.Images;
        Images = Math.Min(tiling.Images, s.N - Image);
        (Row, Col) = (row * rows, col * tiling.Cols);
        (Rows, Cols) = (Math.Min(rows, s.OutH - Row), Math.Min(tiling.Cols, s.OutW - Col));
        FirstRow = Math.Clamp(Row * tiling.StrideH - s.PaddingH, 0, s.H);
        EndRow = Math.Clamp(Row * tiling.StrideH - s.PaddingH + tiling.SourceRows(Rows), FirstRow, s.H);
        FirstCol = Math.Clamp(Col * tiling.StrideW - s.PaddingW, 0, s.W);
        EndCol = Math.Clamp(Col * tiling.StrideW - s.PaddingW + tiling.SourceCols, FirstCol, s.W);
    }
}

/// <summary>A shape without its object, for use on any thread.</summary>
internal readonly struct AdderShapeNumbers(AdderShape s)
{
    public readonly int N = s.N, C = s.C, H = s.H, W = s.W, O = s.O, OutH = s.OutH, OutW = s.OutW, PaddingH = s.PaddingH, PaddingW = s.PaddingW,
        GroupC = s.GroupC, GroupO = s.GroupO, FilterLength = s.GroupC * s.KernelH * s.KernelW;
}

/// <summary>Copies channels of a tile's input into its patch: padding, and every shift and phase, in place.</summary>
internal static unsafe class PlanePatch<TOps, TVec>
    where TOps : struct, ISimd<TVec>
    where TVec : struct
{
    /// <summary>Fills the patch with some channels.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Fill(in AdderShapeNumbers s, in PlaneTiling tiling, in PlaneTilePlace place, in Planes from, int channel, int channels, float* patch)
    {
        int planeLength = tiling.PatchRows * tiling.Pitch;
        for (int c = 0; c < channels; c++)
        {
            float* planes = patch + (nint)c * tiling.ChannelLength;
            for (int phase = 0; phase < tiling.Phases; phase++)
            {
                // Rows that no tap of this phase reads stay as they are.
                int last = (tiling.KernelH - 1 - phase) / tiling.Phases * tiling.Phases + phase;
                int rows = place.Rows + last * tiling.DilationH / tiling.StrideH, top = place.Row * tiling.StrideH - s.PaddingH;
                for (int r = phase * tiling.DilationH / tiling.StrideH; r < rows; r++)
                {
                    int row = top + tiling.SourceRow(phase, r);
                    float* to = planes + (nint)phase * planeLength + (nint)r * tiling.Pitch;
                    for (int j = 0; j < tiling.KernelW; j++, to += (nint)tiling.Phases * planeLength)
                    {
                        if ((uint)row >= (uint)s.H)
                        {
                            new Span<float>(to, tiling.Pitch).Clear();
                            continue;
                        }

                        int left = place.Col * tiling.StrideW + j * tiling.DilationW - s.PaddingW;
                        for (int i = 0; i < place.Images; i++)
                        {
                            CopyRow(s.W, tiling, from.Row(place.Image + i, channel + c, row), left, to + i * tiling.Cols);
                        }

                        for (int i = place.Images * tiling.Cols; i < tiling.Pitch; i++)
                        {
                            to[i] = 0;
                        }
                    }
                }
            }
        }
    }

    /// <summary>Copies the inputs that a row of outputs meets at one filter column; zero outside the input.</summary>
    private static void CopyRow(int width, in PlaneTiling tiling, float* row, int left, float* to)
    {
        int stride = tiling.StrideW, cols = tiling.Cols;
        int before = left >= 0 ? 0 : Math.Min(cols, (-left - 1) / stride + 1);
        int end = left >= width ? 0 : Math.Min(cols, (width - 1 - left) / stride + 1), inside = Math.Max(0, end - before);
        for (int i = 0; i < before; i++)
        {
            to[i] = 0;
        }

        for (int i = before + inside; i < cols; i++)
        {
            to[i] = 0;
        }

        float* from = row + left + (nint)before * stride;
        to += before;
        if (stride == 1 && inside >= TOps.Lanes)
        {
            // The last vector overlaps the one before it.
            for (int i = 0; i < inside - TOps.Lanes; i += TOps.Lanes)
            {
                TOps.Store(to + i, TOps.Load(from + i));
            }

            TOps.Store(to + inside - TOps.Lanes, TOps.Load(from + inside - TOps.Lanes));
            return;
        }

        for (int i = 0; i < inside; i++)
        {
            to[i] = from[(nint)i * stride];
        }
    }

    /// <summary>Adds channels of a tile's input to one plane that holds just the part it sees, and returns whether one is below a bound.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static bool AddUp(in PlaneTilePlace place, in Planes from, int channel, int channels, float* sums, float bound)
    {
        int cols = place.EndCol - place.FirstCol, rows = place.EndRow - place.FirstRow;
        TVec smallest = TOps.Create(bound);
        float smallestOne = bound;
        for (int i = 0; i < place.Images; i++)
            for (int c = 0; c < channels; c++)
            {
                float* to = sums + (nint)i * rows * cols;
                for (int row = place.FirstRow; row < place.EndRow; row++, to += cols)
                {
                    float* at = from.Row(place.Image + i, channel + c, row) + place.FirstCol;
                    int k = 0;
                    for (; k <= cols - TOps.Lanes; k += TOps.Lanes)
                    {
                        TVec x = TOps.Load(at + k);
                        smallest = TOps.Min(x, smallest);
                        TOps.Store(to + k, TOps.Add(TOps.Load(to + k), x));
                    }

                    for (; k < cols; k++)
                    {
                        smallestOne = at[k] < smallestOne ? at[k] : smallestOne;
                        to[k] += at[k];
                    }
                }
            }

        // A minimum that has become NaN, as Arm's does, counts as below.
        TVec one = TOps.Create(1), below = TOps.SelectLess(smallest, TOps.Create(bound), one, TOps.SelectEqual(smallest, smallest, TOps.Create(0), one));
        return smallestOne < bound || !TOps.AllZero(below);
    }

    /// <summary>Adds how far below a bound each channel of a tile's input is to such a plane; NaN stays NaN.</summary>
    public static void AddShortfall(in PlaneTilePlace place, in Planes from, int channel, int channels, float* sums, float bound)
    {
        int cols = place.EndCol - place.FirstCol, rows = place.EndRow - place.FirstRow;
        for (int i = 0; i < place.Images; i++)
            for (int c = 0; c < channels; c++)
            {
                float* to = sums + (nint)i * rows * cols;
                for (int row = place.FirstRow; row < place.EndRow; row++, to += cols)
                {
                    float* at = from.Row(place.Image + i, channel + c, row) + place.FirstCol;
                    for (int k = 0; k < cols; k++)
                    {
                        to[k] += at[k] >= bound ? 0 : float.IsNaN(at[k]) ? at[k] : 1;
                    }
                }
            }
    }
}
