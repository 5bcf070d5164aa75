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
