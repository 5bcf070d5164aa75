using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace AdderNet.Kernels;

/// <summary>
/// The input gradient with lanes that are input pixels, at stride 1: with every input in [m, M], HardTanh(F - X) + 1 is 0 for filter elements at
/// or below m - 1, which need no work, 2 for those at or above M + 1, and reaches one bound only for most others. What is missing is the
/// sum of g over the window, the same for all channels. The loops are those of the forward pass over the gradient at the output, whose
/// filters are turned about.
/// </summary>
internal static unsafe class PlaneGradientKernel
{
    private struct Job
    {
        /// <summary>The walk over the gradient at the output: where its Y is the gradient at the input.</summary>
        public PlaneForwardJob Walk;
        public GradientTapList List;
        public float* X;
        public int Failed;
    }

    /// <summary>Whether the layer is the walk of another layer, of stride 1, over the gradient at its output.</summary>
    public static bool Serves(AdderShape s) =>
        s.StrideH == 1 && s.StrideW == 1 && s.KernelH * s.KernelW <= GradientTapList.MostTaps && s.DilationH * (s.KernelH - 1) >= s.PaddingH && s.DilationW * (s.KernelW - 1) >= s.PaddingW;

    /// <summary>
    /// Computes dL/dX [N, H, W, C] from channels-last memory; false, and nothing of use is written, where a value is not finite or
    /// inputs are so large that the rounding of F + 1 shows.
    /// </summary>
    public static bool TryRun(AdderShape shape, VectorWidth width, float* x, float* filters, float* gradY, float* gradX)
    {
        const float LargeX = 32;
        if (!MeasuredRange.TryMeasure(width, x, shape.XLength, out InputRange range) || Math.Max(-range.Min, range.Max) > LargeX)
        {
            return false;
        }

        AdderShapeNumbers turned = new AdderShapeNumbers(shape).Turned;
        Job job = new()
        {
            X = x,
            Walk = new()
            {
                Shape = turned,
                Tiling = new(turned, width),
                List = new() { Min = float.NegativeInfinity },
                ChannelsLast = gradY,
                Y = gradX,
            },
        };
        job.Walk.Divide(KernelThreads.Count);
        Carver measure = new(null);
        Carve(ref measure, ref job, shape);
        Carver carver = new(Scratch.ForCall(measure.Size));
        Carve(ref carver, ref job, shape);
        job.Walk.Describe();
        if (!job.List.TryBuild(shape, job.Walk.Tiling, job.Walk.Window, filters, range))
        {
            return false;
        }

        WorkerPool.Run(job.Walk.Tasks, Body(width), &job);
        return job.Failed == 0;
    }

    private static void Carve(ref Carver carver, ref Job job, AdderShape shape)
    {
        job.Walk.Carve(ref carver, shape, false);
        GradientTapList.Carve(ref carver, ref job.List, shape, job.Walk.Tiling);
    }

    private static delegate*<void*, int, void> Body(VectorWidth width) => width switch
    {
        VectorWidth.Vector512 => &Task<Simd512, Vector512<float>>,
        VectorWidth.Vector256 => &Task<Simd256, Vector256<float>>,
        VectorWidth.Vector128 => &Task<Simd128, Vector128<float>>,
        _ => &Task<SimdScalar, float>,
    };

    /// <summary>One task: a tile of input pixels, and some or all input channels.</summary>
    private static void Task<TOps, TVec>(void* context, int index)
        where TOps : struct, ISimd<TVec>
        where TVec : struct
    {
        var job = (Job*)context;
        ref readonly PlaneForwardJob walk = ref job->Walk;
        PlaneTilePlace place = walk.Place(index / walk.Splits);
        int split = index % walk.Splits, groupC = walk.Shape.GroupO;
        int c = (int)((long)walk.Shape.O * split / walk.Splits), end = (int)((long)walk.Shape.O * (split + 1) / walk.Splits);
        Carver carver = new(null);
        _ = new PlaneForwardBuffers(ref carver, walk);
        carver = new(Scratch.ForTask(carver.Size));
        PlaneForwardBuffers buffers = new(ref carver, walk);
        while (c < end)
        {
            int next = Math.Min(end, (c / groupC + 1) * groupC);
            Channels<TOps, TVec>(job, new(&job->Walk, place, buffers, c, next), place, buffers, c, next - c);
            c = next;
        }
    }

