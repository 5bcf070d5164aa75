using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace AdderNet.Kernels.Bytes;

/// <summary>What a call does with the sums.</summary>
internal enum ByteOutput
{
    Codes,
    Sums,
    Floats,
}

/// <summary>One call, as its tasks see it.</summary>
internal unsafe struct ByteJob
{
    public int N, C, O, Groups, KernelW, StrideH, StrideW, DilationW, PaddingH, PaddingW, Top;

    // The tiling.
    public int Images, Strips, StripWidth, RowWidth, OutH, OutW, Vectors, Tiles, TileRows, Classes, ColumnLength, ChannelLength;
    public RowClass* Rows;
    public bool Apart;

    // The lists, and the sum of each filter's codes.
    public int Chunks, ChunkChannels, Large, Small;
    public ByteTap* Taps;
    public BytePiece* Pieces;
    public int* ListStarts, CodeSums;
    public byte* FilterSpills;
    public bool AnySpills;

    // Input, output, residual.
    public byte* X, Y, Residual;
    public ByteLayout XLayout, YLayout, ResidualLayout;
    public ByteOutput Output;
    public ByteChannel* Requantized;
    public float* Scale, Shift;

    // Tasks: super-images, tiles and parts of the filters, or of the groups where there are some.
    public int Parts;

    public readonly int SuperImages => ((N - 1) / Images + 1) * Strips;
}

