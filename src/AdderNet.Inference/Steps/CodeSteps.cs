using System.Numerics;
using System.Runtime.InteropServices;
using AdderNet.Graph;
using AdderNet.Kernels.Bytes;

namespace AdderNet.Inference.Steps;

/// <summary>Values to codes.</summary>
internal sealed class QuantizeStep(Grid grid, Value[] inputs, Value output) : Step(inputs, output)
{
    public override void Run(Frame frame)
    {
        ReadOnlySpan<float> x = frame.Of(Inputs[0]);
        if (!Output.IsBytes)
        {
            Span<int> wide = MemoryMarshal.Cast<float, int>(frame.Of(Output));
            for (int i = 0; i < wide.Length; i++)
            {
                wide[i] = grid.Code(x[i]);
            }

            return;
        }

        BytePlanes y = frame.Cleared(Output);
        for (int row = 0, at = 0; row < frame.Images * Output.Rows; row++)
        {
            Span<byte> to = Output.Row(y, row);
            for (int i = 0; i < to.Length; i++)
            {
                to[i] = (byte)grid.Code(x[at++]);
            }
        }
    }
}

/// <summary>Codes to values.</summary>
internal sealed class DequantizeStep(Grid grid, Value[] inputs, Value output) : Step(inputs, output)
{
    public override void Run(Frame frame)
    {
        ReadOnlySpan<int> x = frame.Codes(Inputs[0]);
        Span<float> y = frame.Of(Output);
        for (int i = 0; i < y.Length; i++)
        {
            y[i] = (float)grid.Value(x[i]);
        }
    }
}

/// <summary>Codes of one grid to codes of another.</summary>
internal sealed class RequantizeStep : Step
{
    private readonly RequantizeNode node;
    private readonly byte[] table = [];
    private readonly bool narrow;

    public RequantizeStep(RequantizeNode node, Value[] inputs, Value output)
        : base(inputs, output)
    {
        this.node = node;
        if (!inputs[0].IsBytes || !output.IsBytes)
        {
            return;
        }

        table = [.. Enumerable.Range(0, 256).Select(code => (byte)Code(code))];
        long least = node.RoundingOffset, most = least + 255L * node.Multiplier;
        narrow = node.Multiplier is >= 0 and <= ushort.MaxValue && least >= 0 && most <= ushort.MaxValue && node.Shift < 16;
    }

    public override void Run(Frame frame)
    {
        if (table.Length == 0)
        {
            ReadOnlySpan<int> codes = frame.Codes(Inputs[0]);
            Span<int> to = frame.Integers(codes.Length);
            for (int i = 0; i < to.Length; i++)
            {
                to[i] = Code(codes[i]);
            }

            frame.Store(Output, to);
            return;
        }

        BytePlanes x = frame.Planes(Inputs[0]);
        if (x.Layout == Output.Layout && table[0] == 0)
        {
            // Borders are zeros on both sides.
            int length = (int)(frame.Images * x.Layout.ImageLength);
            Map(x.Memory[..length], frame.Planes(Output).Memory[..length]);
            return;
        }

        BytePlanes y = frame.Cleared(Output);
        for (int row = 0; row < frame.Images * Output.Rows; row++)
        {
            Map(Inputs[0].Row(x, row), Output.Row(y, row));
        }
    }

    private int Code(int code) => IntegerEpilogue.Code(code, node.Multiplier, node.Offset, node.Shift, node.Grid!.Top);

    private void Map(ReadOnlySpan<byte> x, Span<byte> y)
    {
        int i = 0;
        if (narrow)
        {
            Vector<ushort> factor = new((ushort)node.Multiplier), offset = new((ushort)node.RoundingOffset);
            Vector<ushort> top = new((ushort)node.Grid!.Top);
            for (; i <= x.Length - Vector<byte>.Count; i += Vector<byte>.Count)
            {
                Vector.Widen(new Vector<byte>(x[i..]), out Vector<ushort> low, out Vector<ushort> high);
                low = Vector.Min(Vector.ShiftRightLogical(low * factor + offset, node.Shift), top);
                high = Vector.Min(Vector.ShiftRightLogical(high * factor + offset, node.Shift), top);
                Vector.Narrow(low, high).CopyTo(y[i..]);
            }
        }

        for (; i < x.Length; i++)
        {
            y[i] = table[x[i]];
        }
    }
}

