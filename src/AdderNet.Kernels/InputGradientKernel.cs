using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace AdderNet.Kernels;

/// <summary>
/// The input gradient as a sliding window of input pixels over the gradient at the output. With strides, input pixels
/// fall into StrideH x StrideW phases, each of which meets taps of its own at stride 1.
/// </summary>
internal static unsafe class InputGradientKernel
{
    /// <summary>Where |X| is larger, the rounding of X - 1 and X + 1 shows: HardTanh(F - X) is then summed up itself.</summary>
    private const float LargeX = 32;

    private const int TilePixels = 192;
    private const int Slack = 8;

    private struct Phase
    {
        public Window Window;
        public int Row, Col, FirstTask, Splits, ChunkCount;

        // Tap t of the phase is tap First - t * Step of the filter.
        public int FirstI, FirstJ, StepI, StepJ;
        public float* Filters;
        public Segment* Segments;
        public Chunk* Chunks;
    }

    private struct Job
    {
        public float* X, GradY, GradX, Filters;
        public int H, W, C, Vectors, GroupVectors, GroupC, GroupO, KernelH, KernelW, StrideH, StrideW, Phases;
        public bool Depthwise;
        public Phase* Phase;
    }

    /// <summary>Computes dL/dX = sum of g * HardTanh(F - X).</summary>
    public static void Run(AdderShape shape, VectorWidth width, float* x, float* filters, float* gradY, float* gradX)
    {
        int lanes = (int)width;
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
            KernelH = shape.KernelH,
            KernelW = shape.KernelW,
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

        int packs = job.Phases * job.Vectors;
        if ((long)shape.FiltersLength < 1 << 15)
        {
            for (int i = 0; i < packs; i++)
            {
                Pack(lanes, &job, i);
            }
        }
        else
        {
            WorkerPool.Run(packs, PackBody(width), &job);
        }

        WorkerPool.Run(tasks, Body(width), &job);
    }

    /// <summary>Lays out the call's memory and describes the phases; returns the number of tasks.</summary>
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
                Phase phase = new() { Row = row, Col = col, FirstTask = tasks, FirstI = firstI, FirstJ = firstJ, StepI = stepI, StepJ = stepJ };
                if (y.Taps * x.Taps > 0)
                {
                    phase.Window = new Window(shape.N, shape.O, shape.Groups, y, x, TilePixels, threads == 1 ? 1 : 4 * threads, job.Depthwise);
                    phase.Segments = carver.Take<Segment>(phase.Window.MaxSegments);
                    phase.Chunks = carver.Take<Chunk>(phase.Window.MaxSegments);
                    phase.Filters = carver.Take<float>((long)job.Vectors * lanes * y.Taps * x.Taps * job.GroupO);
                    phase.Splits = threads == 1 ? 1 : Math.Min(job.Vectors, Window.Ceiling(4 * threads, phase.Window.Tiles));
                    tasks = checked(tasks + phase.Window.Tiles * phase.Splits);
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

    private static void Pack<TOps, TVec>(void* context, int index)
        where TOps : struct, ISimd<TVec>
        where TVec : struct => Pack(TOps.Lanes, (Job*)context, index);

    /// <summary>Packs one phase's filters for one vector of input channels, in the order (row, column, output channel).</summary>
    private static void Pack(int lanes, Job* job, int index)
    {
        ref readonly Phase phase = ref job->Phase[index / job->Vectors];
        int vector = index % job->Vectors, c0 = vector % job->GroupVectors * lanes;
        int kernel = job->KernelH * job->KernelW, tapsY = phase.Window.Y.Taps, tapsX = phase.Window.X.Taps;
        int channels = Math.Min(lanes, job->GroupC - c0), filterC = job->Depthwise ? 1 : job->GroupC;
        float* to = phase.Filters + (nint)vector * lanes * tapsY * tapsX * job->GroupO;
        for (int ty = 0; ty < tapsY; ty++)
            for (int tx = 0; tx < tapsX; tx++)
            {
                int tap = (phase.FirstI - ty * phase.StepI) * job->KernelW + phase.FirstJ - tx * phase.StepJ;
                for (int o = 0; o < job->GroupO; o++, to += lanes)
                {
                    nint filter = job->Depthwise ? c0 : ((nint)(vector / job->GroupVectors) * job->GroupO + o) * filterC + c0;
                    float* from = job->Filters + filter * kernel + tap;
                    for (int c = 0; c < lanes; c++)
                    {
                        to[c] = c < channels ? from[(nint)c * kernel] : 0;
                    }
                }
            }
    }

    /// <summary>One task: a tile of input pixels of one phase, and some or all vectors of input channels.</summary>
    private static void Tile<TOps, TVec, TSize>(void* context, int index)
        where TOps : struct, ISimd<TVec>
        where TVec : struct
        where TSize : struct, ITileSize
    {
        Job* job = (Job*)context;
        Phase* phase = job->Phase + job->Phases - 1;
        while (phase->FirstTask > index)
        {
            phase--;
        }

        index -= phase->FirstTask;
        ref readonly Window window = ref phase->Window;
        Tile tile = window.Locate(index / phase->Splits);
        int pixels = tile.Pixels;

        Carver carver = new(null);
        Buffers buffers = new(ref carver, window, TOps.Lanes);
        carver = new(Scratch.ForTask(carver.Size));
        buffers = new(ref carver, window, TOps.Lanes);

        float* source = window.Gather(tile, job->GradY, buffers.Patch, buffers.Offsets, out int patchRows);
        for (int i = 0; i < Slack; i++)
        {
            buffers.Offsets[pixels + i] = buffers.Offsets[pixels - 1];
        }

        Destinations(job, phase, tile, buffers.Pixels);
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
                DepthwiseSums<TOps, TVec>(phase, vector, at, buffers);
            }
            else
            {
                if (group != vector / job->GroupVectors)
                {
                    group = vector / job->GroupVectors;
                    WindowSums<TOps, TVec>.Compute(window, at, buffers.Offsets, pixels, patchRows, buffers.ChannelSums, buffers.WindowSums);
                }

                Sums<TOps, TVec, TSize, FastForm>(job, phase, vector, at, buffers, buffers.Sums, pixels);
                if (!Subtract<TOps, TVec>(buffers, buffers.Sums, pixels))
                {
                    Sums<TOps, TVec, TSize, PlainForm>(job, phase, vector, at, buffers, buffers.PlainSums, pixels);
                    Merge<TOps, TVec>(buffers, pixels);
                }
            }

            ReplaceNaN<TOps, TVec>(job, phase, tile, vector, buffers);
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
        for (int i = 0; i < phase->ChunkCount; i++)
        {
            Chunk chunk = phase->Chunks[i];
            Segment* from = phase->Segments + chunk.Segment;
            for (int p = 0; p < pixels; p += TSize.Rows)
            {
                InputGradientTile<TOps, TVec>.Run<TSize, TForm>(
                    filters + chunk.FilterStart * TOps.Lanes, from, from + chunk.Segments, source, buffers.Offsets + p,
                    buffers.X + p * TOps.Lanes, sums + p * TOps.Lanes, i == 0);
            }
        }
    }

