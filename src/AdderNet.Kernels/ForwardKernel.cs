using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace AdderNet.Kernels;

/// <summary>The forward pass: packs filters, cuts the output into tasks, and runs <see cref="ForwardTile{TOps, TVec}"/> over each.</summary>
internal static unsafe class ForwardKernel
{
    /// <summary>Tiles of destination pixels hold about so many: enough to reuse filters, few enough for the sums to stay in cache.</summary>
    private const int TilePixels = 192;

    /// <summary>Pixel offsets and sums are padded by so many, so that a register tile may be partly empty.</summary>
    private const int Slack = 8;

    private struct Job
    {
        public Window Window;
        public FilterLayout Layout;
        public float* X, Y, Filters, Mean, Scale, Shift, Residual;
        public Segment* Segments;
        public Chunk* Chunks;
        public float* Ones;
        public int ChunkCount, Splits, O;
        public bool Relu;

        public readonly bool NoEpilogue => Mean == null && Scale == null && Shift == null && Residual == null && !Relu;
    }

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
        Job job = new()
        {
            Window = new Window(shape.N, shape.C, shape.Groups, vertical, horizontal, TilePixels, threads == 1 ? 1 : 4 * threads, layout.Depthwise),
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
        job.Splits = threads == 1 ? 1 : Math.Min(layout.Panels, Window.Ceiling(4 * threads, tiles));
        fixed (float* residual = epilogue.Residual)
        {
            job.Residual = residual;
            WorkerPool.Run(checked(tiles * job.Splits), Body(layout.Width), &job);
        }
    }

    private static float* Carve(ref Carver carver, ref Job job, bool pack, in AdderEpilogue epilogue)
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
        VectorWidth.Vector512 => &Tile<Simd512, Vector512<float>>,
        VectorWidth.Vector256 => &Tile<Simd256, Vector256<float>>,
        VectorWidth.Vector128 => &Tile<Simd128, Vector128<float>>,
        _ => &Tile<SimdScalar, float>,
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

    /// <summary>One task: a tile of output pixels, and some or all panels of output channels.</summary>
    private static void Tile<TOps, TVec>(void* context, int index)
        where TOps : struct, ISimd<TVec>
        where TVec : struct
    {
        Job* job = (Job*)context;
        ref readonly Window window = ref job->Window;
        ref readonly FilterLayout layout = ref job->Layout;
        Tile tile = window.Locate(index / job->Splits);
        int pixels = tile.Pixels, maxPixels = window.MaxPixels + Slack;

        Carver carver = new(null);
        Buffers buffers = new(ref carver, window, TOps.Lanes);
        carver = new(Scratch.ForTask(carver.Size));
        buffers = new(ref carver, window, TOps.Lanes);

        float* source = window.Gather(tile, job->X, buffers.Patch, buffers.Offsets, buffers.Places, out int patchRows);
        for (int i = 0; i < Slack; i++)
        {
            buffers.Offsets[pixels + i] = buffers.Offsets[pixels - 1];
        }

        int split = index % job->Splits, group = -1;
        int panel = (int)((long)layout.Panels * split / job->Splits), end = (int)((long)layout.Panels * (split + 1) / job->Splits);
        for (; panel < end; panel++)
        {
            float* at = source;
            if (layout.Depthwise)
            {
                at += layout.Output(panel);
                DepthwiseSums<TOps, TVec>(job, panel, at, buffers.Offsets, buffers.Sums, pixels);
                Finish<TOps, TVec>(job, panel, tile, null, null, buffers.Sums);
                continue;
            }

            at += panel / layout.GroupPanels * window.GroupChannels;
            if (group != panel / layout.GroupPanels)
            {
                group = panel / layout.GroupPanels;
                WindowSums<TOps, TVec>.Compute(window, at, buffers.Offsets, buffers.Places, pixels, patchRows, buffers.ChannelSums, buffers.WindowSums);
            }

            Sums<TOps, TVec, FastForm>(job, panel, at, buffers.Offsets, buffers.Sums, pixels);
            bool whole = job->NoEpilogue && layout.PanelOutputs(panel) == layout.PanelVectors(panel) * TOps.Lanes;
            if (!(whole
                ? FinishWhole<TOps, TVec>(job, panel, tile, buffers.WindowSums, buffers.Sums)
                : Finish<TOps, TVec>(job, panel, tile, buffers.WindowSums, buffers.Sums, null)))
            {
                // NaN, infinity or overflow: the identity behind FastForm does not hold there, so take |x - f| itself.
                Sums<TOps, TVec, PlainForm>(job, panel, at, buffers.Offsets, buffers.AbsoluteSums, pixels);
                Finish<TOps, TVec>(job, panel, tile, buffers.WindowSums, buffers.Sums, buffers.AbsoluteSums);
            }
        }
    }

