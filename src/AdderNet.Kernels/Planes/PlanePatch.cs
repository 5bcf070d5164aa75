using System.Runtime.CompilerServices;

namespace AdderNet.Kernels;

/// <summary>
/// Planes of one channel each in memory, or in a task's copy of a part of them: where the first one's (0, 0) lies or would lie, and between
/// which addresses may be read.
/// </summary>
internal readonly unsafe record struct Planes(nint Start, nint ImageStride, nint ChannelStride, nint RowStride, nint Begin, nint End)
{
    public float* Row(int image, int channel, int row) => (float*)Start + image * ImageStride + channel * ChannelStride + row * RowStride;
}

/// <summary>What a row of outputs meets at one filter column: the input column of the first output, and which outputs are within the input.</summary>
internal readonly record struct ColumnRun(int Left, int Before, int Inside);

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

/// <summary>A shape without its object: for use on any thread, and changed without allocating.</summary>
internal readonly record struct AdderShapeNumbers(
    int N, int C, int H, int W, int O, int OutH, int OutW, int KernelH, int KernelW, int StrideH, int StrideW, int PaddingH, int PaddingW,
    int DilationH, int DilationW, int GroupC, int GroupO)
{
    public AdderShapeNumbers(AdderShape s)
        : this(
            s.N, s.C, s.H, s.W, s.O, s.OutH, s.OutW, s.KernelH, s.KernelW, s.StrideH, s.StrideW, s.PaddingH, s.PaddingW, s.DilationH, s.DilationW,
            s.GroupC, s.GroupO)
    {
    }

    /// <summary>The layer from the gradient at a layer's output, of stride 1, to that at its input.</summary>
    public AdderShapeNumbers Turned => this with
    {
        C = O,
        O = C,
        GroupC = GroupO,
        GroupO = GroupC,
        H = OutH,
        W = OutW,
        OutH = H,
        OutW = W,
        PaddingH = DilationH * (KernelH - 1) - PaddingH,
        PaddingW = DilationW * (KernelW - 1) - PaddingW,
    };
}