    /// <summary>The sums where each input channel meets one output channel: vectors run over channels of both.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void DepthwiseSums<TOps, TVec>(Phase* phase, int vector, float* source, in Buffers buffers)
        where TOps : struct, ISimd<TVec>
        where TVec : struct
    {
        int taps = phase->Window.Y.Taps * phase->Window.X.Taps;
        float* filters = phase->Filters + (nint)vector * TOps.Lanes * taps;
        for (int p = 0; p < buffers.Count; p++)
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

    /// <summary>Takes X * (sum of g) from the sums; false where a result may be wrong: a large X, or one that is not finite.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static bool Subtract<TOps, TVec>(in Buffers buffers, float* sums, int pixels)
        where TOps : struct, ISimd<TVec>
        where TVec : struct
    {
        TVec zero = TOps.Create(0), one = TOps.Create(1), large = TOps.Create(LargeX), check = zero;
        for (int p = 0; p < pixels; p++)
        {
            TVec x = TOps.Load(buffers.X + p * TOps.Lanes);
            TVec y = TOps.Sub(TOps.Load(sums + p * TOps.Lanes), TOps.Mul(x, TOps.Create(buffers.WindowSums[p])));
            TOps.Store(sums + p * TOps.Lanes, y);
            check = TOps.MulAdd(y, zero, TOps.Add(check, TOps.SelectLess(large, TOps.Abs(x), one, zero)));
        }

        return TOps.AllZero(check);
    }

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
            TOps.Store(buffers.Sums + p * TOps.Lanes, TOps.SelectLess(large, TOps.Abs(x), plain, fast));
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

    /// <summary>A task's arrays.</summary>
    private readonly struct Buffers
    {
        public readonly float* Patch, ChannelSums, WindowSums, X, Sums, PlainSums;
        public readonly nint* Offsets, Pixels;
        public readonly int Count;

        public Buffers(ref Carver carver, in Window window, int lanes)
        {
            int pixels = window.MaxPixels + Slack;
            Count = window.MaxPixels;
            Offsets = carver.Take<nint>(pixels);
            Pixels = carver.Take<nint>(pixels);
            WindowSums = carver.Take<float>(pixels);
            X = carver.Take<float>(pixels * lanes);
            Sums = carver.Take<float>(pixels * lanes);
            PlainSums = carver.Take<float>(pixels * lanes);
            ChannelSums = carver.Take<float>(window.PatchPixels);
            Patch = carver.Take<float>(window.PatchLength);
        }
    }
}
