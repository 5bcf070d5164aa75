using System.Runtime.InteropServices;

namespace AdderNet.Kernels.Bytes;

/// <summary>How many weights of a layer cost what.</summary>
/// <param name="Skipped">Codes 0: min(x, 0) = 0, no work.</param>
/// <param name="Plain">The top code: min(x, top) = x, a plain sum.</param>
/// <param name="Compared">The others: one minimum each.</param>
public readonly record struct TapCounts(int Skipped, int Plain, int Compared)
{
    /// <summary>The share of weights that need work, 0 to 1.</summary>
    public double Left => (Plain + Compared) / (double)(Skipped + Plain + Compared);
}

/// <summary>
/// An adder layer on unsigned bytes of 4 to 8 bits, packed for inference: Y = -sum |x - w| over each window, in whole steps of the grid that
/// inputs and weights share, bit for bit what a plain loop over integers gives.
/// </summary>
/// <remarks>
/// Codes are 0 to 2^bits - 1, and padding is code 0. Inputs must not exceed 2^bits - 1: above it, results are wrong (and memory safe). It is
/// made for one image size; the batch may differ from call to call. Many threads may use it at once.
/// </remarks>
public sealed class ByteLayer
{
    private readonly AdderShape shape;
    private readonly byte[] codes;
    private readonly int[] codeSums;
    private readonly ByteChannel[] channels;
    private readonly Lock making = new();
    private ByteProgram[] programs = [];

    /// <summary>Packs the filters of a layer.</summary>
    /// <param name="shape">Sizes of the layer; N is not used.</param>
    /// <param name="filters">The filters' codes [O, C / Groups, KernelH, KernelW]; not kept.</param>
    /// <param name="bits">Bits of a code, 4 to 8.</param>
    /// <param name="requantization">How sums become codes; null where they never do.</param>
    /// <exception cref="ArgumentException">The shape is not valid, a length is not what it says, or a code is beyond the bits.</exception>
    public ByteLayer(AdderShape shape, ReadOnlySpan<byte> filters, int bits, Requantization? requantization = null)
    {
        ArgumentNullException.ThrowIfNull(shape);
        (shape with { N = 1 }).Validate();
        if (bits is < 4 or > 8)
        {
            throw new ArgumentException($"A layer's codes have 4 to 8 bits, not {bits}.", nameof(bits));
        }

        AdderKernel.Length(filters.Length, shape.FiltersLength, nameof(filters));
        (this.shape, Bits, Requantization, codes) = (shape with { N = 1 }, bits, requantization, filters.ToArray());
        int top = (1 << bits) - 1, skipped = codes.AsSpan().Count((byte)0), plain = codes.AsSpan().Count((byte)top);
        if (codes.AsSpan().IndexOfAnyExceptInRange((byte)0, (byte)top) is >= 0 and int beyond)
        {
            throw new ArgumentException($"Filter code {beyond} is {codes[beyond]}, but {bits} bits hold 0 to {top}.", nameof(filters));
        }

        if ((long)shape.FilterLength * top > int.MaxValue / 4)
        {
            throw new ArgumentException($"Filters of {shape.FilterLength} elements are too long for 32-bit sums of {bits} bits.", nameof(shape));
        }

        Taps = new TapCounts(skipped, plain, codes.Length - skipped - plain);
        codeSums = GC.AllocateArray<int>(shape.O, pinned: true);
        for (int k = 0; k < codes.Length; k++)
        {
            codeSums[k / shape.FilterLength] += codes[k];
        }

        channels = [];
        if (requantization is not null)
        {
            if (requantization.Channels != shape.O)
            {
                throw new ArgumentException($"The requantization has {requantization.Channels} channels, but the layer {shape.O}.", nameof(requantization));
            }

            channels = GC.AllocateArray<ByteChannel>(shape.O, pinned: true);
            for (int o = 0; o < shape.O; o++)
            {
                channels[o] = new ByteChannel(requantization, o, -(long)top * shape.FilterLength, codeSums[o]);
            }
        }
    }

    /// <summary>Sizes of the layer, for one image.</summary>
    public AdderShape Shape => shape;

    /// <summary>Bits of inputs and weights.</summary>
    public int Bits { get; }

