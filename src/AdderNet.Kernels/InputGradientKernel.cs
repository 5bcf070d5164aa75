using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace AdderNet.Kernels;

/// <summary>
/// The input gradient as a sliding window of input pixels over the gradient at the output. With strides, input pixels
/// fall into StrideH x StrideW phases, each of which meets taps of its own at stride 1.
/// </summary>
internal static unsafe class InputGradientKernel
{
    /// <summary>Where |X| is larger, the rounding of X - 1 and X + 1 shows: HardTanh(F - X) is then summed up itself, as it always is with a clamp.</summary>
    private const float LargeX = 32;

    private const int TilePixels = 192;
    private const int Slack = 8;

    private struct Phase
    {
        public Window Window;
        public int Row, Col, Tasks, Splits, ChunkCount;

        // Tap t of the phase is tap First - t * Step of the filter.
        public int FirstI, FirstJ, StepI, StepJ;
        public float* Filters;

        // For each packed vector of channels, 0 where all filters are finite, else NaN: a clamp loses NaN.
        public float* Checks;
        public Segment* Segments;
        public Chunk* Chunks;
    }

    private struct Job
    {
        public float* X, GradY, GradX, Filters;
        public int H, W, C, Vectors, GroupVectors, GroupC, GroupO, Kernel, KernelW, FilterC, StrideH, StrideW, Phases;
        public bool Depthwise;
        public Phase* Phase;
    }

    /// <summary>Computes dL/dX = sum of g * HardTanh(F - X).</summary>
    public static void Run(AdderShape shape, VectorWidth width, float* x, float* filters, float* gradY, float* gradX)
    {
        int lanes = (int)width, filterC = shape.GroupC, kernel = shape.KernelH * shape.KernelW;
        if (shape.SeesWholeImages)
        {
            shape = shape.OfWholeImages;
        }

        bool depthwise = shape.Groups > 1 && shape.GroupC == 1 && shape.GroupO == 1;
        int groupC = depthwise ? shape.C : shape.GroupC, groups = depthwise ? 1 : shape.Groups;
        Job job = new()
        {
            X = x,
            GradY = gradY,
            GradX = gradX,
            Filters = filters,
            H = shape.H,
            W = shape.W,
            C = shape.C,
            GroupC = groupC,
            GroupO = shape.GroupO,
            GroupVectors = Window.Ceiling(groupC, lanes),
            Vectors = groups * Window.Ceiling(groupC, lanes),
            Kernel = kernel,
            KernelW = shape.KernelW,
            FilterC = filterC,
            StrideH = shape.StrideH,
            StrideW = shape.StrideW,
            Depthwise = depthwise,
            Phases = Math.Min(shape.StrideH, shape.H) * Math.Min(shape.StrideW, shape.W),
        };
        Carver measure = new(null);
        Carve(ref measure, ref job, shape, lanes);
        Carver carver = new(Scratch.ForCall(measure.Size));
        int tasks = Carve(ref carver, ref job, shape, lanes);
        bool unseen = false;
        for (int i = 0; i < job.Phases; i++)
        {
            ref Phase phase = ref job.Phase[i];
            if (phase.Segments == null)
            {
                unseen = true;
            }
            else
            {
                phase.ChunkCount = phase.Window.Describe(phase.Segments, phase.Chunks);
            }
        }

        if (unseen)
        {
            // Inputs that no window sees.
            new Span<float>(gradX, shape.XLength).Clear();
        }

        WorkerPool.Run(job.Phases * job.Vectors, PackBody(width), &job, shape.FiltersLength < 1 << 15);

        // All phases of a part of the input one after another: they share its cache lines.
        WorkerPool.Run(checked(tasks * job.Phases), Body(width), &job);
    }

