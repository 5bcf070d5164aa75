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
        WeightGradientJob job = new()
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

    private static void Carve(ref Carver carver, ref WeightGradientJob job, long rows)
    {
        job.Sums = carver.Take<float>(job.Parts * rows * job.Stride);
        job.GradSums = carver.Take<float>((long)job.Parts * job.O);
        job.Packed = carver.Take<float>(job.Sign ? rows * job.Stride : 0);
    }

    private static delegate*<void*, int, void> Body(VectorWidth width) => width switch
    {
        VectorWidth.Vector512 => &WeightGradientTask<Simd512, Vector512<float>>.Run,
        VectorWidth.Vector256 => &WeightGradientTask<Simd256, Vector256<float>>.Run,
        VectorWidth.Vector128 => &WeightGradientTask<Simd128, Vector128<float>>.Run,
        _ => &WeightGradientTask<SimdScalar, float>.Run,
    };

    /// <summary>Where the gradient of element (c, tap) of a filter lies among an output channel's sums.</summary>
    private static nint Place(WeightGradientJob* job, int o, int c, int tap)
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

    private static void PackFilters(WeightGradientJob* job)
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
        WeightGradientJob* job = (WeightGradientJob*)context;
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
    private static void RecomputeNonFinite(AdderShape shape, WeightGradientJob* job)
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
}