/// <summary>The forward pass of a byte layer over planes.</summary>
internal static unsafe class ByteForward<TOps, TVec>
    where TOps : struct, IByteSimd<TVec>
    where TVec : struct
{
    /// <summary>A run of a tile's pixels that lie beside each other in a row of the output, and of the residual: where it lies in channel 0.</summary>
    private readonly record struct Run(int Lane, int Length, long Output, long Residual);

    public static void Start(ByteJob* job, KernelWorkspace? workspace)
    {
        int tasks = job->SuperImages * job->Tiles * job->Parts;
        if (workspace is null)
        {
            WorkerPool.Run(tasks, &Task, job);
        }
        else
        {
            workspace.Run(tasks, &Task, job);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Task(void* context, int task)
    {
        ByteJob* job = (ByteJob*)context;
        int part = task % job->Parts, tile = task / job->Parts % job->Tiles, super = task / job->Parts / job->Tiles;
        int firstVector = (int)((long)job->Vectors * tile / job->Tiles), vectors = (int)((long)job->Vectors * (tile + 1) / job->Tiles) - firstVector;
        int filters = job->O / job->Groups, width = vectors * TOps.Lanes;
        int groupFrom = 0, groupTo = job->Groups, filterFrom = 0, filterTo = filters;
        if (job->Groups == 1)
        {
            (filterFrom, filterTo) = ((int)((long)filters * part / job->Parts), (int)((long)filters * (part + 1) / job->Parts));
        }
        else
        {
            (groupFrom, groupTo) = ((int)((long)job->Groups * part / job->Parts), (int)((long)job->Groups * (part + 1) / job->Parts));
        }

        Buffers buffers = default;
        for (int pass = 0; pass < 2; pass++)
        {
            Carver carver = new(pass == 0 ? null : Scratch.ForTask(buffers.Size));
            buffers = new Buffers(ref carver, job, width, filterTo - filterFrom);
        }

        int firstPixel = firstVector * TOps.Lanes, row = firstPixel / job->RowWidth;
        int lastPixel = Math.Min(firstPixel + width, job->OutH * job->RowWidth) - 1;
        int runs = FindRuns(job, super, firstPixel, lastPixel, buffers.Runs);
        int inRow = firstPixel % job->RowWidth;
        byte* patch = job->Apart ? buffers.Patch : buffers.Patch + inRow, packed = job->Apart ? buffers.Patch - inRow : buffers.Patch;
        int rows = lastPixel / job->RowWidth - row + 1;

        // From this tile's input to the next one's: further down, or in the next images.
        nint ahead = tile < job->Tiles - 1 ? (nint)rows * job->StrideH * job->XLayout.Pitch
            : super < job->SuperImages - job->Strips ? job->Images * (nint)job->XLayout.ImageLength - (nint)row * job->StrideH * job->XLayout.Pitch : 0;
        var sums = Tile(job, vectors);
        for (int group = groupFrom; group < groupTo; group++)
        {
            for (int chunk = 0; chunk < job->Chunks; chunk++)
            {
                int channel = chunk * job->ChunkChannels, channels = Math.Min(job->ChunkChannels, job->C / job->Groups - channel);
                Pack(job, super, row, rows, ahead, group * (job->C / job->Groups) + channel, channels, packed);
                bool last = chunk == job->Chunks - 1;
                int list = job->Chunks * job->O + chunk;
                byte* boxTotals32 = job->FilterSpills[job->O] == 0 ? null : buffers.BoxTotals32;
                AddList(job, list, patch, buffers.BoxTotals, boxTotals32, width, sums);
                if (last)
                {
                    ToQuarters(buffers.BoxTotals, boxTotals32, buffers.Box, width);
                }

                for (int f = filterFrom; f < filterTo; f++)
                {
                    int slot = f - filterFrom, o = group * filters + f;
                    byte* totals = buffers.Totals + (job->Chunks == 1 ? 0 : slot * 2 * width), totals32 = job->FilterSpills[o] == 0 ? null : buffers.Totals32 + slot * 4 * width;
                    AddList(job, (group * job->Chunks + chunk) * filters + f, patch, totals, totals32, width, sums);
                    if (last)
                    {
                        Finish(job, o, totals, totals32, width, runs, ref buffers);
                    }
                }
            }
        }
    }

    private static delegate*<byte*, ByteTap*, BytePiece*, byte*, void> Tile(ByteJob* job, int vectors) => vectors switch
    {
        1 => Tile<One>(job),
        2 => Tile<Two>(job),
        3 => Tile<Three>(job),
        _ => Tile<Four>(job),
    };

    private static delegate*<byte*, ByteTap*, BytePiece*, byte*, void> Tile<TVectors>(ByteJob* job)
        where TVectors : struct, IConstant => (job->Large, job->Small) switch
        {
            (2, 1) => &ByteTile<TOps, TVec, TVectors, Two, One>.Run,
            (4, 2) => &ByteTile<TOps, TVec, TVectors, Four, Two>.Run,
            (8, 4) => &ByteTile<TOps, TVec, TVectors, Eight, Four>.Run,
            _ => &ByteTile<TOps, TVec, TVectors, Eight, Eight>.Run,
        };

    private static void AddList(
        ByteJob* job, int list, byte* patch, byte* totals, byte* totals32, int width, delegate*<byte*, ByteTap*, BytePiece*, byte*, void> sums)
    {
        BytePiece* piece = job->Pieces + job->ListStarts[list], end = job->Pieces + job->ListStarts[list + 1];
        for (; piece < end; piece++)
        {
            if (piece->Start == BytePieceStart.Spill)
            {
                Spill(totals, totals32, width);
            }
            else if (piece->Start == BytePieceStart.Fresh && totals32 != null)
            {
                Unsafe.InitBlockUnaligned(totals32, 0, (uint)(4 * width));
            }

            sums(patch, job->Taps, piece, totals);
        }
    }

    /// <summary>
    /// Where a tile's pixels lie in the output. Pixels of images beyond the last, and of the last strip beyond the row's end, lie nowhere.
    /// </summary>
    private static int FindRuns(ByteJob* job, int super, int firstPixel, int lastPixel, Run* runs)
    {
        int count = 0, firstImage = super / job->Strips * job->Images, firstColumn = super % job->Strips * job->StripWidth;
        int columns = Math.Min(job->StripWidth, job->OutW - firstColumn);
        for (int pixel = firstPixel; pixel <= lastPixel;)
        {
            int row = pixel / job->RowWidth, image = pixel % job->RowWidth / job->StripWidth, column = pixel % job->RowWidth % job->StripWidth;
            int length = Math.Min(job->StripWidth - column, lastPixel - pixel + 1);
            if (firstImage + image < job->N && column < columns)
            {
                runs[count++] = new Run(
                    pixel - firstPixel, Math.Min(length, columns - column), At(job->YLayout), job->Residual == null ? 0 : At(job->ResidualLayout));

                long At(in ByteLayout layout) => (firstImage + image) * layout.ImageLength + layout.Offset(0, row, firstColumn + column);
            }

            pixel += length;
        }

        return count;
    }

    /// <summary>Copies what a tile sees of some channels into the patch, as <see cref="ByteTiling"/> draws it.</summary>
    private static void Pack(ByteJob* job, int super, int row, int rows, nint ahead, int channel, int channels, byte* patch)
    {
        int column = super % job->Strips * job->StripWidth, columns = Math.Min(job->StripWidth, job->OutW - column);
        if (job->StrideW == 2)
        {
            Pack<CopyEverySecond>(job, super, row, rows, ahead, channel, channels, patch, columns);
        }
        else if (job->StrideW > 2)
        {
            Pack<CopyStrided>(job, super, row, rows, ahead, channel, channels, patch, columns);
        }
        else if (columns <= 8)
        {
            Pack<Copy8>(job, super, row, rows, ahead, channel, channels, patch, columns);
        }
        else if (columns <= 16)
        {
            Pack<Copy16>(job, super, row, rows, ahead, channel, channels, patch, columns);
        }
        else if (columns <= 32)
        {
            Pack<Copy32>(job, super, row, rows, ahead, channel, channels, patch, columns);
        }
        else
        {
            Pack<CopyLong>(job, super, row, rows, ahead, channel, channels, patch, columns);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Pack<TCopy>(ByteJob* job, int super, int row, int rows, nint ahead, int channel, int channels, byte* patch, int columns)
        where TCopy : struct, IByteCopy
    {
        int image = super / job->Strips * job->Images, images = Math.Min(job->Images, job->N - image), strideW = job->StrideW;
        nint pitch = job->XLayout.Pitch, plane = job->XLayout.PlaneLength, imageLength = (nint)job->XLayout.ImageLength;
        nint step = pitch * job->StrideH, rowWidth = job->RowWidth, width = job->StripWidth;
        nint seen = ((rows - 1) * job->StrideH + job->Rows[job->Classes - 1].Origin + 1) * pitch;
        byte* from = job->X + image * imageLength + (nint)job->XLayout.Offset(
            channel, row * job->StrideH - job->PaddingH, super % job->Strips * job->StripWidth * strideW - job->PaddingW);
        for (int c = 0; c < channels; c++, from += plane)
        {
            if (ahead != 0)
            {
                Prefetch(from + ahead, seen, images, imageLength);
            }

            byte* to = patch + (nint)c * job->ChannelLength;
            for (int j = 0; j < job->KernelW; j++, to += job->ColumnLength)
            {
                for (RowClass* k = job->Rows, end = k + job->Classes; k < end; k++)
                {
                    byte* source = from + j * job->DilationW + k->Origin * pitch, destination = to + k->Start;
                    for (int r = k->Rows - job->TileRows + rows; r > 0; r--, source += step, destination += rowWidth)
                    {
                        TCopy.Copy(source, destination, columns, strideW);
                        for (int n = 1; n < images; n++)
                        {
                            TCopy.Copy(source + n * imageLength, destination + n * width, columns, strideW);
                        }
                    }
                }
            }
        }
    }

    /// <summary>
    /// Asks for what the next tile will read: rows of many planes are beyond what the processor foresees by itself. The addresses may lie
    /// outside of the input; nothing is read there.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Prefetch(byte* from, nint length, int images, nint imageLength)
    {
        if (Sse.IsSupported)
        {
            for (int n = 0; n < images; n++, from += imageLength)
            {
                for (nint k = 0; k < length; k += 64)
                {
                    Sse.Prefetch0(from + k);
                }
            }
        }
    }

    /// <summary>A vector's totals as four vectors of 32 bits: vector k has pixels k, k + 4, k + 8 and so on.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Quarters(byte* totals, int width, int v, TVec mask, out TVec q0, out TVec q1, out TVec q2, out TVec q3)
    {
        TVec odd = TOps.Load(totals + width + v), even = TOps.Sub16(TOps.Load(totals + v), TOps.RaiseLower8(odd));
        (q0, q1, q2, q3) = (TOps.And(even, mask), TOps.And(odd, mask), TOps.ShiftRight32(even, 16), TOps.ShiftRight32(odd, 16));
    }

    private static void Spill(byte* totals, byte* totals32, int width)
    {
        TVec mask = TOps.Broadcast(0xffff);
        for (int v = 0; v < width; v += TOps.Lanes)
        {
            Quarters(totals, width, v, mask, out TVec q0, out TVec q1, out TVec q2, out TVec q3);
            byte* to = totals32 + 4 * v;
            TOps.Store(to, TOps.Add32(TOps.Load(to), q0));
            TOps.Store(to + TOps.Lanes, TOps.Add32(TOps.Load(to + TOps.Lanes), q1));
            TOps.Store(to + 2 * TOps.Lanes, TOps.Add32(TOps.Load(to + 2 * TOps.Lanes), q2));
            TOps.Store(to + 3 * TOps.Lanes, TOps.Add32(TOps.Load(to + 3 * TOps.Lanes), q3));
        }
    }

    private static void ToQuarters(byte* totals, byte* totals32, byte* quarters, int width)
    {
        TVec mask = TOps.Broadcast(0xffff);
        for (int v = 0; v < width; v += TOps.Lanes)
        {
            Quarters(totals, width, v, mask, out TVec q0, out TVec q1, out TVec q2, out TVec q3);
            if (totals32 != null)
            {
                byte* more = totals32 + 4 * v;
                q0 = TOps.Add32(q0, TOps.Load(more));
                q1 = TOps.Add32(q1, TOps.Load(more + TOps.Lanes));
                q2 = TOps.Add32(q2, TOps.Load(more + 2 * TOps.Lanes));
                q3 = TOps.Add32(q3, TOps.Load(more + 3 * TOps.Lanes));
            }

            byte* to = quarters + 4 * v;
            TOps.Store(to, q0);
            TOps.Store(to + TOps.Lanes, q1);
            TOps.Store(to + 2 * TOps.Lanes, q2);
            TOps.Store(to + 3 * TOps.Lanes, q3);
        }
    }

    private static void Finish(ByteJob* job, int o, byte* totals, byte* totals32, int width, int runs, ref Buffers buffers)
    {
        nint channel = (nint)o * job->YLayout.PlaneLength, residualChannel = (nint)o * job->ResidualLayout.PlaneLength;
        Run* end = buffers.Runs + runs;
        if (job->Output == ByteOutput.Codes && job->Requantized[o].Fast)
        {
            for (Run* run = buffers.Runs; job->Residual != null && run < end; run++)
            {
                CopyLong.Copy(job->Residual + residualChannel + run->Residual, buffers.Residual + run->Lane, run->Length, 1);
            }

            Requantize(job, o, totals, totals32, width, buffers.Box, job->Residual != null ? buffers.Residual : null, buffers.Codes);
            byte* y = job->Y + channel;
            for (Run* run = buffers.Runs; run < end; run++)
            {
                CopyExact(buffers.Codes + run->Lane, y + run->Output, run->Length);
            }

            return;
        }

        ToQuarters(totals, totals32, buffers.Quarters, width);
        int* quarters = (int*)buffers.Quarters, box = (int*)buffers.Box;
        for (Run* run = buffers.Runs; run < end; run++)
        {
            for (int p = 0; p < run->Length; p++)
            {
                int lane = run->Lane + p, within = lane % TOps.Lanes, at = lane - within + within % 4 * (TOps.Lanes / 4) + within / 4;
                int y = 2 * quarters[at] - box[at] - job->CodeSums[o];
                nint to = channel + (nint)run->Output + p;
                switch (job->Output)
                {
                    case ByteOutput.Codes:
                        byte residual = job->Residual == null ? (byte)0 : job->Residual[residualChannel + run->Residual + p];
                        job->Y[to] = job->Requantized[o].Apply(y, residual, job->Top);
                        break;
                    case ByteOutput.Sums:
                        ((int*)job->Y)[to] = y;
                        break;
                    default:
                        ((float*)job->Y)[to] = y * job->Scale[o] + job->Shift[o];
                        break;
                }
            }
        }
    }

    /// <summary>A tile's codes, in the 32-bit arithmetic that <see cref="ByteChannel"/> proves to be exact.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Requantize(ByteJob* job, int o, byte* totals, byte* totals32, int width, byte* box, byte* residual, byte* codes)
    {
        ByteChannel* channel = job->Requantized + o;
        TVec mask = TOps.Broadcast(0xffff), byteMask = TOps.Broadcast(0xff), zero = TOps.Broadcast(0), top = TOps.Broadcast(job->Top);
        TVec low = TOps.Broadcast(channel->Low), high = TOps.Broadcast(channel->High), multiplier = TOps.Broadcast(channel->Multiplier);
        TVec offset = TOps.Broadcast(channel->SmallOffset), factor = TOps.Broadcast(channel->ResidualMultiplier);
        bool clamps = channel->ClampsAfter;
        int shift = channel->Shift;
        for (int v = 0; v < width; v += TOps.Lanes)
        {
            Quarters(totals, width, v, mask, out TVec q0, out TVec q1, out TVec q2, out TVec q3);
            if (totals32 != null)
            {
                byte* more = totals32 + 4 * v;
                q0 = TOps.Add32(q0, TOps.Load(more));
                q1 = TOps.Add32(q1, TOps.Load(more + TOps.Lanes));
                q2 = TOps.Add32(q2, TOps.Load(more + 2 * TOps.Lanes));
                q3 = TOps.Add32(q3, TOps.Load(more + 3 * TOps.Lanes));
            }

            byte* b = box + 4 * v;
            q0 = Scale(q0, TOps.Load(b), low, high, multiplier, offset);
            q1 = Scale(q1, TOps.Load(b + TOps.Lanes), low, high, multiplier, offset);
            q2 = Scale(q2, TOps.Load(b + 2 * TOps.Lanes), low, high, multiplier, offset);
            q3 = Scale(q3, TOps.Load(b + 3 * TOps.Lanes), low, high, multiplier, offset);
            if (residual != null)
            {
                TVec r = TOps.Load(residual + v);
                q0 = TOps.Add32(q0, TOps.Mul32(TOps.And(r, byteMask), factor));
                q1 = TOps.Add32(q1, TOps.Mul32(TOps.And(TOps.ShiftRight32(r, 8), byteMask), factor));
                q2 = TOps.Add32(q2, TOps.Mul32(TOps.And(TOps.ShiftRight32(r, 16), byteMask), factor));
                q3 = TOps.Add32(q3, TOps.Mul32(TOps.ShiftRight32(r, 24), factor));
            }

            q0 = TOps.ShiftRightSigned32(q0, shift);
            q1 = TOps.ShiftRightSigned32(q1, shift);
            q2 = TOps.ShiftRightSigned32(q2, shift);
            q3 = TOps.ShiftRightSigned32(q3, shift);
            if (clamps)
            {
                q0 = TOps.Min32(TOps.Max32(q0, zero), top);
                q1 = TOps.Min32(TOps.Max32(q1, zero), top);
                q2 = TOps.Min32(TOps.Max32(q2, zero), top);
                q3 = TOps.Min32(TOps.Max32(q3, zero), top);
            }

            q0 = TOps.Or(q0, TOps.ShiftLeft32(q1, 8));
            q2 = TOps.Or(TOps.ShiftLeft32(q2, 16), TOps.ShiftLeft32(q3, 24));
            TOps.Store(codes + v, TOps.Or(q0, q2));
        }
    }

    /// <summary>clamp(2 * sum - box, low, high) * multiplier + offset.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVec Scale(TVec sum, TVec box, TVec low, TVec high, TVec multiplier, TVec offset)
    {
        TVec y = TOps.Sub32(TOps.Add32(sum, sum), box);
        return TOps.Add32(TOps.Mul32(TOps.Min32(TOps.Max32(y, low), high), multiplier), offset);
    }

    /// <summary>Copies a run and nothing else.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void CopyExact(byte* from, byte* to, int length)
    {
        if (length >= 16)
        {
            for (int k = 0; k < length - 16; k += 16)
            {
                Vector128.Store(Vector128.Load(from + k), to + k);
            }

            Vector128.Store(Vector128.Load(from + length - 16), to + length - 16);
        }
        else if (length >= 8)
        {
            Unsafe.WriteUnaligned(to, Unsafe.ReadUnaligned<ulong>(from));
            Unsafe.WriteUnaligned(to + length - 8, Unsafe.ReadUnaligned<ulong>(from + length - 8));
        }
        else if (length >= 4)
        {
            Unsafe.WriteUnaligned(to, Unsafe.ReadUnaligned<uint>(from));
            Unsafe.WriteUnaligned(to + length - 4, Unsafe.ReadUnaligned<uint>(from + length - 4));
        }
        else
        {
            for (int k = 0; k < length; k++)
            {
                to[k] = from[k];
            }
        }
    }

    /// <summary>A task's arrays.</summary>
    private struct Buffers
    {
        public byte* Patch, Totals, Totals32, BoxTotals, BoxTotals32, Box, Quarters, Codes, Residual;
        public Run* Runs;
        public nint Size;

        public Buffers(ref Carver carver, ByteJob* job, int width, int filters)
        {
            Runs = carver.Take<Run>(width);
            BoxTotals = carver.Take<byte>(2 * width);
            BoxTotals32 = job->AnySpills ? carver.Take<byte>(4 * width) : null;
            Box = carver.Take<byte>(4 * width);
            Quarters = carver.Take<byte>(4 * width);
            Codes = carver.Take<byte>(width + 64);
            Residual = carver.Take<byte>(width + 64);
            Totals = carver.Take<byte>(2L * width * (job->Chunks == 1 ? 1 : filters));
            Totals32 = job->AnySpills ? carver.Take<byte>(4L * width * filters) : null;
            Patch = carver.Take<byte>((long)job->ChannelLength * job->ChunkChannels + (ByteTiling.MaxVectors + 1) * TOps.Lanes + 64);
            Size = carver.Size;
        }
    }
}