    /// <summary>Lays out the call's memory and describes the phases; returns the largest number of tasks of a phase.</summary>
    private static int Carve(ref Carver carver, ref Job job, AdderShape shape, int lanes)
    {
        bool measuring = carver.Measures;
        job.Phase = carver.Take<Phase>(job.Phases);
        int tasks = 0, phases = 0, threads = KernelThreads.Count;
        for (int row = 0; row < Math.Min(shape.StrideH, shape.H); row++)
            for (int col = 0; col < Math.Min(shape.StrideW, shape.W); col++)
            {
                Axis y = PhaseAxis(shape.H, shape.OutH, shape.KernelH, shape.StrideH, shape.PaddingH, shape.DilationH, row, out int firstI, out int stepI);
                Axis x = PhaseAxis(shape.W, shape.OutW, shape.KernelW, shape.StrideW, shape.PaddingW, shape.DilationW, col, out int firstJ, out int stepJ);
                Phase phase = new() { Row = row, Col = col, FirstI = firstI, FirstJ = firstJ, StepI = stepI, StepJ = stepJ };
                if (y.Taps * x.Taps > 0)
                {
                    phase.Window = new Window(shape.N, shape.O, shape.Groups, y, x, TilePixels, Window.TilesFor(threads, job.Vectors), job.Depthwise);
                    phase.Segments = carver.Take<Segment>(phase.Window.MaxSegments);
                    phase.Chunks = carver.Take<Chunk>(phase.Window.MaxSegments);
                    phase.Filters = carver.Take<float>((long)job.Vectors * lanes * y.Taps * x.Taps * job.GroupO);
                    phase.Checks = carver.Take<float>((long)job.Vectors * lanes);
                    phase.Splits = Window.SplitsFor(threads, job.Vectors, phase.Window.Tiles);
                    phase.Tasks = checked(phase.Window.Tiles * phase.Splits);
                    tasks = Math.Max(tasks, phase.Tasks);
                }

                if (!measuring)
                {
                    job.Phase[phases++] = phase;
                }
            }

        return tasks;
    }

    /// <summary>
    /// The axis of input positions phase, phase + stride, ... over output positions: tap i of the filter at input position
    /// p belongs to output position (p + padding - i * dilation) / stride, where that is whole.
    /// </summary>
    private static Axis PhaseAxis(int size, int outSize, int kernel, int stride, int padding, int dilation, int phase, out int first, out int step)
    {
        int taps = 0, origin = 0;
        (first, step) = (0, 1);
        for (int i = 0; i < kernel; i++)
        {
            int at = phase + padding - i * dilation;
            if (at % stride == 0)
            {
                step = i - first;
                (first, origin) = (i, at / stride);
                taps++;
            }
        }

        return new Axis((size - phase - 1) / stride + 1, outSize, origin, 1, taps, taps > 1 ? step * dilation / stride : 1);
    }

    private static delegate*<void*, int, void> Body(VectorWidth width) => width switch
    {
        VectorWidth.Vector512 => &Tile<Simd512, Vector512<float>, Tile8x1>,
        VectorWidth.Vector256 => &Tile<Simd256, Vector256<float>, Tile4x1>,
        VectorWidth.Vector128 => &Tile<Simd128, Vector128<float>, Tile4x1>,
        _ => &Tile<SimdScalar, float, Tile4x1>,
    };

    private static delegate*<void*, int, void> PackBody(VectorWidth width) => width switch
    {
        VectorWidth.Vector512 => &Pack<Simd512, Vector512<float>>,
        VectorWidth.Vector256 => &Pack<Simd256, Vector256<float>>,
        VectorWidth.Vector128 => &Pack<Simd128, Vector128<float>>,
        _ => &Pack<SimdScalar, float>,
    };

    /// <summary>Packs one phase's filters for one vector of input channels, in the order (row, column, output channel).</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Pack<TOps, TVec>(void* context, int index)
        where TOps : struct, ISimd<TVec>
        where TVec : struct
    {
        Job* job = (Job*)context;
        ref readonly Phase phase = ref job->Phase[index / job->Vectors];
        if (phase.Segments == null)
        {
            return;
        }

        int vector = index % job->Vectors, c0 = vector % job->GroupVectors * TOps.Lanes, outputs = job->GroupO;
        int kernel = job->Kernel, tapsY = phase.Window.Y.Taps, tapsX = phase.Window.X.Taps, filterC = job->FilterC;
        int channels = Math.Min(TOps.Lanes, job->GroupC - c0);

        // Channels of whole images are (row, column, channel), of which filters have the channel first.
        bool wholeImages = !job->Depthwise && job->GroupC != filterC;
        float* start = phase.Filters + (nint)vector * TOps.Lanes * tapsY * tapsX * outputs;
        for (int o = 0; o < outputs; o++)
        {
            nint filter = job->Depthwise ? c0 : ((nint)(vector / job->GroupVectors) * outputs + o) * filterC + (wholeImages ? 0 : c0);
            float* to = start + (nint)o * TOps.Lanes;
            for (int ty = 0; ty < tapsY; ty++)
            {
                for (int tx = 0; tx < tapsX; tx++, to += (nint)outputs * TOps.Lanes)
                {
                    int tap = (phase.FirstI - ty * phase.StepI) * job->KernelW + phase.FirstJ - tx * phase.StepJ, c = 0;
                    float* from = job->Filters + filter * kernel + tap;
                    for (; c < channels; c++)
                    {
                        to[c] = wholeImages ? from[(nint)((c0 + c) % filterC) * kernel + (c0 + c) / filterC] : from[(nint)c * kernel];
                    }

                    for (; c < TOps.Lanes; c++)
                    {
                        to[c] = 0;
                    }
                }
            }
        }

        if (TOps.HasClamp)
        {
            // Two sums in turn, since each addition waits for the one before.
            TVec zero = TOps.Create(0), check = zero, otherCheck = zero;
            for (int k = 0; k < tapsY * tapsX * outputs; k++)
            {
                (check, otherCheck) = (otherCheck, TOps.MulAdd(TOps.Load(start + (nint)k * TOps.Lanes), zero, check));
            }

            TOps.Store(phase.Checks + vector * TOps.Lanes, TOps.Add(check, otherCheck));
        }
    }

