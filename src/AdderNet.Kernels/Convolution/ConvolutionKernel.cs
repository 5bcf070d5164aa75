using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace AdderNet.Kernels;

/// <summary>
/// Ordinary convolutions over planes [N, C, H, W], for the layers of an AdderNet that stay convolutions (the first and the last) and for the
/// CNNs that it is compared with.
/// </summary>
public static class ConvolutionKernel
{
    /// <summary>Y = sum X * W over each window; padding takes part as X = 0.</summary>
    /// <param name="shape">Sizes of the layer.</param>
    /// <param name="x">Input [N, C, H, W].</param>
    /// <param name="weights">The layer's weights, packed.</param>
    /// <param name="y">Output [N, O, OutH, OutW]; overwritten.</param>
    /// <param name="epilogue">What is done with each output element before it is written; its residual is [N, O, OutH, OutW].</param>
    /// <param name="workspace">Threads and memory; null for the process's.</param>
    /// <exception cref="ArgumentException">A span's length is not what the shape says, or the weights are another layer's.</exception>
    public static unsafe void Forward(
        AdderShape shape, ReadOnlySpan<float> x, PackedConvolution weights, Span<float> y, AdderEpilogue epilogue = default,
        KernelWorkspace? workspace = null)
    {
        ArgumentNullException.ThrowIfNull(shape);
        ArgumentNullException.ThrowIfNull(weights);
        shape.Validate();
        AdderKernel.Length(x.Length, shape.XLength, nameof(x));
        AdderKernel.Length(y.Length, shape.YLength, nameof(y));
        AdderKernel.Check(shape, epilogue);
        if ((weights.Groups, weights.GroupO, weights.Taps) != (shape.Groups, shape.GroupO, shape.FilterLength))
        {
            throw new ArgumentException("The weights were packed for another layer; pack them for this one.", nameof(weights));
        }

        fixed (float* px = x, py = y, mean = epilogue.Mean, scale = epilogue.Scale, shift = epilogue.Shift, residual = epilogue.Residual)
        {
            ConvolutionCall call = new(shape, weights, workspace?.Threads ?? KernelThreads.Count)
            {
                X = px,
                Y = py,
                Mean = mean,
                Scale = scale,
                Shift = shift,
                Residual = residual,
                Relu = epilogue.Relu,
            };
            delegate*<void*, int, void> task = VectorWidths.For(shape.OutW) switch
            {
                VectorWidth.Vector512 => &ConvolutionTask<Simd512, System.Runtime.Intrinsics.Vector512<float>>.Run,
                VectorWidth.Vector256 => &ConvolutionTask<Simd256, System.Runtime.Intrinsics.Vector256<float>>.Run,
                VectorWidth.Vector128 => &ConvolutionTask<Simd128, System.Runtime.Intrinsics.Vector128<float>>.Run,
                _ => &ConvolutionTask<SimdScalar, float>.Run,
            };
            if (workspace is null)
            {
                WorkerPool.Run(call.Tasks, task, &call);
                return;
            }

            workspace.Enter();
            try
            {
                workspace.Run(call.Tasks, task, &call);
            }
            finally
            {
                workspace.Leave();
            }
        }
    }
}

/// <summary>One call: its pointers, and how it is cut into tasks of an image's rows and a part of the output channels.</summary>
internal unsafe struct ConvolutionCall
{
    /// <summary>What a task's copy of its input rows may take: it should stay in the second cache.</summary>
    private const int PatchFloats = 48 * 1024;

    public readonly int C, H, W, O, OutH, OutW, GroupC, KernelH, KernelW, StrideH, StrideW, PaddingH, PaddingW, DilationH, DilationW;
    public readonly int Blocks, Taps, GroupO, RowsPerTask, RowTiles, Splits, Tasks, Phases, Pitch;
    public readonly float* Weights;
    public float* X, Y, Mean, Scale, Shift, Residual;
    public bool Relu;

