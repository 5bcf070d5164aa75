using AdderNet.Graph;

namespace AdderNet.Inference.Steps;

/// <summary>The channels of all inputs one after another.</summary>
internal sealed class ConcatenateStep(Value[] inputs, Value output) : Step(inputs, output)
{
    public override void Run(Frame frame)
    {
        Span<float> y = frame.Of(Output);
        int at = 0;
        for (int image = 0; image < frame.Images; image++)
        {
            foreach (Value input in Inputs)
            {
                int length = input.Shape.Count;
                frame.Of(input).Slice(image * length, length).CopyTo(y[at..]);
                at += length;
            }
        }
    }
}

/// <summary>Each pixel as a square of factor x factor.</summary>
internal sealed class UpsampleStep(int factor, Value[] inputs, Value output) : Step(inputs, output)
{
    public override void Run(Frame frame)
    {
        ReadOnlySpan<float> x = frame.Of(Inputs[0]);
        Span<float> y = frame.Of(Output);
        int width = Output.Shape.Width, rows = frame.Images * Inputs[0].Shape.Channels * Inputs[0].Shape.Height;
        for (int row = 0; row < rows; row++)
        {
            ReadOnlySpan<float> from = x.Slice(row * (width / factor), width / factor);
            Span<float> first = y.Slice(row * factor * width, width);
            for (int i = 0; i < from.Length; i++)
            {
                first.Slice(i * factor, factor).Fill(from[i]);
            }

            for (int i = 1; i < factor; i++)
            {
                first.CopyTo(y[((row * factor + i) * width)..]);
            }
        }
    }
}

/// <summary>The channels of one input in another order.</summary>
internal sealed class ChannelsStep(ChannelSource[] sources, Value[] inputs, Value output) : Step(inputs, output)
{
    public override void Run(Frame frame)
    {
        ReadOnlySpan<float> x = frame.Of(Inputs[0]);
        Span<float> y = frame.Of(Output);
        int pixels = Output.Shape.Pixels;
        for (int plane = 0; plane < frame.Images * sources.Length; plane++)
        {
            int from = plane / sources.Length * Inputs[0].Shape.Channels + sources[plane % sources.Length].Channel;
            x.Slice(from * pixels, pixels).CopyTo(y[(plane * pixels)..]);
        }
    }
}

/// <summary>Each channel moved by its own rows and columns, zeros coming in.</summary>
internal sealed class ShiftStep(ShiftNode shift, Value[] inputs, Value output) : Step(inputs, output)
{
    private readonly int[] rows = [.. shift.Rows], columns = [.. shift.Columns];

    public override void Run(Frame frame)
    {
        ReadOnlySpan<float> x = frame.Of(Inputs[0]);
        Span<float> y = frame.Of(Output);
        y.Clear();
        (int channels, int height, int width) = (Output.Shape.Channels, Output.Shape.Height, Output.Shape.Width);
        for (int plane = 0; plane < frame.Images * channels; plane++)
        {
            (int down, int right) = (rows[plane % channels], columns[plane % channels]);
            int first = Math.Clamp(-right, 0, width), end = Math.Clamp(width - right, first, width);
            for (int row = Math.Max(0, -down); row < Math.Min(height, height - down); row++)
            {
                int to = (plane * height + row) * width;
                x.Slice(to + down * width + right + first, end - first).CopyTo(y[(to + first)..]);
            }
        }
    }
}