    /// <summary>A panel's sums for all pixels of the tile, chunk by chunk, so that a chunk's filters are read from the first-level cache.</summary>
    private static void Sums<TOps, TVec, TForm>(Job* job, int panel, float* source, nint* offsets, float* sums, int pixels)
        where TOps : struct, ISimd<TVec>
        where TVec : struct
        where TForm : struct, IForm
    {
        int vectors = job->Layout.PanelVectors(panel), lanes = vectors * TOps.Lanes;
        float* filters = job->Filters + (nint)job->Layout.PaddedOutput(panel) * job->Layout.Elements;
        for (int i = 0; i < job->ChunkCount; i++)
        {
            Chunk chunk = job->Chunks[i];
            Segment* from = job->Segments + chunk.Segment, to = from + chunk.Segments;
            float* f = filters + from->Filter * lanes;
            for (int p = 0; p < pixels;)
            {
                int left = pixels - p;
                if (vectors == 2)
                {
                    if (left > 2)
                    {
                        ForwardTile<TOps, TVec>.Run<Tile5x2, TForm>(f, from, to, source, offsets + p, sums + p * lanes, i == 0, job->Ones);
                        p += 5;
                    }
                    else
                    {
                        ForwardTile<TOps, TVec>.Run<Tile2x2, TForm>(f, from, to, source, offsets + p, sums + p * lanes, i == 0, job->Ones);
                        p += 2;
                    }
                }
                else if (left > 4)
                {
                    ForwardTile<TOps, TVec>.Run<Tile8x1, TForm>(f, from, to, source, offsets + p, sums + p * lanes, i == 0, job->Ones);
                    p += 8;
                }
                else
                {
                    ForwardTile<TOps, TVec>.Run<Tile4x1, TForm>(f, from, to, source, offsets + p, sums + p * lanes, i == 0, job->Ones);
                    p += 4;
                }
            }
        }
    }

    /// <summary>A panel's sums where each output channel sees one input channel: vectors run over channels of both.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void DepthwiseSums<TOps, TVec>(Job* job, int panel, float* source, nint* offsets, float* sums, int pixels)
        where TOps : struct, ISimd<TVec>
        where TVec : struct
    {
        int lanes = job->Layout.PanelVectors(panel) * TOps.Lanes, taps = job->Layout.Elements;
        float* filters = job->Filters + (nint)job->Layout.PaddedOutput(panel) * taps;
        for (int p = 0; p < pixels; p += 4)
        {
            float* p0 = source + offsets[p], p1 = source + offsets[p + 1], p2 = source + offsets[p + 2], p3 = source + offsets[p + 3];
            for (int c = 0; c < lanes; c += TOps.Lanes)
            {
                TVec a0 = TOps.Create(0), a1 = a0, a2 = a0, a3 = a0;
                float* f = filters + c;
                for (int t = 0; t < taps; t++, f += lanes)
                {
                    nint k = job->Segments[t].Source + c;
                    TVec w = TOps.Load(f);
                    a0 = TOps.Add(a0, TOps.Abs(TOps.Sub(TOps.Load(p0 + k), w)));
                    a1 = TOps.Add(a1, TOps.Abs(TOps.Sub(TOps.Load(p1 + k), w)));
                    a2 = TOps.Add(a2, TOps.Abs(TOps.Sub(TOps.Load(p2 + k), w)));
                    a3 = TOps.Add(a3, TOps.Abs(TOps.Sub(TOps.Load(p3 + k), w)));
                }

                float* to = sums + p * lanes + c;
                TOps.Store(to, a0);
                TOps.Store(to + lanes, a1);
                TOps.Store(to + 2 * lanes, a2);
                TOps.Store(to + 3 * lanes, a3);
            }
        }
    }

    /// <summary>Turns a panel's sums into outputs where there is no epilogue; false where one is not finite.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static bool FinishWhole<TOps, TVec>(Job* job, int panel, Tile tile, float* windowSums, float* maximum)
        where TOps : struct, ISimd<TVec>
        where TVec : struct
    {
        int vectors = job->Layout.PanelVectors(panel), stride = job->O;
        float* filterSums = job->Filters + job->Layout.SumsStart + job->Layout.PaddedOutput(panel);
        TVec zero = TOps.Create(0), minusTwo = TOps.Create(-2), check = zero, secondCheck = zero;
        TVec f = TOps.Load(filterSums), g = vectors == 2 ? TOps.Load(filterSums + TOps.Lanes) : zero;
        for (int row = 0; row < tile.Rows; row++)
        {
            float* to = job->Y + ((nint)(tile.Row + row) * job->Window.X.Count + tile.Col) * stride + job->Layout.Output(panel);
            for (int col = 0; col < tile.Cols; col++, to += stride)
            {
                TVec sum = TOps.Create(*windowSums++), y = TOps.MulAdd(TOps.Load(maximum), minusTwo, TOps.Add(sum, f));
                TOps.Store(to, y);
                check = TOps.MulAdd(y, zero, check);
                maximum += TOps.Lanes;
                if (vectors == 2)
                {
                    y = TOps.MulAdd(TOps.Load(maximum), minusTwo, TOps.Add(sum, g));
                    TOps.Store(to + TOps.Lanes, y);
                    secondCheck = TOps.MulAdd(y, zero, secondCheck);
                    maximum += TOps.Lanes;
                }
            }
        }

        return TOps.AllZero(TOps.Add(check, secondCheck));
    }

