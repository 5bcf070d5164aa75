using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace AdderNet.Kernels;

/// <summary>
/// The gradients of the filters. The full-precision one is an ordinary convolution's weight gradient and a correction:
/// sum of g * (X - F) = sum of g * X - F * (sum of g). Output pixels are cut into parts that are summed up on their own
/// and then in order; how many depends on the layer alone, so that no result depends on the number of threads.
/// </summary>
internal static unsafe class WeightGradientKernel
{
    private const int TilePixels = 96;
    private const int Tasks = 16;

    /// <summary>Floats that the parts' sums may take together.</summary>
    private const int PartsLength = 1 << 20;

    private struct Job
    {
        public Window Window;
        public float* X, Filters, GradY, GradFilters, Sums, GradSums, Packed;

        /// <summary>Parts the tiles, and ranges the output channels are cut into.</summary>
        public int Parts, Ranges;

        /// <summary>Floats of an output channel's sums, and of each run in it, rounded up to whole vectors.</summary>
        public int Stride, Run;

        public int O, GroupC, GroupO, Taps;
        public bool Depthwise, Sign;
    }

    /// <summary>Computes dL/dF = sum of g * (X - F), or of g * sgn(X - F).</summary>
    public static void Run(AdderShape shape, VectorWidth width, bool sign, float* x, float* filters, float* gradY, float* gradFilters)
    {
        int lanes = (int)width;
        bool depthwise = shape.Groups > 1 && shape.GroupC == 1 && shape.GroupO == 1;
        Axis vertical = new(shape.OutH, shape.H, -shape.PaddingH, shape.StrideH, shape.KernelH, shape.DilationH);
        Axis horizontal = new(shape.OutW, shape.W, -shape.PaddingW, shape.StrideW, shape.KernelW, shape.DilationW);

        // Vectors read beyond a run's end: only a patch has room for that.
        Window window = new(shape.N, shape.C, shape.Groups, vertical, horizontal, TilePixels, 1, shape.GroupC % lanes != 0);
        int run = Window.Ceiling(depthwise ? shape.C : window.RunLength, lanes) * lanes;
        Job job = new()
        {
            Window = window,
            X = x,
            Filters = filters,
            GradY = gradY,
            GradFilters = gradFilters,
            Stride = run * window.Runs,
            Run = run,
            O = shape.O,
            GroupC = shape.GroupC,
            GroupO = shape.GroupO,
            Taps = shape.KernelH * shape.KernelW,
            Depthwise = depthwise,
            Sign = sign,
        };
        long rows = depthwise ? 1 : shape.O;
        job.Parts = (int)Math.Clamp(PartsLength / (rows * job.Stride), 1, Math.Min(window.Tiles, Tasks));
        job.Ranges = depthwise ? 1 : Math.Min(Window.Ceiling(shape.O, 6), Window.Ceiling(Tasks, job.Parts));
        Carver measure = new(null);
        Carve(ref measure, ref job, rows);
        Carver carver = new(Scratch.ForCall(measure.Size));
        Carve(ref carver, ref job, rows);
        if (sign)
        {
            PackFilters(&job);
        }

        WorkerPool.Run(job.Parts * job.Ranges, Body(width), &job);
        WorkerPool.Run(shape.O, &Collect, &job);
        if (!sign)
        {
            RecomputeNonFinite(shape, &job);
        }
    }

    private static void Carve(ref Carver carver, ref Job job, long rows)
    {
        job.Sums = carver.Take<float>(job.Parts * rows * job.Stride);
        job.GradSums = carver.Take<float>((long)job.Parts * job.O);
        job.Packed = carver.Take<float>(job.Sign ? rows * job.Stride : 0);
    }

    private static delegate*<void*, int, void> Body(VectorWidth width) => width switch
    {
        VectorWidth.Vector512 => &Sum<Simd512, Vector512<float>>,
        VectorWidth.Vector256 => &Sum<Simd256, Vector256<float>>,
        VectorWidth.Vector128 => &Sum<Simd128, Vector128<float>>,
        _ => &Sum<SimdScalar, float>,
    };

    /// <summary>One task: a part of the output pixels, for a range of the output channels.</summary>
    private static void Sum<TOps, TVec>(void* context, int index)
        where TOps : struct, ISimd<TVec>
        where TVec : struct
    {
        if (((Job*)context)->Sign)
        {
            Sum<TOps, TVec, SignTimesGradient>((Job*)context, index);
        }
        else
        {
            Sum<TOps, TVec, InputTimesGradient>((Job*)context, index);
        }
    }

