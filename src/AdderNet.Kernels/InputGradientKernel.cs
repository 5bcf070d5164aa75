using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace AdderNet.Kernels;

/// <summary>
/// The input gradient as a sliding window of input pixels over the gradient at the output. With strides, input pixels
/// fall into StrideH x StrideW phases, each of which meets taps of its own at stride 1.
/// </summary>
internal static unsafe class InputGradientKernel
{
    private const int TilePixels = 192;

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
        InputGradientJob job = new()
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
            ref InputGradientPhase phase = ref job.Phase[i];
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
    private static int Carve(ref Carver carver, ref InputGradientJob job, AdderShape shape, int lanes)
    {
        bool measuring = carver.Measures;
        job.Phase = carver.Take<InputGradientPhase>(job.Phases);
        int tasks = 0, phases = 0, threads = KernelThreads.Count;
        for (int row = 0; row < Math.Min(shape.StrideH, shape.H); row++)
            for (int col = 0; col < Math.Min(shape.StrideW, shape.W); col++)
            {
                Axis y = InputGradientPhase.AxisOf(
                    shape.H, shape.OutH, shape.KernelH, shape.StrideH, shape.PaddingH, shape.DilationH, row, out int firstI, out int stepI);
                Axis x = InputGradientPhase.AxisOf(
                    shape.W, shape.OutW, shape.KernelW, shape.StrideW, shape.PaddingW, shape.DilationW, col, out int firstJ, out int stepJ);
                InputGradientPhase phase = new() { Row = row, Col = col, FirstI = firstI, FirstJ = firstJ, StepI = stepI, StepJ = stepJ };
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

    private static delegate*<void*, int, void> Body(VectorWidth width) => width switch
    {
        VectorWidth.Vector512 => &InputGradientTask<Simd512, Vector512<float>>.Run<Tile8x1>,
        VectorWidth.Vector256 => &InputGradientTask<Simd256, Vector256<float>>.Run<Tile4x1>,
        VectorWidth.Vector128 => &InputGradientTask<Simd128, Vector128<float>>.Run<Tile4x1>,
        _ => &InputGradientTask<SimdScalar, float>.Run<Tile4x1>,
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
        InputGradientJob* job = (InputGradientJob*)context;
        ref readonly InputGradientPhase phase = ref job->Phase[index / job->Vectors];
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
}