    public ConvolutionCall(AdderShape s, PackedConvolution packed, int threads)
    {
        (C, H, W, O, OutH, OutW, GroupC, GroupO) = (s.C, s.H, s.W, s.O, s.OutH, s.OutW, s.GroupC, s.GroupO);
        (KernelH, KernelW, StrideH, StrideW) = (s.KernelH, s.KernelW, s.StrideH, s.StrideW);
        (PaddingH, PaddingW, DilationH, DilationW) = (s.PaddingH, s.PaddingW, s.DilationH, s.DilationW);
        (Blocks, Taps) = (packed.Blocks, packed.Taps);
        Weights = (float*)Marshal.UnsafeAddrOfPinnedArrayElement(packed.Weights, 0);
        // A row's columns that meet one filter column lie side by side: those of the same remainder are a phase of their own.
        Phases = Math.Min(StrideW, KernelW);
        const int mostLanes = 16;
        Pitch = (OutW - 1) / mostLanes * mostLanes + mostLanes + (KernelW - 1) * DilationW / StrideW;
        RowsPerTask = OutH;
        while (RowsPerTask > 1 && (long)PatchRows(RowsPerTask) * Phases * Pitch * GroupC > PatchFloats)
        {
            RowsPerTask = (RowsPerTask + 1) / 2;
        }

        RowTiles = (OutH - 1) / RowsPerTask + 1;
        // The channels are cut only where there is nothing else: each part copies the input anew.
        int tiles = s.N * RowTiles * s.Groups;
        Splits = threads == 1 ? 1 : Math.Clamp((2 * threads - 1) / tiles + 1, 1, Blocks);
        Tasks = checked(tiles * Splits);
    }

    /// <summary>Input rows that so many output rows see.</summary>
    public readonly int PatchRows(int rows) => (rows - 1) * StrideH + (KernelH - 1) * DilationH + 1;
}