    private static void Sum<TOps, TVec, TKind>(Job* job, int index)
        where TOps : struct, ISimd<TVec>
        where TVec : struct
        where TKind : struct, IWeightGradient
    {
        ref readonly Window window = ref job->Window;
        int part = index / job->Ranges, range = index % job->Ranges;
        int from = (int)((long)job->O * range / job->Ranges), to = (int)((long)job->O * (range + 1) / job->Ranges);
        int tile = (int)((long)window.Tiles * part / job->Parts), end = (int)((long)window.Tiles * (part + 1) / job->Parts);
        int rows = job->Depthwise ? 1 : job->O;
        float* sums = job->Sums + (nint)part * rows * job->Stride, gradSums = job->GradSums + (nint)part * job->O;
        new Span<float>(gradSums + from, to - from).Clear();
        if (job->Depthwise)
        {
            new Span<float>(sums, job->Stride).Clear();
        }
        else
        {
            for (int o = from; o < to; o++)
            {
                new Span<float>(sums + (nint)o * job->Stride, job->Stride).Clear();
            }
        }

        Carver carver = new(null);
        Buffers buffers = new(ref carver, window, job->Depthwise ? job->Run : 0);
        carver = new(Scratch.ForTask(carver.Size));
        buffers = new(ref carver, window, job->Depthwise ? job->Run : 0);
        for (; tile < end; tile++)
        {
            Tile at = window.Locate(tile);
            float* source = window.Gather(at, job->X, buffers.Patch, buffers.Offsets, out _);
            nint* g = buffers.GradOffsets;
            for (int i = 0; i < at.Rows; i++)
                for (int j = 0; j < at.Cols; j++)
                {
                    *g++ = ((nint)(at.Row + i) * window.X.Count + at.Col + j) * job->O;
                }

            AddGradients<TOps, TVec>(job->GradY, buffers.GradOffsets, at.Pixels, gradSums, from, to);
            if (job->Depthwise)
            {
                Depthwise<TOps, TVec, TKind>(job, source, buffers, at.Pixels, sums);
                continue;
            }

            for (int o = from; o < to;)
            {
                int group = o / job->GroupO, outputs = Math.Min(6, Math.Min(to, (group + 1) * job->GroupO) - o);
                outputs = outputs == 3 ? 2 : outputs == 5 ? 4 : outputs;
                Block<TOps, TVec, TKind>(job, source + (nint)group * job->GroupC, buffers, at.Pixels, sums, o, outputs);
                o += outputs;
            }
        }
    }

    /// <summary>Adds a tile to the sums of so many output channels.</summary>
    private static void Block<TOps, TVec, TKind>(Job* job, float* source, in Buffers buffers, int pixels, float* sums, int o, int outputs)
        where TOps : struct, ISimd<TVec>
        where TVec : struct
        where TKind : struct, IWeightGradient
    {
        for (int run = 0; run < job->Window.Runs; run++)
        {
            float* x = source + job->Window.RunStart(run);
            nint at = (nint)o * job->Stride + (nint)run * job->Run;
            for (int k = 0; k < job->Run;)
            {
                float* f = job->Packed + at + k, to = sums + at + k;
                bool two = job->Run - k >= 2 * TOps.Lanes;
                delegate*<float*, nint*, float*, nint*, int, float*, float*, nint, void> body = (outputs, two) switch
                {
                    (6, true) => &WeightGradientTile<TOps, TVec>.Run<Tile6x2, TKind>,
                    (4, true) => &WeightGradientTile<TOps, TVec>.Run<Tile4x2, TKind>,
                    (2, true) => &WeightGradientTile<TOps, TVec>.Run<Tile2x2, TKind>,
                    (_, true) => &WeightGradientTile<TOps, TVec>.Run<Tile1x2, TKind>,
                    (6, false) => &WeightGradientTile<TOps, TVec>.Run<Tile6x1, TKind>,
                    (4, false) => &WeightGradientTile<TOps, TVec>.Run<Tile4x1, TKind>,
                    (2, false) => &WeightGradientTile<TOps, TVec>.Run<Tile2x1, TKind>,
                    (_, false) => &WeightGradientTile<TOps, TVec>.Run<Tile1x1, TKind>,
                };
                body(x + k, buffers.Offsets, job->GradY + o, buffers.GradOffsets, pixels, to, f, job->Stride);
                k += two ? 2 * TOps.Lanes : TOps.Lanes;
            }
        }
    }

    private static void Depthwise<TOps, TVec, TKind>(Job* job, float* source, in Buffers buffers, int pixels, float* sums)
        where TOps : struct, ISimd<TVec>
        where TVec : struct
        where TKind : struct, IWeightGradient
    {
        // The gradient's last vector would end behind its array.
        nint* gradOffsets = buffers.PatchOffsets;
        for (int p = 0; p < pixels; p++)
        {
            gradOffsets[p] = (nint)p * job->Run;
            new ReadOnlySpan<float>(job->GradY + buffers.GradOffsets[p], job->O).CopyTo(new Span<float>(buffers.GradPatch + gradOffsets[p], job->O));
        }

        for (int run = 0; run < job->Window.Runs; run++)
            for (int c = 0; c < job->O; c += TOps.Lanes)
            {
                int at = run * job->Run + c;
                WeightGradientTile<TOps, TVec>.RunDepthwise<TKind>(
                    source + job->Window.RunStart(run) + c, buffers.Offsets, buffers.GradPatch + c, gradOffsets, pixels, sums + at, job->Packed + at);
            }
    }