    /// <summary>How sums become codes; null where they do not.</summary>
    public Requantization? Requantization { get; }

    /// <summary>How many weights are skipped, added plainly and compared.</summary>
    public TapCounts Taps { get; }

    /// <summary>The layer with its requantization: codes on the next layer's grid.</summary>
    /// <param name="x">Input [N, C, H, W], the border at least the padding and 0.</param>
    /// <param name="y">Output [N, O, OutH, OutW]; overwritten, its border left as it is.</param>
    /// <param name="workspace">Threads and memory of the call; null for those that all calls share.</param>
    /// <exception cref="ArgumentException">Planes are not of the layer's sizes, or a residual is needed.</exception>
    /// <exception cref="InvalidOperationException">The layer has no requantization.</exception>
    public void Forward(BytePlanes x, BytePlanes y, KernelWorkspace? workspace = null) => Forward(x, y, default, workspace, null);

    /// <summary>The layer with its requantization and a residual: codes on the next layer's grid.</summary>
    /// <param name="x">Input [N, C, H, W], the border at least the padding and 0.</param>
    /// <param name="y">Output [N, O, OutH, OutW]; overwritten, its border left as it is. May be the residual's memory.</param>
    /// <param name="residual">What is added before the clamp [N, O, OutH, OutW].</param>
    /// <param name="workspace">Threads and memory of the call; null for those that all calls share.</param>
    /// <exception cref="ArgumentException">Planes are not of the layer's sizes, or the requantization has no residual multiplier.</exception>
    /// <exception cref="InvalidOperationException">The layer has no requantization.</exception>
    public void Forward(BytePlanes x, BytePlanes y, BytePlanes residual, KernelWorkspace? workspace = null) =>
        Forward(x, y, residual, workspace, null);

    /// <summary>The layer's sums Y = -sum |x - w|.</summary>
    /// <param name="x">Input [N, C, H, W], the border at least the padding and 0.</param>
    /// <param name="y">Output [N, O, OutH, OutW]; overwritten.</param>
    /// <param name="workspace">Threads and memory of the call; null for those that all calls share.</param>
    /// <exception cref="ArgumentException">The planes or the span are not of the layer's sizes.</exception>
    public void Forward(BytePlanes x, Span<int> y, KernelWorkspace? workspace = null) => Forward(x, y, workspace, null);

    /// <summary>The layer's sums on a scale: Y * scale[o] + shift[o] in float32.</summary>
    /// <param name="x">Input [N, C, H, W], the border at least the padding and 0.</param>
    /// <param name="y">Output [N, O, OutH, OutW]; overwritten.</param>
    /// <param name="scale">Factor for each output channel [O].</param>
    /// <param name="shift">Summand for each output channel [O].</param>
    /// <param name="workspace">Threads and memory of the call; null for those that all calls share.</param>
    /// <exception cref="ArgumentException">The planes or a span are not of the layer's sizes.</exception>
    public void Forward(
        BytePlanes x, Span<float> y, ReadOnlySpan<float> scale, ReadOnlySpan<float> shift, KernelWorkspace? workspace = null) =>
        Forward(x, y, scale, shift, workspace, null);

    internal unsafe void Forward(BytePlanes x, BytePlanes y, BytePlanes residual, KernelWorkspace? workspace, ByteChoice? choice)
    {
        if (Requantization is null)
        {
            throw new InvalidOperationException("The layer was made without a requantization, so it has no codes to write; give it one, or ask for its sums.");
        }

        CheckInput(x);
        CheckOutput(y, x.Images, "The output");
        if (Requantization.HasResidual != residual.Images > 0)
        {
            throw new ArgumentException(Requantization.HasResidual
                ? "The requantization adds a residual, but none was given."
                : "A residual was given, but the requantization has no multipliers for it.");
        }

        if (residual.Images > 0)
        {
            CheckOutput(residual, x.Images, "The residual");
        }

        fixed (byte* px = x.Memory, py = y.Memory, pr = residual.Memory)
        fixed (ByteChannel* channel = channels)
        {
            ByteJob job = new()
            {
                Output = ByteOutput.Codes,
                X = px,
                XLayout = x.Layout,
                Y = py,
                YLayout = y.Layout,
                Residual = pr,
                ResidualLayout = residual.Layout,
                Requantized = channel,
                Top = Requantization.Top,
            };
            Run(ref job, x.Images, workspace, choice);
        }
    }