/// <summary>A task in vectors of pixels: an output channel's weight is broadcast to them.</summary>
internal static unsafe class ConvolutionTask<TOps, TVec>
    where TOps : struct, ISimd<TVec>
    where TVec : struct
{
    private const int Block = PackedConvolution.Block;

    public static void Run(void* context, int index)
    {
        ref readonly ConvolutionCall call = ref *(ConvolutionCall*)context;
        int split = index % call.Splits, tile = index / call.Splits % call.RowTiles;
        int group = index / call.Splits / call.RowTiles % (call.C / call.GroupC), image = index / call.Splits / call.RowTiles / (call.C / call.GroupC);
        int row = tile * call.RowsPerTask, rows = Math.Min(call.RowsPerTask, call.OutH - row), patchRows = call.PatchRows(rows);
        long patchLength = (long)call.GroupC * patchRows * call.Phases * call.Pitch;
        Carver carver = new(Scratch.ForTask((nint)(patchLength + 32) * sizeof(float) + (nint)call.Taps * sizeof(int) + 256));
        float* patch = carver.Take<float>(patchLength + 32);
        int* offsets = carver.Take<int>(call.Taps);
        int rowLength = call.Phases * call.Pitch, channelLength = patchRows * rowLength;
        float* x = call.X + ((nint)image * call.C + group * call.GroupC) * call.H * call.W;
        for (int c = 0; c < call.GroupC; c++)
        {
            for (int r = 0; r < patchRows; r++)
            {
                CopyRow(call, x + (nint)c * call.H * call.W, row * call.StrideH - call.PaddingH + r, patch + (nint)c * channelLength + (nint)r * rowLength);
            }

            for (int t = 0, i = 0; i < call.KernelH; i++)
            {
                for (int j = 0; j < call.KernelW; j++, t++)
                {
                    int column = j * call.DilationW;
                    offsets[c * call.KernelH * call.KernelW + t] =
                        c * channelLength + i * call.DilationH * rowLength + Phase(call, column) * call.Pitch + column / call.StrideW;
                }
            }
        }

        int first = call.Blocks * split / call.Splits, end = call.Blocks * (split + 1) / call.Splits;
        for (int block = first; block < end; block++)
        {
            Compute(call, image, group, block, row, rows, patch, rowLength, offsets);
        }
    }

    /// <summary>Which of a row's phases holds the columns that a filter column meets.</summary>
    private static int Phase(in ConvolutionCall call, int column) =>
        call.Phases == call.StrideW ? column % call.StrideW : column / call.DilationW;

    private static void CopyRow(in ConvolutionCall call, float* plane, int row, float* to)
    {
        new Span<float>(to, call.Phases * call.Pitch).Clear();
        if ((uint)row >= (uint)call.H)
        {
            return;
        }

        float* from = plane + (nint)row * call.W;
        if (call.StrideW == 1)
        {
            // One phase, with the padding on the left; the patch may end before the input does.
            int inside = Math.Min(call.W, call.Pitch - call.PaddingW);
            if (inside > 0)
            {
                new ReadOnlySpan<float>(from, inside).CopyTo(new Span<float>(to + call.PaddingW, inside));
            }

            return;
        }

        for (int phase = 0; phase < call.Phases; phase++, to += call.Pitch)
        {
            // Where phases are fewer than columns in a stride, each is a filter column's own.
            int start = (call.Phases == call.StrideW ? phase : phase * call.DilationW % call.StrideW) - call.PaddingW;
            int before = start < 0 ? (-start + call.StrideW - 1) / call.StrideW : 0;
            for (int k = before; k < call.Pitch; k++)
            {
                int column = start + k * call.StrideW;
                if (column >= call.W)
                {
                    break;
                }

                to[k] = from[column];
            }
        }
    }

    private static void Compute(
        in ConvolutionCall call, int image, int group, int block, int row, int rows, float* patch, int rowLength, int* offsets)
    {
        float* w = call.Weights + ((nint)group * call.Blocks + block) * call.Taps * Block;
        int o = group * call.GroupO + block * Block, outputs = Math.Min(Block, call.GroupO - block * Block), plane = call.OutH * call.OutW;
        int across = (call.OutW - 1) / TOps.Lanes + 1, all = rows * across;
        nint y = ((nint)image * call.O + o) * plane;
        float* sums = stackalloc float[2 * Block * 16];
        for (int v = 0; v < all; v += 2)
        {
            // Two vectors of a row, or of one and the next; an odd last one is computed twice.
            int u = Math.Min(v + 1, all - 1);
            int y0 = v / across, x0 = v % across * TOps.Lanes, y1 = u / across, x1 = u % across * TOps.Lanes;
            Sum(
                patch + (nint)y0 * call.StrideH * rowLength + x0, patch + (nint)y1 * call.StrideH * rowLength + x1, w, offsets, call.Taps, sums);
            for (int i = 0; i < outputs; i++)
            {
                Finish(call, o + i, sums + 2 * i * TOps.Lanes, y + (nint)i * plane + (nint)(row + y0) * call.OutW + x0, call.OutW - x0);
                if (u > v)
                {
                    Finish(call, o + i, sums + (2 * i + 1) * TOps.Lanes, y + (nint)i * plane + (nint)(row + y1) * call.OutW + x1, call.OutW - x1);
                }
            }
        }
    }

    /// <summary>
    /// The sums of two vectors of pixels for the four output channels of a block. A method of its own, and its sums go through memory: beside
    /// the calls that follow, the JIT would keep them on the stack.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void Sum(float* p, float* q, float* w, int* offsets, int taps, float* sums)
    {
        TVec a0 = TOps.Create(0), a1 = a0, a2 = a0, a3 = a0, b0 = a0, b1 = a0, b2 = a0, b3 = a0;
        for (int* end = offsets + taps; offsets < end; offsets++, w += Block)
        {
            TVec a = TOps.Load(p + *offsets), b = TOps.Load(q + *offsets);
            TVec f = TOps.Create(w[0]);
            a0 = TOps.MulAdd(f, a, a0);
            b0 = TOps.MulAdd(f, b, b0);
            f = TOps.Create(w[1]);
            a1 = TOps.MulAdd(f, a, a1);
            b1 = TOps.MulAdd(f, b, b1);
            f = TOps.Create(w[2]);
            a2 = TOps.MulAdd(f, a, a2);
            b2 = TOps.MulAdd(f, b, b2);
            f = TOps.Create(w[3]);
            a3 = TOps.MulAdd(f, a, a3);
            b3 = TOps.MulAdd(f, b, b3);
        }

        TOps.Store(sums, a0);
        TOps.Store(sums + TOps.Lanes, b0);
        TOps.Store(sums + 2 * TOps.Lanes, a1);
        TOps.Store(sums + 3 * TOps.Lanes, b1);
        TOps.Store(sums + 4 * TOps.Lanes, a2);
        TOps.Store(sums + 5 * TOps.Lanes, b2);
        TOps.Store(sums + 6 * TOps.Lanes, a3);
        TOps.Store(sums + 7 * TOps.Lanes, b3);
    }

    /// <summary>Writes a vector of sums, or its first <paramref name="count"/> elements, after what the epilogue does with them.</summary>
    private static void Finish(in ConvolutionCall call, int o, float* sums, nint to, int count)
    {
        TVec y = TOps.Load(sums);
        y = call.Mean == null ? y : TOps.Sub(y, TOps.Create(call.Mean[o]));
        y = call.Scale == null ? y : TOps.Mul(y, TOps.Create(call.Scale[o]));
        y = call.Shift == null ? y : TOps.Add(y, TOps.Create(call.Shift[o]));
        if (count >= TOps.Lanes)
        {
            y = call.Residual == null ? y : TOps.Add(y, TOps.Load(call.Residual + to));
            // The maximum's second operand is what NaN gives on x86; a NaN must stay one.
            TOps.Store(call.Y + to, call.Relu ? TOps.Max(TOps.Create(0), y) : y);
            return;
        }

        TOps.Store(sums, y);
        for (int i = 0; i < count; i++)
        {
            float value = sums[i] + (call.Residual == null ? 0 : call.Residual[to + i]);
            call.Y[to + i] = call.Relu && value < 0 ? 0 : value;
        }
    }
}
