using System.Runtime.Intrinsics;

namespace AdderNet.Kernels;

/// <summary>The forward pass over planes (N, C, H, W): walks tiles, blocks of channels and filters with <see cref="PlaneTile{TOps, TVec}"/>.</summary>
internal static unsafe class PlaneForwardKernel
{
    /// <summary>Where groups have so few filters, the side sums would cost more than they save: the formula itself is summed up.</summary>
    private const int FewFilters = 2;

    /// <summary>Whether a layer's lists hold all its taps, to be summed up as the formula says.</summary>
    public static bool SumsDistances(AdderShape shape) => shape.GroupO <= FewFilters;

    /// <summary>The forward pass over planes with lists that are kept.</summary>
    public static void Run(AdderShape shape, PackedTaps taps, float* x, float* y, in AdderEpilogue epilogue, KernelWorkspace? workspace)
    {
        PackedTaps.Entry entry = taps.Find(shape);
        PlaneForwardJob job = new()
        {
            Shape = new(shape),
            Tiling = new(shape, taps.Width),
            List = entry.List,
            Filters = taps.Filters,
            Y = y,
            Relu = epilogue.Relu,
        };
        job.ReadPlanes(x);
        fixed (float* mean = epilogue.Mean, scale = epilogue.Scale, shift = epilogue.Shift, residual = epilogue.Residual)
        {
            job.Mean = mean;
            job.Scale = scale;
            job.Shift = shift;
            job.Residual = residual;
            Run(shape, taps.Width, ref job, false, workspace);
        }

        GC.KeepAlive(entry);
    }

    /// <summary>The forward pass over channels-last images with filters that change from call to call: the lists are made for the call.</summary>
    /// <param name="shape">Sizes of the layer.</param>
    /// <param name="width">Vectors to compute with.</param>
    /// <param name="x">Input [N, H, W, C].</param>
    /// <param name="filters">Filters [O, C / Groups, KernelH, KernelW].</param>
    /// <param name="min">What the inputs are believed to be at least; those below it cost time.</param>
    /// <param name="y">Output [N, OutH, OutW, O].</param>
    public static void RunChannelsLast(AdderShape shape, VectorWidth width, float* x, float* filters, float min, float* y)
    {
        PlaneForwardJob job = new()
        {
            Shape = new(shape),
            Tiling = new(shape, width),
            List = new() { Min = SumsDistances(shape) ? float.NaN : shape.PaddingH + shape.PaddingW > 0 ? Math.Min(min, 0) : min },
            ChannelsLast = x,
            Filters = filters,
            Y = y,
        };
        Run(shape, width, ref job, true, null);
    }

    private static void Run(AdderShape shape, VectorWidth width, ref PlaneForwardJob job, bool list, KernelWorkspace? workspace)
    {
        job.Distances = SumsDistances(shape);
        job.Divide(workspace?.Threads ?? KernelThreads.Count);
        Carver measure = new(null);
        job.Carve(ref measure, shape, list);
        Carver carver = new(Scratch.ForCall(measure.Size));
        job.Carve(ref carver, shape, list);
        if (list)
        {
            job.List.Build(shape, job.Tiling, job.Filters);
        }

        job.Describe();
        PlaneForwardJob fixedJob = job;
        if (workspace is null)
        {
            WorkerPool.Run(job.Tasks, Body(width), &fixedJob);
        }
        else
        {
            workspace.Run(job.Tasks, Body(width), &fixedJob);
        }
    }

    private static delegate*<void*, int, void> Body(VectorWidth width) => width switch
    {
        VectorWidth.Vector512 => &Task<Simd512, Vector512<float>>,
        VectorWidth.Vector256 => &Task<Simd256, Vector256<float>>,
        VectorWidth.Vector128 => &Task<Simd128, Vector128<float>>,
        _ => &Task<SimdScalar, float>,
    };

    /// <summary>One task: a tile of output pixels, and some or all filters.</summary>
    private static void Task<TOps, TVec>(void* context, int index)
        where TOps : struct, ISimd<TVec>
        where TVec : struct
    {
        var job = (PlaneForwardJob*)context;
        PlaneTilePlace place = job->Place(index / job->Splits);
        int split = index % job->Splits, groupO = job->Shape.GroupO;
        int o = (int)((long)job->Shape.O * split / job->Splits), end = (int)((long)job->Shape.O * (split + 1) / job->Splits);
        Carver carver = new(null);
        _ = new PlaneForwardBuffers(ref carver, *job);
        carver = new(Scratch.ForTask(carver.Size));
        PlaneForwardBuffers buffers = new(ref carver, *job);
        while (o < end)
        {
            int next = Math.Min(end, (o / groupO + 1) * groupO);
            new PlaneForwardTask<TOps, TVec>(job, place, buffers, o, next).Run();
            o = next;
        }
    }
}

/// <summary>What all tasks of a call share.</summary>
internal unsafe struct PlaneForwardJob
{
    public AdderShapeNumbers Shape;
    public PlaneTiling Tiling;
    public TapList List;

