using System.Runtime.CompilerServices;

namespace AdderNet.Kernels;

/// <summary>The tasks of the input gradient, which run <see cref="InputGradientTile{TOps, TVec}"/> over a tile's pixels.</summary>
internal static unsafe class InputGradientTask<TOps, TVec>
    where TOps : struct, ISimd<TVec>
    where TVec : struct
{
    /// <summary>One task: a tile of input pixels of one phase, and some or all vectors of input channels.</summary>
    public static void Run<TSize>(void* context, int index)
        where TSize : struct, ITileSize
    {
        InputGradientJob* job = (InputGradientJob*)context;
        InputGradientPhase* phase = job->Phase + index % job->Phases;
        index /= job->Phases;
        if (index >= phase->Tasks)
        {
            return;
        }

        ref readonly Window window = ref phase->Window;
        Tile tile = window.Locate(index / phase->Splits);
        int pixels = tile.Pixels;

        Carver carver = new(null);
        InputGradientBuffers buffers = new(ref carver, window, TOps.Lanes);
        carver = new(Scratch.ForTask(carver.Size));
        buffers = new(ref carver, window, TOps.Lanes);

        float* source = window.Gather(tile, job->GradY, buffers.Patch, buffers.Offsets, buffers.Places, out int patchRows);
        for (int i = 0; i < InputGradientBuffers.Slack; i++)
        {
            buffers.Offsets[pixels + i] = buffers.Offsets[pixels - 1];
        }

        Destinations(job, phase, tile, buffers.Pixels);
        FindSeen(job, phase, tile, TSize.Rows, buffers);
        int split = index % phase->Splits, group = -1;
        int vector = (int)((long)job->Vectors * split / phase->Splits), end = (int)((long)job->Vectors * (split + 1) / phase->Splits);
        for (; vector < end; vector++)
        {
            int c0 = vector % job->GroupVectors * TOps.Lanes, channels = Math.Min(TOps.Lanes, job->GroupC - c0);
            nint first = (nint)(vector / job->GroupVectors) * job->GroupC + c0;
            CopyIn(job->X + first, buffers.Pixels, buffers.X, pixels, channels);
            float* at = source + (job->Depthwise ? c0 : (nint)(vector / job->GroupVectors) * job->GroupO);
            if (job->Depthwise)
            {
                DepthwiseSums(phase, vector, at, buffers, pixels);
                InputGradientRepair<TOps, TVec>.ReplaceNaN(job, phase, tile, vector, buffers);
            }
            else
            {
                if (!TOps.HasClamp && group != vector / job->GroupVectors)
                {
                    group = vector / job->GroupVectors;
                    WindowSums<TOps, TVec>.Compute(window, at, buffers.Offsets, buffers.Places, pixels, patchRows, buffers.ChannelSums, buffers.WindowSums);
                }

                Sums<TSize, FastForm>(job, phase, vector, at, buffers, buffers.Sums, pixels);
                float* check = phase->Checks + vector * TOps.Lanes;
                if (channels == TOps.Lanes && InputGradientFinish<TOps, TVec>.RunTo(buffers, check, pixels, job->GradX + first))
                {
                    continue;
                }

                if (!InputGradientFinish<TOps, TVec>.Run(buffers, check, pixels))
                {
                    Sums<TSize, PlainForm>(job, phase, vector, at, buffers, buffers.PlainSums, pixels);
                    InputGradientRepair<TOps, TVec>.Merge(buffers, pixels);
                    InputGradientRepair<TOps, TVec>.ReplaceNaN(job, phase, tile, vector, buffers);
                }
            }

            CopyOut(job->GradX + first, buffers.Pixels, buffers.Sums, pixels, channels);
        }
    }

    /// <summary>Where in X and dL/dX the tile's pixels lie.</summary>
    private static void Destinations(InputGradientJob* job, InputGradientPhase* phase, Tile tile, nint* pixels)
    {
        for (int i = 0; i < tile.Rows; i++)
        {
            int image = (tile.Row + i) / phase->Window.Y.Count, row = (tile.Row + i) % phase->Window.Y.Count * job->StrideH + phase->Row;
            for (int j = 0; j < tile.Cols; j++)
            {
                int col = (tile.Col + j) * job->StrideW + phase->Col;
                *pixels++ = (((nint)image * job->H + row) * job->W + col) * job->C;
            }
        }
    }

    private static void Sums<TSize, TForm>(
        InputGradientJob* job, InputGradientPhase* phase, int vector, float* source, in InputGradientBuffers buffers, float* sums, int pixels)
        where TSize : struct, ITileSize
        where TForm : struct, IForm
    {
        float* filters = phase->Filters + (nint)vector * TOps.Lanes * phase->Window.Y.Taps * phase->Window.X.Taps * job->GroupO;
        new Span<float>(sums, pixels * TOps.Lanes).Clear();
        for (int i = 0; i < phase->ChunkCount; i++)
        {
            Chunk chunk = phase->Chunks[i];
            for (int p = 0, tile = 0; p < pixels; p += TSize.Rows, tile++)
            {
                Segment* from = phase->Segments + Math.Max(chunk.Segment, buffers.Seen[tile].From);
                Segment* to = phase->Segments + Math.Min(chunk.Segment + chunk.Segments, buffers.Seen[tile].To);
                if (from < to)
                {
                    InputGradientTile<TOps, TVec>.Run<TSize, TForm>(
                        filters + from->Filter * TOps.Lanes, from, to, source, buffers.Offsets + p, buffers.X + p * TOps.Lanes, sums + p * TOps.Lanes);
                }
            }
        }
    }

    /// <summary>For each register tile, the segments outside which its pixels meet only padding.</summary>
    private static void FindSeen(InputGradientJob* job, InputGradientPhase* phase, Tile tile, int rows, in InputGradientBuffers buffers)
    {
        Axis y = phase->Window.Y;
        Chunk last = phase->Chunks[phase->ChunkCount - 1];
        nint rowLength = (nint)phase->Window.X.Taps * job->GroupO;
        int segments = last.Segment + last.Segments;
        for (int row = 0, segment = 0; row <= y.Taps; row++)
        {
            // The first segment of each row of taps; no segment lies in two.
            while (segment < segments && phase->Segments[segment].Filter < row * rowLength)
            {
                segment++;
            }

            buffers.RowSegments[row] = segment;
        }

        SeenSegments* seen = buffers.Seen;
        for (int p = 0; p < tile.Pixels; p += rows)
        {
            int from = y.Taps, to = 0;
            int end = (Math.Min(p + rows, tile.Pixels) - 1) / tile.Cols;
            for (int row = p / tile.Cols; row <= end; row++)
            {
                int top = (tile.Row + row) % y.Count + y.Origin, below = y.Size - 1 - top;
                from = Math.Min(from, top < 0 ? (-top - 1) / y.TapStep + 1 : 0);
                to = Math.Max(to, below < 0 ? 0 : Math.Min(y.Taps, below / y.TapStep + 1));
            }

            *seen++ = new SeenSegments(buffers.RowSegments[from], buffers.RowSegments[to]);
        }
    }

    /// <summary>The sums where each input channel meets one output channel: vectors run over channels of both.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void DepthwiseSums(InputGradientPhase* phase, int vector, float* source, in InputGradientBuffers buffers, int pixels)
    {
        int taps = phase->Window.Y.Taps * phase->Window.X.Taps;
        float* filters = phase->Filters + (nint)vector * TOps.Lanes * taps;
        for (int p = 0; p < pixels; p++)
        {
            TVec x = TOps.Load(buffers.X + p * TOps.Lanes), sum = TOps.Create(0);
            float* g = source + buffers.Offsets[p];
            for (int t = 0; t < taps; t++)
            {
                TVec f = TOps.Load(filters + t * TOps.Lanes);
                sum = TOps.MulAdd(TOps.Load(g + phase->Segments[t].Source), InputGradientTile<TOps, TVec>.HardTanh(f, x), sum);
            }

            TOps.Store(buffers.Sums + p * TOps.Lanes, sum);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void CopyIn(float* from, nint* pixels, float* to, int count, int channels)
    {
        for (int p = 0; p < count; p++, to += TOps.Lanes)
        {
            float* at = from + pixels[p];
            if (channels == TOps.Lanes)
            {
                TOps.Store(to, TOps.Load(at));
                continue;
            }

            for (int c = 0; c < TOps.Lanes; c++)
            {
                to[c] = c < channels ? at[c] : 0;
            }
        }

        // What a partly empty register tile reads behind the last pixel.
        new Span<float>(to, InputGradientBuffers.Slack * TOps.Lanes).Clear();
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void CopyOut(float* to, nint* pixels, float* from, int count, int channels)
    {
        for (int p = 0; p < count; p++, from += TOps.Lanes)
        {
            float* at = to + pixels[p];
            if (channels == TOps.Lanes)
            {
                TOps.Store(at, TOps.Load(from));
                continue;
            }

            for (int c = 0; c < channels; c++)
            {
                at[c] = from[c];
            }
        }
    }
}
