using System.Numerics;
using AdderNet.Graph;
using AdderNet.Kernels;
using AdderNet.Kernels.Bytes;

namespace AdderNet.Inference.Steps;

/// <summary>An epilogue in arrays.</summary>
internal sealed class IntegerFinish(IntegerEpilogue epilogue, Grid output)
{
    private readonly int[] multiplier = epilogue.Multiplier.ToInt32s(), shift = epilogue.Shift.ToInt32s();
    private readonly int[]? residualMultiplier = epilogue.ResidualMultiplier?.ToInt32s();
    private readonly long[] offset = epilogue.Offset.ToInt64s();

    public long Bytes => (long)multiplier.Length * (4 + 8 + 4) + 4L * (residualMultiplier?.Length ?? 0);

    public Requantization ToRequantization() => new(output.Top, multiplier, offset, shift, residualMultiplier);

    /// <summary>The same for sums between -largest and largest, in the kernels' form.</summary>
    public ByteChannel Channel(Requantization requantization, int o, int largest)
    {
        // The kernels' sums are 0 at most: Y = (Y - largest) + largest.
        Requantization moved = new(
            requantization.Top, multiplier.AsSpan(o, 1), [offset[o] + (long)largest * multiplier[o]], shift.AsSpan(o, 1),
            residualMultiplier is null ? [] : residualMultiplier.AsSpan(o, 1));
        return new ByteChannel(moved, 0, -2L * largest, largest);
    }

    /// <summary>The code of a sum of channel o, where nothing is added.</summary>
    public int Code(int sum, int o) => IntegerEpilogue.Code(sum, multiplier[o], offset[o], shift[o], output.Top);

    /// <summary>Sums [n, O, H, W] to codes in place.</summary>
    public void Apply(Span<int> sums, int pixels, ReadOnlySpan<int> residual)
    {
        for (int i = 0; i < sums.Length; i++)
        {
            int o = i / pixels % multiplier.Length;
            long added = residualMultiplier is null ? 0 : (long)residual[i] * residualMultiplier[o];
            sums[i] = IntegerEpilogue.Code(sums[i], multiplier[o], offset[o], shift[o], output.Top, added);
        }
    }
}

/// <summary>An adder layer on codes.</summary>
internal sealed class QuantizedAdderStep : Step
{
    private readonly ByteLayer layer;
    private readonly IntegerFinish finish;
    private readonly bool bytes, addsResidual;

    public QuantizedAdderStep(QuantizedAdderNode node, Value[] inputs, Value output)
        : base(inputs, output)
    {
        finish = new IntegerFinish(node.Epilogue, node.Grid!);
        addsResidual = node.Epilogue.AddsResidual;
        bytes = output.IsBytes && (!addsResidual || inputs[1].IsBytes);
        layer = new ByteLayer(
            Shapes.Of(node.Window, node.Groups, inputs[0].Shape, node.Shape.Channels, 1), node.Filters.Data.Span, node.InputGrid.Bits,
            bytes ? finish.ToRequantization() : null);
        WeightBytes = node.Filters.Count + finish.Bytes;
    }

    public override long WeightBytes { get; }

    public override void Run(Frame frame)
    {
        BytePlanes x = frame.Planes(Inputs[0]);
        if (bytes)
        {
            layer.Forward(x, frame.Cleared(Output), addsResidual ? frame.Planes(Inputs[1]) : default(BytePlanes), frame.Workspace);
            return;
        }

        Span<int> sums = frame.Integers(frame.Images * Output.Shape.Count);
        layer.Forward(x, sums, frame.Workspace);
        finish.Apply(sums, Output.Shape.Pixels, addsResidual ? frame.Codes(Inputs[1]) : []);
        frame.Store(Output, sums);
    }
}