    /// <summary>Adds up g for each output channel.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddGradients<TOps, TVec>(float* gradY, nint* offsets, int pixels, float* sums, int from, int to)
        where TOps : struct, ISimd<TVec>
        where TVec : struct
    {
        int o = from;
        for (; o <= to - TOps.Lanes; o += TOps.Lanes)
        {
            TVec sum = TOps.Create(0);
            for (nint p = 0; p < pixels; p++)
            {
                sum = TOps.Add(sum, TOps.Load(gradY + offsets[p] + o));
            }

            TOps.Store(sums + o, TOps.Add(TOps.Load(sums + o), sum));
        }

        for (; o < to; o++)
        {
            float sum = 0;
            for (nint p = 0; p < pixels; p++)
            {
                sum += gradY[offsets[p] + o];
            }

            sums[o] += sum;
        }
    }

    /// <summary>Where the gradient of element (c, tap) of a filter lies among an output channel's sums.</summary>
    private static nint Place(Job* job, int o, int c, int tap)
    {
        if (job->Depthwise)
        {
            return (nint)tap * job->Run + o;
        }

        int columns = job->Window.X.Taps, rows = job->Taps / columns;
        nint inRow = job->Window.Runs == rows
            ? (nint)(tap / columns) * job->Run + (nint)(tap % columns) * job->GroupC
            : (nint)tap * job->Run;
        return (nint)o * job->Stride + inRow + c;
    }

    private static void PackFilters(Job* job)
    {
        int rows = job->Depthwise ? 1 : job->O;
        new Span<float>(job->Packed, rows * job->Stride).Clear();
        float* from = job->Filters;
        for (int o = 0; o < job->O; o++)
            for (int c = 0; c < job->GroupC; c++)
                for (int tap = 0; tap < job->Taps; tap++)
                {
                    job->Packed[Place(job, o, c, tap)] = *from++;
                }
    }

    /// <summary>Adds up the parts for one output channel, in order, and brings the elements into the filters' order.</summary>
    private static void Collect(void* context, int o)
    {
        Job* job = (Job*)context;
        nint rows = job->Depthwise ? 1 : job->O, partLength = rows * job->Stride;
        float gradSum = 0;
        for (int part = 0; part < job->Parts; part++)
        {
            gradSum += job->GradSums[(nint)part * job->O + o];
        }

        float* filter = job->Filters + (nint)o * job->GroupC * job->Taps;
        float* to = job->GradFilters + (nint)o * job->GroupC * job->Taps;
        for (int c = 0; c < job->GroupC; c++)
            for (int tap = 0; tap < job->Taps; tap++)
            {
                float* from = job->Sums + Place(job, o, c, tap);
                float sum = 0;
                for (int part = 0; part < job->Parts; part++, from += partLength)
                {
                    sum += *from;
                }

                *to++ = job->Sign ? sum : sum - *filter++ * gradSum;
            }
    }

    /// <summary>With NaN, infinity or overflow about, g * X - F * g is not g * (X - F): such elements are taken from the formula itself.</summary>
    private static void RecomputeNonFinite(AdderShape shape, Job* job)
    {
        float* at = job->GradFilters;
        for (int o = 0; o < shape.O; o++)
            for (int c = 0; c < shape.GroupC; c++)
                for (int tap = 0; tap < job->Taps; tap++, at++)
                {
                    if (!float.IsFinite(*at))
                    {
                        *at = ScalarReference.FilterElementGradient(
                            shape, new(job->X, shape.XLength), new(job->Filters, shape.FiltersLength), new(job->GradY, shape.YLength), false,
                            o, c, tap / shape.KernelW, tap % shape.KernelW);
                    }
                }
    }

    /// <summary>A task's arrays.</summary>
    private readonly struct Buffers
    {
        public readonly float* Patch, GradPatch;
        public readonly nint* Offsets, GradOffsets, PatchOffsets;

        public Buffers(ref Carver carver, in Window window, int depthwiseChannels)
        {
            Offsets = carver.Take<nint>(window.MaxPixels);
            GradOffsets = carver.Take<nint>(window.MaxPixels);
            PatchOffsets = carver.Take<nint>(depthwiseChannels == 0 ? 0 : window.MaxPixels);
            GradPatch = carver.Take<float>((long)window.MaxPixels * depthwiseChannels);
            Patch = carver.Take<float>(window.PatchLength);
        }
    }
}