    /// <summary>The input where it lies in planes, else null and the channels-last input.</summary>
    public Planes X;
    public float* ChannelsLast;
    public float* Filters, Y, Mean, Scale, Shift, Residual, Ones;

    /// <summary>All taps of one channel: the window of the side sums.</summary>
    public Tap* Window;

    /// <summary>Output rows of a task, and into how many ranges its filters are cut.</summary>
    public int Rows, Splits;

    public bool Relu, Distances;

    public readonly int RowTiles => Kernels.Window.Ceiling(Shape.OutH, Rows);

    public readonly int Tasks => checked(Tiling.ImageTiles * Tiling.ColTiles * RowTiles * Splits);

    /// <summary>Cuts the work into enough tasks for so many threads: by rows first, since tasks with the same pixels copy the same patches.</summary>
    public void Divide(int threads)
    {
        int wanted = threads == 1 ? 1 : 3 * threads, other = Tiling.ImageTiles * Tiling.ColTiles;
        (Rows, Splits) = (Tiling.Rows, 1);
        int least = Kernels.Window.Ceiling(PlaneTiling.MaxVectors * Tiling.Lanes, Tiling.Pitch);
        while (other * RowTiles < wanted && Rows > least)
        {
            Rows = Math.Max(least, Kernels.Window.Ceiling(Rows, 2));
        }

        if (other * RowTiles < wanted && threads > 1)
        {
            Splits = Math.Clamp(Kernels.Window.Ceiling(2 * threads, other * RowTiles), 1, Math.Max(1, Shape.O / 4));
        }
    }

    /// <summary>The input [N, C, H, W].</summary>
    public void ReadPlanes(float* x)
    {
        nint plane = (nint)Shape.H * Shape.W, image = Shape.C * plane;
        X = new Planes((nint)x, image, plane, Shape.W, (nint)x, (nint)(x + Shape.N * image));
    }

    public void Carve(ref Carver carver, AdderShape shape, bool list)
    {
        if (list)
        {
            TapList.Carve(ref carver, ref List, shape, Tiling);
        }

        Ones = carver.Take<float>(16);
        Window = carver.Take<Tap>(Tiling.Taps);
    }

    public readonly void Describe()
    {
        new Span<float>(Ones, 16).Fill(1);
        for (int t = 0; t < Tiling.Taps; t++)
        {
            Window[t] = new Tap(Tiling.Offset(0, t / Tiling.KernelW, t % Tiling.KernelW) * sizeof(float), 0);
        }
    }

    public readonly PlaneTilePlace Place(int tile) => new(Shape, Tiling, Rows, RowTiles, tile);
}

/// <summary>A run of output pixels that lie side by side in a task's lanes and in the output of one filter.</summary>
internal readonly record struct LaneRun(int Lane, int Length, nint Output);

/// <summary>A task's arrays.</summary>
internal readonly unsafe struct PlaneForwardBuffers
{
    public readonly float* Patch, SideSums, SidePatch, WindowSums, Shortfalls, Sums, PlainSums;
    public readonly Tap* AllTaps;
    public readonly LaneRun* Runs;
    public readonly ColumnRun* Columns;
    public readonly byte* Doubts;

    /// <summary>A block's channels of the part of the input that a tile sees, as planes, where the input is channels-last.</summary>
    public readonly float* Gathered;

    public PlaneForwardBuffers(ref Carver carver, in PlaneForwardJob job)
    {
        ref readonly PlaneTiling tiling = ref job.Tiling;
        int lanes = job.Rows * tiling.Pitch, tile = PlaneTiling.MaxVectors * tiling.Lanes, parts = Window.Ceiling(lanes, tile);
        int filters = Math.Min(job.Shape.GroupO, Window.Ceiling(job.Shape.O, job.Splits));
        Patch = carver.Take<float>((long)tiling.BlockChannels * tiling.ChannelLength);
        Sums = carver.Take<float>((tiling.Blocks == 1 ? 1L : parts) * filters * tile);
        Runs = carver.Take<LaneRun>(tile + 1);
        Columns = carver.Take<ColumnRun>(tiling.KernelW);
        long seen = (long)tiling.Images * Math.Min(tiling.SourceRows(job.Rows), job.Shape.H) * Math.Min(tiling.SourceCols, job.Shape.W);
        Gathered = carver.Take<float>(job.ChannelsLast == null ? 0 : tiling.BlockChannels * seen + PlaneTiling.MaxVectors * tiling.Lanes);
        AllTaps = carver.Take<Tap>((long)tiling.BlockChannels * tiling.Taps);
        if (!job.Distances)
        {
            SideSums = carver.Take<float>(seen);
            SidePatch = carver.Take<float>(tiling.ChannelLength);
            WindowSums = carver.Take<float>(lanes);
            Shortfalls = carver.Take<float>(lanes);
            PlainSums = carver.Take<float>(2L * filters * tile);
            Doubts = carver.Take<byte>((long)parts * filters);
        }
    }
}
