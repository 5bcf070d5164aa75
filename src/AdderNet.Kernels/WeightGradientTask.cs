using System.Runtime.CompilerServices;

namespace AdderNet.Kernels;

/// <summary>The tasks of the weight gradient, which run <see cref="WeightGradientTile{TOps, TVec}"/> over a tile's pixels.</summary>
internal static unsafe class WeightGradientTask<TOps, TVec>
    where TOps : struct, ISimd<TVec>
    where TVec : struct
{
    /// <summary>Floats from pixel to pixel from which on they count as far apart.</summary>
    private const int FarApart = 128;

    /// <summary>Floats from pixel to pixel where the gradient is copied together: room for 6.</summary>
    private const int GradientPitch = 8;

    /// <summary>One task: a part of the output pixels, for a range of the output channels.</summary>
    public static void Run(void* context, int index)
    {
        if (((WeightGradientJob*)context)->Sign)
        {
            Sum<SignTimesGradient>((WeightGradientJob*)context, index);
        }
        else
        {
            Sum<InputTimesGradient>((WeightGradientJob*)context, index);
        }
    }

    private static void Sum<TKind>(WeightGradientJob* job, int index)
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

            AddGradients(job->GradY, buffers.GradOffsets, at.Pixels, gradSums, from, to);
            if (job->Depthwise)
            {
                Depthwise<TKind>(job, source, buffers, at.Pixels, sums);
                continue;
            }

            Blocks<TKind>(job, source, buffers, at.Pixels, sums, from, to);
        }
    }

    /// <summary>
    /// Adds a tile to the sums of a range of output channels. Many channels lie far apart for neighbouring pixels, and such
    /// strides leave most of the first-level cache unused: what the inner loop reads is then copied together first.
    /// </summary>
    private static void Blocks<TKind>(WeightGradientJob* job, float* source, in Buffers buffers, int pixels, float* sums, int from, int to)
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
                        CopyTogether(x, offsets, pixels, two, buffers.X);
                        at = buffers.X;
                        offsets = buffers.XOffsets;
                    }

                    for (int o = first; o < end;)
                    {
                        int outputs = BlockOutputs(job, o, to);
                        nint place = (nint)o * job->Stride + (nint)run * job->Run + k;
                        Block<TKind>(
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
    private static int BlockOutputs(WeightGradientJob* job, int o, int to)
    {
        int outputs = Math.Min(6, Math.Min(to, (o / job->GroupO + 1) * job->GroupO) - o);
        return outputs > 1 ? outputs & ~1 : 1;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void CopyTogether(float* from, nint* offsets, int pixels, bool two, float* to)
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

    private static void Block<TKind>(
        int outputs, bool two, float* x, nint* offsets, float* g, nint* gradOffsets, int pixels, float* sums, float* filters, nint stride)
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

    private static void Depthwise<TKind>(WeightGradientJob* job, float* source, in Buffers buffers, int pixels, float* sums)
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
    private static void AddGradients(float* gradY, nint* offsets, int pixels, float* sums, int from, int to)
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

    /// <summary>A task's arrays.</summary>
    private readonly struct Buffers
    {
        public readonly float* Patch, GradPatch;
        public readonly nint* Offsets, GradOffsets, PatchOffsets;

        /// <summary>What is copied together of the input and of the gradient; null where they are read in place.</summary>
        public readonly float* X, G;
        public readonly nint* XOffsets;

        public Buffers(ref Carver carver, WeightGradientJob* job, int outputs, int lanes)
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