    /// <summary>
    /// Turns a panel's sums into outputs. Returns false where one is not finite and <paramref name="absolute"/> is not
    /// there to take its place.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static bool Finish<TOps, TVec>(Job* job, int panel, Tile tile, float* windowSums, float* maximum, float* absolute)
        where TOps : struct, ISimd<TVec>
        where TVec : struct
    {
        ref readonly FilterLayout layout = ref job->Layout;
        int lanes = layout.PanelVectors(panel) * TOps.Lanes, outputs = layout.PanelOutputs(panel);
        int first = layout.Output(panel), padded = layout.PaddedOutput(panel);
        float* filterSums = job->Filters + layout.SumsStart + padded;
        float* part = stackalloc float[16];
        TVec zero = TOps.Create(0), minusTwo = TOps.Create(-2), largest = TOps.Create(float.MaxValue), check = zero;
        int p = 0;
        for (int row = 0; row < tile.Rows; row++)
        {
            nint at = ((nint)(tile.Row + row) * job->Window.X.Count + tile.Col) * job->O + first;
            for (int col = 0; col < tile.Cols; col++, at += job->O, p++)
            {
                for (int o = 0; o < outputs; o += TOps.Lanes)
                {
                    TVec y;
                    if (maximum == null)
                    {
                        y = TOps.Sub(zero, TOps.Load(absolute + p * lanes + o));
                    }
                    else
                    {
                        y = TOps.Add(TOps.Create(windowSums[p]), TOps.Load(filterSums + o));
                        y = TOps.MulAdd(TOps.Load(maximum + p * lanes + o), minusTwo, y);
                        if (absolute != null)
                        {
                            TVec plain = TOps.Sub(zero, TOps.Load(absolute + p * lanes + o));
                            y = TOps.SelectLess(largest, TOps.Abs(y), plain, TOps.SelectEqual(y, y, y, plain));
                        }
                        else
                        {
                            check = TOps.MulAdd(y, zero, check);
                        }
                    }

                    if (job->Mean != null)
                    {
                        y = TOps.Sub(y, TOps.Load(job->Mean + padded + o));
                    }

                    if (job->Scale != null)
                    {
                        y = TOps.Mul(y, TOps.Load(job->Scale + padded + o));
                    }

                    if (job->Shift != null)
                    {
                        y = TOps.Add(y, TOps.Load(job->Shift + padded + o));
                    }

                    bool whole = outputs - o >= TOps.Lanes;
                    if (job->Residual != null)
                    {
                        float* from = job->Residual + at + o;
                        if (!whole)
                        {
                            for (int i = 0; i < outputs - o; i++)
                            {
                                part[i] = from[i];
                            }

                            from = part;
                        }

                        y = TOps.Add(y, TOps.Load(from));
                    }

                    if (job->Relu)
                    {
                        y = TOps.SelectLess(y, zero, zero, y);
                    }

                    if (whole)
                    {
                        TOps.Store(job->Y + at + o, y);
                    }
                    else
                    {
                        TOps.Store(part, y);
                        for (int i = 0; i < outputs - o; i++)
                        {
                            job->Y[at + o + i] = part[i];
                        }
                    }
                }
            }
        }

        return TOps.AllZero(check);
    }

    /// <summary>A task's arrays.</summary>
    private readonly struct Buffers
    {
        public readonly float* Patch, ChannelSums, WindowSums, Sums, AbsoluteSums;
        public readonly nint* Offsets;
        public readonly int* Places;

        public Buffers(ref Carver carver, in Window window, int lanes)
        {
            int pixels = window.MaxPixels + Slack;
            Offsets = carver.Take<nint>(pixels);
            Places = carver.Take<int>(pixels);
            WindowSums = carver.Take<float>(pixels);
            Sums = carver.Take<float>(pixels * 2 * lanes);
            AbsoluteSums = carver.Take<float>(pixels * 2 * lanes);
            ChannelSums = carver.Take<float>(WindowSums<Simd128, Vector128<float>>.ScratchLength(window));
            Patch = carver.Take<float>(window.PatchLength);
        }
    }
}