    /// <summary>A tile for some input channels of one group.</summary>
    private static void Channels<TOps, TVec>(
        Job* job, PlaneForwardTask<TOps, TVec> walk, in PlaneTilePlace place, in PlaneForwardBuffers buffers, int first, int channels)
        where TOps : struct, ISimd<TVec>
        where TVec : struct
    {
        ref readonly PlaneTiling tiling = ref job->Walk.Tiling;
        int tile = PlaneForwardTask<TOps, TVec>.Tile;
        walk.ClearSide();
        PlanePatch<TOps, TVec>.FindColumns(job->Walk.Shape, tiling, place, buffers.Columns);
        for (int b = 0; b < tiling.Blocks; b++)
        {
            Planes g = walk.Input(b, out int output);
            walk.Fill(g, output, walk.Channels(b), buffers.Patch);
            PlanePatch<TOps, TVec>.AddUp(place, g, output, walk.Channels(b), buffers.SideSums, float.NegativeInfinity);
            bool last = b == tiling.Blocks - 1;
            if (last)
            {
                walk.SumWindows(walk.SidePlane(), buffers.WindowSums);
            }

            for (int part = 0; part < walk.Parts; part++)
            {
                float* sums = walk.Sums(part), x = buffers.PlainSums;
                int runs = walk.FindRuns(part), vectors = walk.Vectors(part);
                ReadInputs(job, buffers.Runs, runs, x, first, channels, tile, TOps.Lanes);
                Sum<TOps, TVec>(job, b, first, channels, vectors, buffers.Patch + walk.FirstVector(part) * TOps.Lanes, x, sums);
                if (last)
                {
                    if (!Finish<TOps, TVec>(sums, walk.WindowSums(part), vectors, channels, tile))
                    {
                        job->Failed = 1;
                    }

                    walk.WriteChannelsLast(sums, 0, channels, runs);
                }
            }
        }
    }

    /// <summary>Brings a part's inputs into lanes.</summary>
    private static void ReadInputs(Job* job, LaneRun* runs, int count, float* to, int first, int channels, int tile, int lanes)
    {
        for (int i = 0; i < count; i++)
        {
            Transposition.Run(lanes, job->X + runs[i].Output + first, job->Walk.Shape.O, runs[i].Length, channels, to + runs[i].Lane, tile);
        }
    }

    /// <summary>A block's part of the sums of all channels.</summary>
    private static void Sum<TOps, TVec>(Job* job, int block, int first, int channels, int vectors, float* patch, float* x, float* sums)
        where TOps : struct, ISimd<TVec>
        where TVec : struct
    {
        int calls = Window.Ceiling(vectors, PlaneGradientTile<TOps, TVec>.MaxVectors), tile = PlaneForwardTask<TOps, TVec>.Tile;
        var two = PlaneTile<TOps, TVec>.For<ProductForm>(vectors);
        float* ones = job->Walk.Ones;
        Tap* taps = job->List.Taps;
        int* start = job->List.Starts + ((nint)block * job->Walk.Shape.O + first) * GradientTapList.Step;
        for (int c = 0; c < channels; c++, start += GradientTapList.Step, x += tile, sums += tile)
        {
            two(taps + start[0], taps + start[1], patch, sums, block > 0, ones);
            for (int i = 0, from = 0; i < calls; i++)
            {
                int to = vectors * (i + 1) / calls, at = from * TOps.Lanes, count = to - from;
                PlaneGradientTile<TOps, TVec>.For<LowerBound>(count)(taps + start[1], taps + start[2], patch + at, x + at, sums + at, ones);
                PlaneGradientTile<TOps, TVec>.For<UpperBound>(count)(taps + start[2], taps + start[3], patch + at, x + at, sums + at, ones);
                PlaneGradientTile<TOps, TVec>.For<BothBounds>(count)(taps + start[3], taps + start[4], patch + at, x + at, sums + at, ones);
                from = to;
            }
        }
    }

    /// <summary>Takes the sum of g from each pixel's sums; false where a result is not finite.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static bool Finish<TOps, TVec>(float* sums, float* windowSums, int vectors, int channels, int tile)
        where TOps : struct, ISimd<TVec>
        where TVec : struct
    {
        TVec zero = TOps.Create(0), check = zero;
        for (int c = 0; c < channels; c++, sums += tile)
            for (int v = 0; v < vectors * TOps.Lanes; v += TOps.Lanes)
            {
                TVec y = TOps.Sub(TOps.Load(sums + v), TOps.Load(windowSums + v));
                TOps.Store(sums + v, y);
                check = TOps.MulAdd(y, zero, check);
            }

        return TOps.AllZero(check);
    }
}