/// <summary>
/// A convolution on codes. Where all its sums are below 2^24, the float32 kernel gives them exactly, as sums of whole numbers; else they are
/// taken in integers one by one, as behind a global sum, where there is little to compute.
/// </summary>
internal sealed class QuantizedConvolutionStep : Step
{
    /// <summary>Sums of whole numbers below this are exact in float32, whose kernels are the fast ones.</summary>
    public const int ExactInFloat32 = 1 << 24;

    private readonly QuantizedConvolutionNode node;
    private readonly AdderShape one;
    private readonly PackedConvolution? packed;
    private readonly long bytes;
    private readonly int[] filters = [];
    private readonly IntegerFinish finish;
    private readonly ByteChannel[] channels = [];
    private AdderShape? latest;

    public QuantizedConvolutionStep(QuantizedConvolutionNode node, Value[] inputs, Value output, PackedWeights weights)
        : base(inputs, output)
    {
        this.node = node;
        one = Shapes.Of(node.Window, node.Groups, inputs[0].Shape, node.Shape.Channels, 1);
        finish = new IntegerFinish(node.Epilogue, node.Grid!);
        long largest = node.LargestSum;
        if (largest < ExactInFloat32)
        {
            (packed, bytes) = weights.Of(node.Filters, one);
        }
        else
        {
            filters = node.Filters.ToInt32s();
            bytes = (long)sizeof(int) * filters.Length;
        }

        if (packed is not null && output.IsBytes && !node.Epilogue.AddsResidual)
        {
            Requantization requantization = finish.ToRequantization();
            channels = [.. Enumerable.Range(0, node.Shape.Channels).Select(o => finish.Channel(requantization, o, (int)largest))];
        }
    }

    public override long WeightBytes => bytes + finish.Bytes;

    public override void Run(Frame frame)
    {
        Span<int> sums = frame.Integers(frame.Images * Output.Shape.Count);
        if (packed is not null)
        {
            int length = frame.Images * Inputs[0].Shape.Count;
            Span<float> both = frame.Extra(length + sums.Length), x = both[..length], y = both[length..];
            FromZero(frame, x);
            ConvolutionKernel.Forward(Shape(frame.Images), x, packed, y, default, frame.Workspace);
            Whole(y, sums);

            if (channels.Length > 0)
            {
                StoreBytes(sums, frame.Cleared(Output));
                return;
            }
        }
        else
        {
            Sum(frame.Codes(Inputs[0]), sums, frame.Images);
        }

        // Codes of the residual would be where those of the input were, which are no longer needed.
        finish.Apply(sums, Output.Shape.Pixels, node.Epilogue.AddsResidual ? frame.Codes(Inputs[1]) : []);
        frame.Store(Output, sums);
    }

    private AdderShape Shape(int images)
    {
        AdderShape? known = Volatile.Read(ref latest);
        if (known?.N != images)
        {
            Volatile.Write(ref latest, known = one with { N = images });
        }

        return known;
    }

    /// <summary>The input's codes less the code of zero.</summary>
    private void FromZero(Frame frame, Span<float> x)
    {
        float zero = node.InputGrid.Zero;
        int i = 0;
        if (Inputs[0] is { IsBytes: true, Border: 0 })
        {
            // One code behind another.
            ReadOnlySpan<byte> bytes = frame.Planes(Inputs[0]).Memory[..x.Length];
            for (; i <= x.Length - Vector<byte>.Count; i += Vector<byte>.Count)
            {
                Vector.Widen(new Vector<byte>(bytes[i..]), out Vector<ushort> low, out Vector<ushort> high);
                Widen(low, x[i..]);
                Widen(high, x[(i + Vector<ushort>.Count)..]);
            }

            for (; i < x.Length; i++)
            {
                x[i] = bytes[i] - zero;
            }

            return;
        }

        ReadOnlySpan<int> codes = frame.Codes(Inputs[0]);
        for (; i < x.Length; i++)
        {
            x[i] = codes[i] - zero;
        }

        void Widen(Vector<ushort> codes, Span<float> to)
        {
            Vector.Widen(codes, out Vector<uint> low, out Vector<uint> high);
            (Vector.ConvertToSingle(low.As<uint, int>()) - new Vector<float>(zero)).CopyTo(to);
            (Vector.ConvertToSingle(high.As<uint, int>()) - new Vector<float>(zero)).CopyTo(to[Vector<float>.Count..]);
        }
    }