    /// <summary>One task: a tile of input pixels of one phase, and some or all vectors of input channels.</summary>
    private static void Tile<TOps, TVec, TSize>(void* context, int index)
        where TOps : struct, ISimd<TVec>
        where TVec : struct
        where TSize : struct, ITileSize
    {
        Job* job = (Job*)context;
        Phase* phase = job->Phase + index % job->Phases;
        index /= job->Phases;
        if (index >= phase->Tasks)
        {
            return;
        }

        ref readonly Window window = ref phase->Window;
        Tile tile = window.Locate(index / phase->Splits);
        int pixels = tile.Pixels;

        Carver carver = new(null);
        Buffers buffers = new(ref carver, window, TOps.Lanes);
        carver = new(Scratch.ForTask(carver.Size));
        buffers = new(ref carver, window, TOps.Lanes);

        float* source = window.Gather(tile, job->GradY, buffers.Patch, buffers.Offsets, buffers.Places, out int patchRows);
        for (int i = 0; i < Slack; i++)
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
            CopyIn<TOps, TVec>(job->X + first, buffers.Pixels, buffers.X, pixels, channels);
            float* at = source + (job->Depthwise ? c0 : (nint)(vector / job->GroupVectors) * job->GroupO);
            if (job->Depthwise)
            {
                DepthwiseSums<TOps, TVec>(phase, vector, at, buffers, pixels);
                ReplaceNaN<TOps, TVec>(job, phase, tile, vector, buffers);
            }
            else
            {
                if (!TOps.HasClamp && group != vector / job->GroupVectors)
                {
                    group = vector / job->GroupVectors;
                    WindowSums<TOps, TVec>.Compute(window, at, buffers.Offsets, buffers.Places, pixels, patchRows, buffers.ChannelSums, buffers.WindowSums);
                }

                Sums<TOps, TVec, TSize, FastForm>(job, phase, vector, at, buffers, buffers.Sums, pixels);
                float* check = phase->Checks + vector * TOps.Lanes;
                if (channels == TOps.Lanes && FinishTo<TOps, TVec>(buffers, check, pixels, job->GradX + first))
                {
                    continue;
                }

                if (!Finish<TOps, TVec>(buffers, check, pixels))
                {
                    Sums<TOps, TVec, TSize, PlainForm>(job, phase, vector, at, buffers, buffers.PlainSums, pixels);
                    Merge<TOps, TVec>(buffers, pixels);
                    ReplaceNaN<TOps, TVec>(job, phase, tile, vector, buffers);
                }
            }

            CopyOut<TOps, TVec>(job->GradX + first, buffers.Pixels, buffers.Sums, pixels, channels);
        }
    }

    /// <summary>Where in X and dL/dX the tile's pixels lie.</summary>
    private static void Destinations(Job* job, Phase* phase, Tile tile, nint* pixels)
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

    private static void Sums<TOps, TVec, TSize, TForm>(Job* job, Phase* phase, int vector, float* source, in Buffers buffers, float* sums, int pixels)
        where TOps : struct, ISimd<TVec>
        where TVec : struct
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
    private static void FindSeen(Job* job, Phase* phase, Tile tile, int rows, in Buffers buffers)
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

        Seen* seen = buffers.Seen;
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

            *seen++ = new Seen(buffers.RowSegments[from], buffers.RowSegments[to]);
        }
    }

    /// <summary>The sums where each input channel meets one output channel: vectors run over channels of both.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void DepthwiseSums<TOps, TVec>(Phase* phase, int vector, float* source, in Buffers buffers, int pixels)
        where TOps : struct, ISimd<TVec>
        where TVec : struct
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

    /// <summary>Makes gradients of the sums; false where one may be wrong: where X is large, or the result isn't finite.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static bool Finish<TOps, TVec>(in Buffers buffers, float* check, int pixels)
        where TOps : struct, ISimd<TVec>
        where TVec : struct
    {
        bool sound = true;
        for (int p = 0; p < pixels; p++)
        {
            TVec x = TOps.Load(buffers.X + p * TOps.Lanes);
            TVec y = Gradient<TOps, TVec>(TOps.Load(buffers.Sums + p * TOps.Lanes), x, buffers.WindowSums + p, check);
            TOps.Store(buffers.Sums + p * TOps.Lanes, y);
            sound &= Sound<TOps, TVec>(TOps.Abs(x), TOps.Mul(y, TOps.Create(0)));
        }

        return sound;
    }

    /// <summary>The same for whole vectors, straight to their destination; false leaves the sums as they were.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static bool FinishTo<TOps, TVec>(in Buffers buffers, float* check, int pixels, float* to)
        where TOps : struct, ISimd<TVec>
        where TVec : struct
    {
        float* values = buffers.X, sums = buffers.Sums, windowSums = buffers.WindowSums;
        nint* destinations = buffers.Pixels;
        TVec zero = TOps.Create(0), largest = zero, bad = zero, otherBad = zero;
        for (int p = 0; p < pixels; p++)
        {
            TVec x = TOps.Load(values), y = Gradient<TOps, TVec>(TOps.Load(sums), x, windowSums + p, check);
            TOps.Store(to + destinations[p], y);
            largest = TOps.Max(TOps.Abs(x), largest);

            // Two sums in turn, since each addition waits for the one before.
            (bad, otherBad) = (otherBad, TOps.MulAdd(y, zero, bad));
            values += TOps.Lanes;
            sums += TOps.Lanes;
        }

        return Sound<TOps, TVec>(largest, TOps.Add(bad, otherBad));
    }

    /// <summary>Takes X * (sum of g) from a sum; where a clamp has made that needless, NaN for an input or a filter that isn't finite.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVec Gradient<TOps, TVec>(TVec sum, TVec x, float* windowSum, float* check)
        where TOps : struct, ISimd<TVec>
        where TVec : struct =>
        TOps.HasClamp
            ? TOps.MulAdd(x, TOps.Create(0), TOps.Add(sum, TOps.Load(check)))
            : TOps.Sub(sum, TOps.Mul(x, TOps.Create(*windowSum)));

    /// <summary>Whether no |X| is too large and the check, a sum of results times zero, is zero.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool Sound<TOps, TVec>(TVec largest, TVec check)
        where TOps : struct, ISimd<TVec>
        where TVec : struct =>
        TOps.AllZero(TOps.HasClamp ? check : TOps.SelectLess(TOps.Create(LargeX), largest, TOps.Create(1), check));

    /// <summary>Takes the plain sums where the fast ones may be wrong. Lane by lane, so that no result depends on its neighbours.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Merge<TOps, TVec>(in Buffers buffers, int pixels)
        where TOps : struct, ISimd<TVec>
        where TVec : struct
    {
        TVec zero = TOps.Create(0), large = TOps.Create(LargeX);
        for (int p = 0; p < pixels; p++)
        {
            TVec fast = TOps.Load(buffers.Sums + p * TOps.Lanes), plain = TOps.Load(buffers.PlainSums + p * TOps.Lanes);
            TVec x = TOps.Load(buffers.X + p * TOps.Lanes);
            fast = TOps.SelectEqual(TOps.Mul(fast, zero), zero, fast, plain);
            TOps.Store(buffers.Sums + p * TOps.Lanes, TOps.HasClamp ? fast : TOps.SelectLess(large, TOps.Abs(x), plain, fast));
        }
    }

    /// <summary>
    /// Padding counts as g = 0 in the sums, but 0 * NaN is NaN: recomputes, from the taps inside the output only, pixels
    /// at its border that have become NaN.
    /// </summary>
    private static void ReplaceNaN<TOps, TVec>(Job* job, Phase* phase, Tile tile, int vector, in Buffers buffers)
        where TOps : struct, ISimd<TVec>
        where TVec : struct
    {
        Axis y = phase->Window.Y, x = phase->Window.X;
        if (!y.NeedsPadding && !x.NeedsPadding)
        {
            return;
        }

        float* filters = phase->Filters + (nint)vector * TOps.Lanes * y.Taps * x.Taps * job->GroupO;
        for (int p = 0; p < tile.Pixels; p++)
        {
            TVec sum = TOps.Load(buffers.Sums + p * TOps.Lanes), zero = TOps.Create(0);
            if (TOps.AllZero(TOps.SelectEqual(sum, sum, zero, TOps.Create(1))))
            {
                continue;
            }

            int image = (tile.Row + p / tile.Cols) / y.Count;
            int top = (tile.Row + p / tile.Cols) % y.Count + y.Origin, left = tile.Col + p % tile.Cols + x.Origin;
            if (top >= 0 && left >= 0 && top + (y.Taps - 1) * y.TapStep < y.Size && left + (x.Taps - 1) * x.TapStep < x.Size)
            {
                continue;
            }

            float* g = job->GradY + (nint)image * y.Size * x.Size * phase->Window.Channels;
            g += job->Depthwise ? (nint)vector * TOps.Lanes : (nint)(vector / job->GroupVectors) * job->GroupO;
            TVec at = TOps.Load(buffers.X + p * TOps.Lanes);
            float* f = filters;
            sum = zero;
            for (int i = 0; i < y.Taps; i++)
                for (int j = 0; j < x.Taps; j++, f += TOps.Lanes * job->GroupO)
                {
                    int row = top + i * y.TapStep, col = left + j * x.TapStep;
                    if ((uint)row >= (uint)y.Size || (uint)col >= (uint)x.Size)
                    {
                        continue;
                    }

                    float* from = g + ((nint)row * x.Size + col) * phase->Window.Channels;
                    for (int o = 0; o < job->GroupO; o++)
                    {
                        TVec weight = job->Depthwise ? Partial<TOps, TVec>(from, job->GroupC - vector * TOps.Lanes) : TOps.Create(from[o]);
                        sum = TOps.MulAdd(weight, InputGradientTile<TOps, TVec>.HardTanh(TOps.Load(f + o * TOps.Lanes), at), sum);
                    }
                }

            TOps.Store(buffers.Sums + p * TOps.Lanes, sum);
        }
    }

    /// <summary>Loads a vector of which only <paramref name="count"/> floats may be read; the others are zero.</summary>
    private static TVec Partial<TOps, TVec>(float* from, int count)
        where TOps : struct, ISimd<TVec>
        where TVec : struct
    {
        float* part = stackalloc float[16];
        new Span<float>(from, Math.Min(count, TOps.Lanes)).CopyTo(new Span<float>(part, 16));
        new Span<float>(part, 16)[Math.Min(count, TOps.Lanes)..].Clear();
        return TOps.Load(part);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void CopyIn<TOps, TVec>(float* from, nint* pixels, float* to, int count, int channels)
        where TOps : struct, ISimd<TVec>
        where TVec : struct
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
        new Span<float>(to, Slack * TOps.Lanes).Clear();
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void CopyOut<TOps, TVec>(float* to, nint* pixels, float* from, int count, int channels)
        where TOps : struct, ISimd<TVec>
        where TVec : struct
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

    private readonly record struct Seen(int From, int To);

    /// <summary>A task's arrays.</summary>
    private readonly struct Buffers
    {
        public readonly float* Patch, ChannelSums, WindowSums, X, Sums, PlainSums;
        public readonly nint* Offsets, Pixels;
        public readonly int* Places, RowSegments;
        public readonly Seen* Seen;

        public Buffers(ref Carver carver, in Window window, int lanes)
        {
            int pixels = window.MaxPixels + Slack;
            Offsets = carver.Take<nint>(pixels);
            Places = carver.Take<int>(pixels);
            Seen = carver.Take<Seen>(pixels);
            RowSegments = carver.Take<int>(window.Y.Taps + 1);
            Pixels = carver.Take<nint>(pixels);
            WindowSums = carver.Take<float>(pixels);
            X = carver.Take<float>(pixels * lanes);
            Sums = carver.Take<float>(pixels * lanes);
            PlainSums = carver.Take<float>(pixels * lanes);
            ChannelSums = carver.Take<float>(WindowSums<Simd128, Vector128<float>>.ScratchLength(window));
            Patch = carver.Take<float>(window.PatchLength);
        }
    }
}
