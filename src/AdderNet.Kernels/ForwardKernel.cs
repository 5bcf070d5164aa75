using System.Runtime.Intrinsics;

namespace AdderNet.Kernels;

/// <summary>The forward pass: packs filters, cuts the output into tasks, and runs <see cref="ForwardTask{TOps, TVec}"/> for each.</summary>
internal static unsafe class ForwardKernel
{
    /// <summary>Tiles of destination pixels hold about so many: enough to reuse filters, few enough for the sums to stay in cache.</summary>
    private const int TilePixels = 192;

    private struct PackJob
    {
        public FilterLayout Layout;
        public float* From, To;
    }

    /// <summary>Packs filters [O, C / Groups, KernelH, KernelW] into <see cref="FilterLayout.Length"/> floats.</summary>
    public static void Pack(FilterLayout layout, float* filters, float* packed)
    {
        PackJob job = new() { Layout = layout, From = filters, To = packed };
        WorkerPool.Run(layout.Panels, PackBody(layout.Width), &job, layout.SumsStart < 1 << 15);
    }

    /// <summary>Computes the forward pass from filters [O, C / Groups, KernelH, KernelW] or, where that is null, from packed ones.</summary>
    public static void Run(
        AdderShape shape, FilterLayout layout, float* x, float* filters, float* packed, float* y, in AdderEpilogue epilogue)
    {
        if (shape.SeesWholeImages)
        {
            shape = shape.OfWholeImages;
        }

        Axis vertical = new(shape.OutH, shape.H, -shape.PaddingH, shape.StrideH, shape.KernelH, shape.DilationH);
        Axis horizontal = new(shape.OutW, shape.W, -shape.PaddingW, shape.StrideW, shape.KernelW, shape.DilationW);
        int threads = KernelThreads.Count;
        ForwardJob job = new()
        {
            Window = new Window(shape.N, shape.C, shape.Groups, vertical, horizontal, TilePixels, Window.TilesFor(threads, layout.Panels), layout.Depthwise),
            Layout = layout,
            X = x,
            Y = y,
            O = shape.O,
            Relu = epilogue.Relu,
        };
        Carver measure = new(null);
        Carve(ref measure, ref job, filters != null, epilogue);
        Carver carver = new(Scratch.ForCall(measure.Size));
        float* ownPacked = Carve(ref carver, ref job, filters != null, epilogue);
        if (filters != null)
        {
            Pack(layout, filters, ownPacked);
            packed = ownPacked;
        }

        job.Filters = packed;
        job.ChunkCount = job.Window.Describe(job.Segments, job.Chunks);
        new Span<float>(job.Ones, 16).Fill(1);
        job.Mean = layout.Spread(epilogue.Mean, job.Mean);
        job.Scale = layout.Spread(epilogue.Scale, job.Scale);
        job.Shift = layout.Spread(epilogue.Shift, job.Shift);
        int tiles = job.Window.Tiles;
        job.Splits = Window.SplitsFor(threads, layout.Panels, tiles);
        fixed (float* residual = epilogue.Residual)
        {
            job.Residual = residual;
            WorkerPool.Run(checked(tiles * job.Splits), Body(layout.Width), &job);
        }
    }

    private static float* Carve(ref Carver carver, ref ForwardJob job, bool pack, in AdderEpilogue epilogue)
    {
        job.Ones = carver.Take<float>(16);
        job.Segments = carver.Take<Segment>(job.Window.MaxSegments);
        job.Chunks = carver.Take<Chunk>(job.Window.MaxSegments);
        job.Mean = carver.Take<float>(epilogue.Mean.IsEmpty ? 0 : job.Layout.PaddedOutputs);
        job.Scale = carver.Take<float>(epilogue.Scale.IsEmpty ? 0 : job.Layout.PaddedOutputs);
        job.Shift = carver.Take<float>(epilogue.Shift.IsEmpty ? 0 : job.Layout.PaddedOutputs);
        return carver.Take<float>(pack ? job.Layout.Length : 0);
    }

    private static delegate*<void*, int, void> Body(VectorWidth width) => width switch
    {
        VectorWidth.Vector512 => &ForwardTask<Simd512, Vector512<float>>.Run,
        VectorWidth.Vector256 => &ForwardTask<Simd256, Vector256<float>>.Run,
        VectorWidth.Vector128 => &ForwardTask<Simd128, Vector128<float>>.Run,
        _ => &ForwardTask<SimdScalar, float>.Run,
    };

    private static delegate*<void*, int, void> PackBody(VectorWidth width) => width switch
    {
        VectorWidth.Vector512 => &Pack<Simd512, Vector512<float>>,
        VectorWidth.Vector256 => &Pack<Simd256, Vector256<float>>,
        VectorWidth.Vector128 => &Pack<Simd128, Vector128<float>>,
        _ => &Pack<SimdScalar, float>,
    };

    private static void Pack<TOps, TVec>(void* context, int panel)
        where TOps : struct, ISimd<TVec>
        where TVec : struct
    {
        PackJob* job = (PackJob*)context;
        job->Layout.Pack<TOps, TVec>(job->From, job->To, panel);
    }
}
