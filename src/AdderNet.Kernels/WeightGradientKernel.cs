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

    /// <summary>Floats from pixel to pixel from which on they count as far apart.</summary>
    private const int FarApart = 128;

    /// <summary>Floats from pixel to pixel where the gradient is copied together: room for 6.</summary>
    private const int GradientPitch = 8;

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
        public bool Depthwise, Sign, WholeImages;
    }

    /// <summary>Computes dL/dF = sum of g * (X - F), or of g * sgn(X - F).</summary>
    public static void Run(AdderShape shape, VectorWidth width, bool sign, float* x, float* filters, float* gradY, float* gradFilters)
    {
        int lanes = (int)width, filterC = shape.GroupC, kernel = shape.KernelH * shape.KernelW;
        AdderShape original = shape;
        if (shape.SeesWholeImages)
        {
            shape = shape.OfWholeImages;
        }

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
            GroupC = filterC,
            GroupO = shape.GroupO,
            Taps = kernel,
            WholeImages = shape != original,
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
            RecomputeNonFinite(original, &job);
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
        int sixes = Window.Ceiling(job->O, 6);
        int from = sixes * range / job->Ranges * 6, to = Math.Min(job->O, sixes * (range + 1) / job->Ranges * 6);
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
        Buffers buffers = new(ref carver, job, to - from, TOps.Lanes);
        carver = new(Scratch.ForTask(carver.Size));
        buffers = new(ref carver, job, to - from, TOps.Lanes);
        for (; tile < end; tile++)
        {
            Tile at = window.Locate(tile);
            float* source = window.Gather(at, job->X, buffers.Patch, buffers.Offsets, null, out _);
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

            Blocks<TOps, TVec, TKind>(job, source, buffers, at.Pixels, sums, from, to);
        }
    }

    /// <summary>
    /// Adds a tile to the sums of a range of output channels. Many channels lie far apart for neighbouring pixels, and such
    /// strides leave most of the first-level cache unused: what the inner loop reads is then copied together first.
    /// </summary>
    private static void Blocks<TOps, TVec, TKind>(Job* job, float* source, in Buffers buffers, int pixels, float* sums, int from, int to)
        where TOps : struct, ISimd<TVec>
        where TVec : struct
        where TKind : struct, IWeightGradient
    {
        if (buffers.X != null)
        {
            for (int p = 0; p < pixels; p++)
            {
                buffers.XOffsets[p] = (nint)p * 2 * TOps.Lanes;
            }
        }

        if (buffers.G != null)
        {
            float* g = buffers.G;
            for (int o = from; o < to; g += (nint)pixels * GradientPitch)
            {
                int outputs = BlockOutputs(job, o, to);
                for (int p = 0; p < pixels; p++)
                {
                    float* at = job->GradY + buffers.GradOffsets[p] + o;
                    for (int i = 0; i < outputs; i++)
                    {
                        g[p * GradientPitch + i] = at[i];
                    }
                }

                o += outputs;
            }

            for (int p = 0; p < pixels; p++)
            {
                buffers.GradOffsets[p] = (nint)p * GradientPitch;
            }
        }

        float* groupG = buffers.G;
        for (int first = from; first < to;)
        {
            int group = first / job->GroupO, end = Math.Min(to, (group + 1) * job->GroupO);
            for (int run = 0; run < job->Window.Runs; run++)
            {
                float* x = source + (nint)group * job->GroupC + job->Window.RunStart(run);
                for (int k = 0; k < job->Run; k += 2 * TOps.Lanes, x += 2 * TOps.Lanes)
                {
                    bool two = job->Run - k >= 2 * TOps.Lanes;
                    float* at = x, g = groupG;
                    nint* offsets = buffers.Offsets;
                    if (buffers.X != null)
                    {
                        CopyTogether<TOps, TVec>(x, offsets, pixels, two, buffers.X);
                        at = buffers.X;
                        offsets = buffers.XOffsets;
                    }

                    for (int o = first; o < end;)
                    {
                        int outputs = BlockOutputs(job, o, to);
                        nint place = (nint)o * job->Stride + (nint)run * job->Run + k;
                        Run<TOps, TVec, TKind>(
                            outputs, two, at, offsets, g == null ? job->GradY + o : g, buffers.GradOffsets, pixels,
                            sums + place, job->Packed + place, job->Stride);
                        o += outputs;
                        g = g == null ? null : g + (nint)pixels * GradientPitch;
                    }
                }
            }

            for (; groupG != null && first < end; first += BlockOutputs(job, first, to))
            {
                groupG += (nint)pixels * GradientPitch;
            }

            first = end;
        }
    }

    /// <summary>How many of the output channels from <paramref name="o"/> on the inner loop takes at once: 6, 4, 2 or 1.</summary>
    private static int BlockOutputs(Job* job, int o, int to)
    {
        int outputs = Math.Min(6, Math.Min(to, (o / job->GroupO + 1) * job->GroupO) - o);
        return outputs > 1 ? outputs & ~1 : 1;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void CopyTogether<TOps, TVec>(float* from, nint* offsets, int pixels, bool two, float* to)
        where TOps : struct, ISimd<TVec>
        where TVec : struct
    {
        for (nint p = 0; p < pixels; p++, to += 2 * TOps.Lanes)
        {
            float* at = from + offsets[p];
            TOps.Store(to, TOps.Load(at));
            if (two)
            {
                TOps.Store(to + TOps.Lanes, TOps.Load(at + TOps.Lanes));
            }
        }
    }

    private static void Run<TOps, TVec, TKind>(
        int outputs, bool two, float* x, nint* offsets, float* g, nint* gradOffsets, int pixels, float* sums, float* filters, nint stride)
        where TOps : struct, ISimd<TVec>
        where TVec : struct
        where TKind : struct, IWeightGradient
    {
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
        body(x, offsets, g, gradOffsets, pixels, sums, filters, stride);
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

        if (job->WholeImages)
        {
            return (nint)o * job->Stride + (nint)tap * job->GroupC + c;
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

        /// <summary>What is copied together of the input and of the gradient; null where they are read in place.</summary>
        public readonly float* X, G;
        public readonly nint* XOffsets;

        public Buffers(ref Carver carver, Job* job, int outputs, int lanes)
        {
            ref readonly Window window = ref job->Window;
            int pixels = window.MaxPixels, depthwiseChannels = job->Depthwise ? job->Run : 0;
            Offsets = carver.Take<nint>(pixels);
            GradOffsets = carver.Take<nint>(pixels);
            PatchOffsets = carver.Take<nint>(job->Depthwise ? pixels : 0);
            GradPatch = carver.Take<float>((long)pixels * depthwiseChannels);
            if (!job->Depthwise && window.Channels * window.X.Stride >= FarApart && outputs >= 12)
            {
                X = carver.Take<float>((long)pixels * 2 * lanes);
                XOffsets = carver.Take<nint>(pixels);
            }

            if (!job->Depthwise && job->O >= FarApart && job->GroupO >= 6)
            {
                G = carver.Take<float>((long)pixels * GradientPitch * (outputs / 2 + 4));
            }

            Patch = carver.Take<float>(window.PatchLength);
        }
    }
}