/// <summary>The sum of each plane's codes.</summary>
internal sealed class GlobalSumStep(Value[] inputs, Value output) : Step(inputs, output)
{
    public override void Run(Frame frame)
    {
        ReadOnlySpan<int> x = frame.Codes(Inputs[0]);
        int pixels = Inputs[0].Shape.Pixels;
        Span<int> sums = frame.Integers(frame.Images * Output.Shape.Count);
        for (int plane = 0; plane < sums.Length; plane++)
        {
            int sum = 0;
            foreach (int code in x.Slice(plane * pixels, pixels))
            {
                sum += code;
            }

            sums[plane] = sum;
        }

        frame.Store(Output, sums);
    }
}

/// <summary>The largest code of each window; what lies outside never wins.</summary>
internal sealed class CodeMaxPoolStep(WindowGeometry window, Value[] inputs, Value output) : Step(inputs, output)
{
    public override void Run(Frame frame)
    {
        BytePlanes x = frame.Planes(Inputs[0]), y = frame.Cleared(Output);
        int height = Inputs[0].Shape.Height;
        for (int row = 0; row < frame.Images * Output.Rows; row++)
        {
            Span<byte> to = Output.Row(y, row);
            to.Clear(); // No code is below 0.
            int plane = row / Output.Shape.Height, top = row % Output.Shape.Height * window.StrideH - window.PaddingH;
            for (int i = 0; i < window.KernelH; i++)
            {
                if ((uint)(top + i * window.DilationH) >= (uint)height)
                {
                    continue;
                }

                ReadOnlySpan<byte> from = Inputs[0].Row(x, plane * height + top + i * window.DilationH);
                for (int j = 0; j < window.KernelW; j++)
                {
                    int left = j * window.DilationW - window.PaddingW;
                    for (int column = 0; column < to.Length; column++)
                    {
                        int c = column * window.StrideW + left;
                        if ((uint)c < (uint)from.Length && from[c] > to[column])
                        {
                            to[column] = from[c];
                        }
                    }
                }
            }
        }
    }
}

/// <summary>Planes with a border as a vector without one.</summary>
internal sealed class CodeFlattenStep(Value[] inputs, Value output) : Step(inputs, output)
{
    public override void Run(Frame frame) => frame.Store(Output, frame.Codes(Inputs[0]));
}

/// <summary>Whole channels of codes, moved by rows and columns where they are shifted; what lies outside is 0.</summary>
internal sealed class CodeChannelsStep(ChannelSource[] sources, Value[] inputs, Value output) : Step(inputs, output)
{
    public override void Run(Frame frame)
    {
        BytePlanes y = frame.Cleared(Output);
        (int channels, int height, int width) = (sources.Length, Output.Shape.Height, Output.Shape.Width);
        byte zero = (byte)Output.Grid!.Zero;
        for (int plane = 0; plane < frame.Images * channels; plane++)
        {
            (int number, int channel, int down, int right) = sources[plane % channels];
            Value input = Inputs[number];
            BytePlanes x = frame.Planes(input);
            int first = (plane / channels * input.Shape.Channels + channel) * height;
            int start = Math.Clamp(-right, 0, width), length = Math.Clamp(width - right, start, width) - start;
            for (int row = 0; row < height; row++)
            {
                Span<byte> to = Output.Row(y, plane * height + row);
                bool inside = (uint)(row + down) < (uint)height;
                if (!inside || length < width)
                {
                    to.Fill(zero);
                }

                if (inside)
                {
                    input.Row(x, first + row + down).Slice(start + right, length).CopyTo(to[start..]);
                }
            }
        }
    }
}

/// <summary>Each code as a square of factor x factor.</summary>
internal sealed class CodeUpsampleStep(int factor, Value[] inputs, Value output) : Step(inputs, output)
{
    public override void Run(Frame frame)
    {
        BytePlanes x = frame.Planes(Inputs[0]), y = frame.Cleared(Output);
        for (int row = 0; row < frame.Images * Inputs[0].Rows; row++)
        {
            ReadOnlySpan<byte> from = Inputs[0].Row(x, row);
            Span<byte> first = Output.Row(y, row * factor);
            for (int i = 0; i < from.Length; i++)
            {
                first.Slice(i * factor, factor).Fill(from[i]);
            }

            for (int i = 1; i < factor; i++)
            {
                first.CopyTo(Output.Row(y, row * factor + i));
            }
        }
    }
}