    internal unsafe void Forward(BytePlanes x, Span<int> y, KernelWorkspace? workspace, ByteChoice? choice)
    {
        CheckInput(x);
        AdderKernel.Length(y.Length, (shape with { N = x.Images }).YLength, nameof(y));
        fixed (byte* px = x.Memory)
        fixed (int* py = y)
        {
            ByteJob job = new() { Output = ByteOutput.Sums, X = px, XLayout = x.Layout, Y = (byte*)py, YLayout = Dense };
            Run(ref job, x.Images, workspace, choice);
        }
    }

    private unsafe void Forward(
        BytePlanes x, Span<float> y, ReadOnlySpan<float> scale, ReadOnlySpan<float> shift, KernelWorkspace? workspace, ByteChoice? choice)
    {
        CheckInput(x);
        AdderKernel.Length(y.Length, (shape with { N = x.Images }).YLength, nameof(y));
        AdderKernel.Length(scale.Length, shape.O, nameof(scale));
        AdderKernel.Length(shift.Length, shape.O, nameof(shift));
        fixed (byte* px = x.Memory)
        fixed (float* py = y, ps = scale, pb = shift)
        {
            ByteJob job = new() { Output = ByteOutput.Floats, X = px, XLayout = x.Layout, Y = (byte*)py, YLayout = Dense, Scale = ps, Shift = pb };
            Run(ref job, x.Images, workspace, choice);
        }
    }

    private ByteLayout Dense => new(shape.O, shape.OutH, shape.OutW, 0);

    private unsafe void Run(ref ByteJob job, int images, KernelWorkspace? workspace, ByteChoice? choice)
    {
        ByteProgram program = Program(images, choice);
        job.N = images;
        job.CodeSums = (int*)Marshal.UnsafeAddrOfPinnedArrayElement(codeSums, 0);
        workspace?.Enter();
        try
        {
            fixed (ByteJob* at = &job)
            {
                program.Run(at, workspace);
            }
        }
        finally
        {
            workspace?.Leave();
        }

        GC.KeepAlive(this);
    }

    /// <summary>What to run for so many images: made at the first call that needs it.</summary>
    private ByteProgram Program(int images, ByteChoice? wanted)
    {
        ByteProgram[] made = programs;
        foreach (ByteProgram program in made)
        {
            if (wanted is null ? program.Serves(images) : program.Choice == wanted)
            {
                return program;
            }
        }

        ByteChoice choice = wanted ?? ByteChoice.Select(shape, images, Bits);
        lock (making)
        {
            foreach (ByteProgram program in programs)
            {
                if (program.Choice == choice)
                {
                    if (wanted is null)
                    {
                        program.AddImages(images);
                    }

                    return program;
                }
            }

            ByteProgram added = new(shape, codes, Bits, choice);
            if (wanted is null)
            {
                added.AddImages(images);
            }

            programs = [.. programs, added];
            return added;
        }
    }

    private void CheckInput(BytePlanes x)
    {
        ByteLayout layout = x.Layout;
        if (x.Images < 1 || (layout.Channels, layout.Height, layout.Width) != (shape.C, shape.H, shape.W))
        {
            throw new ArgumentException($"The input is {x.Images} images of {layout}, but the layer takes [{shape.C}, {shape.H}, {shape.W}].");
        }

        if (layout.Border < Math.Max(shape.PaddingH, shape.PaddingW))
        {
            throw new ArgumentException(
                $"The input's border is {layout.Border}, but the layer pads by ({shape.PaddingH}, {shape.PaddingW}); give its planes a border of at least that.");
        }
    }

    private void CheckOutput(BytePlanes y, int images, string what)
    {
        if (y.Images != images || (y.Layout.Channels, y.Layout.Height, y.Layout.Width) != (shape.O, shape.OutH, shape.OutW))
        {
            throw new ArgumentException(
                $"{what} is {y.Images} images of {y.Layout}, but the layer writes {images} of [{shape.O}, {shape.OutH}, {shape.OutW}].");
        }
    }
}