/// <summary>Copies channels of a tile's input into its patch: padding, and every shift and phase, in place.</summary>
internal static unsafe class PlanePatch<TOps, TVec>
    where TOps : struct, ISimd<TVec>
    where TVec : struct
{
    /// <summary>Writes what the rows of a tile meet at each filter column.</summary>
    public static void FindColumns(in AdderShapeNumbers s, in PlaneTiling tiling, in PlaneTilePlace place, ColumnRun* columns)
    {
        for (int j = 0; j < tiling.KernelW; j++)
        {
            int left = place.Col * tiling.StrideW + j * tiling.DilationW - s.PaddingW, cols = tiling.Cols;
            int before = left >= 0 ? 0 : Math.Min(cols, (-left - 1) / tiling.StrideW + 1);
            int end = left >= s.W ? 0 : Math.Min(cols, (s.W - 1 - left) / tiling.StrideW + 1);
            columns[j] = new ColumnRun(left, before, Math.Max(0, end - before));
        }
    }

    /// <summary>Fills the patch with some channels.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Fill(
        in AdderShapeNumbers s, in PlaneTiling tiling, in PlaneTilePlace place, in Planes from, int channel, int channels, ColumnRun* columns, float* patch)
    {
        int planeLength = tiling.PatchRows * tiling.Pitch, cols = tiling.Cols, stride = tiling.StrideW, kernelW = tiling.KernelW;
        int top = place.Row * tiling.StrideH - s.PaddingH;
        nint columnStep = (nint)tiling.Phases * planeLength;
        for (int c = 0; c < channels; c++)
            for (int phase = 0; phase < tiling.Phases; phase++)
            {
                // Rows that no tap of this phase reads stay as they are.
                int first = phase * tiling.DilationH / tiling.StrideH, last = (tiling.KernelH - 1 - phase) / tiling.Phases * tiling.Phases + phase;
                int rows = place.Rows + last * tiling.DilationH / tiling.StrideH;
                float* to = patch + (nint)c * tiling.ChannelLength + (nint)phase * planeLength + (nint)first * tiling.Pitch;
                for (int r = first; r < rows; r++, to += tiling.Pitch)
                {
                    int row = top + tiling.SourceRow(phase, r);
                    bool inside = (uint)row < (uint)s.H;
                    float* at = to;
                    if (place.Images * cols != tiling.Pitch || !inside)
                    {
                        for (int j = 0; j < kernelW; j++, at += columnStep)
                        {
                            new Span<float>(at, tiling.Pitch).Clear();
                        }
                    }

                    for (int i = 0; inside && i < place.Images; i++)
                    {
                        float* source = from.Row(place.Image + i, channel + c, row);
                        at = to + i * cols;
                        for (int j = 0; j < kernelW; j++, at += columnStep)
                        {
                            ColumnRun column = columns[j];
                            float* x = source + column.Left;
                            if (cols >= TOps.Lanes && stride <= 2 && x >= (float*)from.Begin && x + (nint)cols * stride <= (float*)from.End)
                            {
                                // Whole vectors, the last over the one before it, padding and all; what is padding becomes 0 after it.
                                if (stride == 1)
                                {
                                    for (int k = 0; k < cols - TOps.Lanes; k += TOps.Lanes)
                                    {
                                        TOps.Store(at + k, TOps.Load(x + k));
                                    }

                                    TOps.Store(at + cols - TOps.Lanes, TOps.Load(x + cols - TOps.Lanes));
                                }
                                else
                                {
                                    for (int k = 0; k < cols - TOps.Lanes; k += TOps.Lanes)
                                    {
                                        TOps.Store(at + k, TOps.LoadEven(x + 2 * k));
                                    }

                                    TOps.Store(at + cols - TOps.Lanes, TOps.LoadEven(x + 2 * (cols - TOps.Lanes)));
                                }
                            }
                            else
                            {
                                for (int k = column.Before; k < column.Before + column.Inside; k++)
                                {
                                    at[k] = x[(nint)k * stride];
                                }
                            }

                            for (int k = 0; k < column.Before; k++)
                            {
                                at[k] = 0;
                            }

                            for (int k = column.Before + column.Inside; k < cols; k++)
                            {
                                at[k] = 0;
                            }
                        }
                    }
                }
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
            for (int c = 0; c < channels; c += 4)
            {
                bool four = channels - c >= 4;
                float* to = sums + (nint)i * rows * cols;
                for (int row = place.FirstRow; row < place.EndRow; row++, to += cols)
                {
                    float* x0 = from.Row(place.Image + i, channel + c, row) + place.FirstCol;
                    if (four)
                    {
                        float* x1 = x0 + from.ChannelStride, x2 = x1 + from.ChannelStride, x3 = x2 + from.ChannelStride;
                        int k = 0;
                        for (; k <= cols - TOps.Lanes; k += TOps.Lanes)
                        {
                            TVec a = TOps.Load(x0 + k), b = TOps.Load(x1 + k), d = TOps.Load(x2 + k), e = TOps.Load(x3 + k);
                            smallest = TOps.Min(a, TOps.Min(b, TOps.Min(d, TOps.Min(e, smallest))));
                            TOps.Store(to + k, TOps.Add(TOps.Load(to + k), TOps.Add(TOps.Add(a, b), TOps.Add(d, e))));
                        }

                        for (; k < cols; k++)
                        {
                            smallestOne = Smaller(x0[k], Smaller(x1[k], Smaller(x2[k], Smaller(x3[k], smallestOne))));
                            to[k] += x0[k] + x1[k] + (x2[k] + x3[k]);
                        }

                        continue;
                    }

                    for (int d = c; d < channels; d++, x0 += from.ChannelStride)
                    {
                        int k = 0;
                        for (; k <= cols - TOps.Lanes; k += TOps.Lanes)
                        {
                            TVec x = TOps.Load(x0 + k);
                            smallest = TOps.Min(x, smallest);
                            TOps.Store(to + k, TOps.Add(TOps.Load(to + k), x));
                        }

                        for (; k < cols; k++)
                        {
                            smallestOne = Smaller(x0[k], smallestOne);
                            to[k] += x0[k];
                        }
                    }
                }
            }

        // A minimum that has become NaN, as Arm's does, counts as below.
        TVec one = TOps.Create(1), below = TOps.SelectLess(smallest, TOps.Create(bound), one, TOps.SelectEqual(smallest, smallest, TOps.Create(0), one));
        return smallestOne < bound || !TOps.AllZero(below);

        static float Smaller(float x, float y) => x < y ? x : y;
    }

    /// <summary>Sums up the patch's channels for each lane, and returns whether an input is below a bound.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static bool AddUpLanes(float* patch, int channelLength, int channels, int lanes, float* sums, bool add, float bound)
    {
        TVec smallest = TOps.Create(bound), zero = TOps.Create(0), one = TOps.Create(1);
        for (int k = 0; k < lanes; k += TOps.Lanes)
        {
            float* at = patch + k;
            TVec sum = add ? TOps.Load(sums + k) : zero, part = zero;
            for (int c = 0; c < channels; c++, at += channelLength)
            {
                TVec x = TOps.Load(at);
                smallest = TOps.Min(x, smallest);
                part = TOps.Add(part, x);
            }

            TOps.Store(sums + k, TOps.Add(sum, part));
        }

        return !TOps.AllZero(TOps.SelectLess(smallest, TOps.Create(bound), one, TOps.SelectEqual(smallest, smallest, zero, one)));
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