/// <summary>Sums of codes.</summary>
internal sealed class QuantizedAddStep : Step
{
    private readonly QuantizedAddNode node;
    private readonly bool narrow;

    public QuantizedAddStep(QuantizedAddNode node, Value[] inputs, Value output)
        : base(inputs, output)
    {
        this.node = node;
        long largest = Math.Abs(node.RoundingOffset) + node.Multipliers.Sum(multiplier => byte.MaxValue * Math.Abs((long)multiplier));
        narrow = inputs.Length == 2 && inputs.All(input => input.IsBytes) && output.IsBytes && largest <= int.MaxValue && node.Shift < 32;
    }

    public override void Run(Frame frame)
    {
        if (narrow)
        {
            BytePlanes a = frame.Planes(Inputs[0]), b = frame.Planes(Inputs[1]), y = frame.Cleared(Output);
            if (a.Layout == y.Layout && b.Layout == y.Layout && node.RoundingOffset >> node.Shift == 0)
            {
                // Borders are zeros on all sides.
                int length = (int)(frame.Images * y.Layout.ImageLength);
                Add(a.Memory[..length], b.Memory[..length], y.Memory[..length]);
                return;
            }

            for (int row = 0; row < frame.Images * Output.Rows; row++)
            {
                Add(Inputs[0].Row(a, row), Inputs[1].Row(b, row), Output.Row(y, row));
            }

            return;
        }

        Span<int> sums = frame.Integers(frame.Images * Output.Shape.Count);
        Span<long> wide = MemoryMarshal.Cast<float, long>(frame.Extra(2 * sums.Length));
        wide.Clear();
        foreach ((Value input, int multiplier) in Inputs.Zip(node.Multipliers))
        {
            ReadOnlySpan<int> x = frame.Codes(input);
            for (int i = 0; i < x.Length; i++)
            {
                wide[i] += (long)x[i] * multiplier;
            }
        }

        for (int i = 0; i < sums.Length; i++)
        {
            sums[i] = IntegerEpilogue.Code(0, 0, node.Offset, node.Shift, node.Grid!.Top, wide[i]);
        }

        frame.Store(Output, sums);
    }

    /// <summary>Where no sum leaves 32 bits.</summary>
    private void Add(ReadOnlySpan<byte> a, ReadOnlySpan<byte> b, Span<byte> y)
    {
        (int p, int q, int offset, int top) = (node.Multipliers[0], node.Multipliers[1], (int)node.RoundingOffset, node.Grid!.Top);
        int i = 0;
        for (; i <= y.Length - Vector<byte>.Count; i += Vector<byte>.Count)
        {
            Vector.Widen(new Vector<byte>(a[i..]), out Vector<ushort> lowA, out Vector<ushort> highA);
            Vector.Widen(new Vector<byte>(b[i..]), out Vector<ushort> lowB, out Vector<ushort> highB);
            Vector.Narrow(Codes(lowA, lowB), Codes(highA, highB)).CopyTo(y[i..]);
        }

        for (; i < y.Length; i++)
        {
            y[i] = (byte)Math.Clamp((a[i] * p + b[i] * q + offset) >> node.Shift, 0, top);
        }

        Vector<ushort> Codes(Vector<ushort> a, Vector<ushort> b)
        {
            Vector.Widen(a, out Vector<uint> firstA, out Vector<uint> secondA);
            Vector.Widen(b, out Vector<uint> firstB, out Vector<uint> secondB);
            return Vector.Narrow(Code(firstA, firstB), Code(secondA, secondB));
        }

        Vector<uint> Code(Vector<uint> a, Vector<uint> b)
        {
            Vector<int> sum = a.As<uint, int>() * p + b.As<uint, int>() * q + new Vector<int>(offset);
            return Vector.Min(Vector.Max(Vector.ShiftRightArithmetic(sum, node.Shift), Vector<int>.Zero), new Vector<int>(top)).As<int, uint>();
        }
    }
}