    private static void Whole(ReadOnlySpan<float> from, Span<int> to)
    {
        int i = 0;
        for (; i <= to.Length - Vector<float>.Count; i += Vector<float>.Count)
        {
            Vector.ConvertToInt32(new Vector<float>(from[i..])).CopyTo(to[i..]);
        }

        for (; i < to.Length; i++)
        {
            to[i] = (int)from[i];
        }
    }

    private void StoreBytes(ReadOnlySpan<int> sums, BytePlanes y)
    {
        // Without a border the rows of a plane are one.
        bool dense = Output.Border == 0;
        int top = node.Grid!.Top, width = dense ? Output.Shape.Pixels : Output.Shape.Width, rows = dense ? 1 : Output.Shape.Height;
        for (int row = 0; row * width < sums.Length; row++)
        {
            int o = row / rows % channels.Length, i = 0;
            ref readonly ByteChannel c = ref channels[o];
            ReadOnlySpan<int> from = sums.Slice(row * width, width);
            Span<byte> to = dense ? y.Memory.Slice(row * width, width) : Output.Row(y, row);
            if (c.Fast)
            {
                for (; i <= width - Vector<byte>.Count; i += Vector<byte>.Count)
                {
                    Vector.Narrow(
                        Vector.Narrow(Code(from, i, c, top), Code(from, i + Vector<int>.Count, c, top)),
                        Vector.Narrow(Code(from, i + 2 * Vector<int>.Count, c, top), Code(from, i + 3 * Vector<int>.Count, c, top)))
                        .As<sbyte, byte>().CopyTo(to[i..]);
                }
            }

            for (; i < width; i++)
            {
                to[i] = (byte)finish.Code(from[i], o);
            }
        }
    }

    private static Vector<int> Code(ReadOnlySpan<int> sums, int at, in ByteChannel c, int top)
    {
        Vector<int> inside = Vector.Min(Vector.Max(new Vector<int>(sums[at..]), new Vector<int>(c.Low)), new Vector<int>(c.High));
        Vector<int> code = Vector.ShiftRightArithmetic(inside * c.Multiplier + new Vector<int>(c.SmallOffset), c.Shift);
        return Vector.Min(Vector.Max(code, Vector<int>.Zero), new Vector<int>(top));
    }

    private void Sum(ReadOnlySpan<int> codes, Span<int> sums, int images)
    {
        WindowGeometry w = node.Window;
        FeatureShape from = Inputs[0].Shape, to = Output.Shape;
        int channels = from.Channels / node.Groups, perGroup = to.Channels / node.Groups, at = 0;
        for (int image = 0; image < images; image++)
        {
            for (int o = 0; o < to.Channels; o++)
            {
                for (int row = 0; row < to.Height; row++)
                {
                    for (int column = 0; column < to.Width; column++)
                    {
                        int k = o * node.SumLength, sum = 0;
                        for (int c = 0; c < channels; c++)
                        {
                            int plane = (image * from.Channels + o / perGroup * channels + c) * from.Pixels;
                            for (int i = 0; i < w.KernelH; i++)
                            {
                                int r = row * w.StrideH - w.PaddingH + i * w.DilationH;
                                for (int j = 0; j < w.KernelW; j++, k++)
                                {
                                    int s = column * w.StrideW - w.PaddingW + j * w.DilationW;
                                    if ((uint)r < (uint)from.Height && (uint)s < (uint)from.Width)
                                    {
                                        sum += (codes[plane + r * from.Width + s] - node.InputGrid.Zero) * filters[k];
                                    }
                                }
                            }
                        }

                        sums[at++] = sum;
                    }
                }
            }
        }
    }
}
