using AdderNet.Graph;

namespace AdderNet.Inference.Steps;

/// <summary>A function of one value.</summary>
internal interface IFunction
{
    float Of(float x);
}

/// <summary>max(x, 0); NaN stays NaN.</summary>
internal readonly struct Relu : IFunction
{
    public float Of(float x) => x < 0 ? 0 : x;
}

/// <summary>x within bounds; NaN stays NaN.</summary>
internal readonly struct Clip(float minimum, float maximum) : IFunction
{
    public float Of(float x) => x < minimum ? minimum : x > maximum ? maximum : x;
}

/// <summary>1 / (1 + exp(-x)).</summary>
internal readonly struct Sigmoid : IFunction
{
    public float Of(float x) => 1 / (1 + MathF.Exp(-x));
}

/// <summary>A function of each element.</summary>
internal sealed class MapStep<T>(T function, Value[] inputs, Value output) : Step(inputs, output)
    where T : struct, IFunction
{
    public override void Run(Frame frame)
    {
        ReadOnlySpan<float> x = frame.Of(Inputs[0]);
        Span<float> y = frame.Of(Output);
        for (int i = 0; i < y.Length; i++)
        {
            y[i] = function.Of(x[i]);
        }
    }
}

/// <summary>BatchNorm where no layer before it could take it in.</summary>
internal sealed class BatchNormStep : Step
{
    private readonly float[] mean, scale, shift;

    public BatchNormStep(BatchNormNode norm, Value[] inputs, Value output)
        : base(inputs, output)
    {
        Epilogue epilogue = norm.ToEpilogue(null);
        int channels = norm.Shape.Channels;
        mean = epilogue.Mean?.ToFloats() ?? new float[channels];
        scale = epilogue.Scale?.ToFloats() ?? [.. Enumerable.Repeat(1f, channels)];
        shift = epilogue.Shift?.ToFloats() ?? new float[channels];
    }

    public override long WeightBytes => 3L * sizeof(float) * mean.Length;

    public override void Run(Frame frame)
    {
        ReadOnlySpan<float> x = frame.Of(Inputs[0]);
        Span<float> y = frame.Of(Output);
        int pixels = Output.Shape.Pixels;
        for (int plane = 0; plane * pixels < y.Length; plane++)
        {
            int c = plane % mean.Length;
            ReadOnlySpan<float> from = x.Slice(plane * pixels, pixels);
            Span<float> to = y.Slice(plane * pixels, pixels);
            for (int i = 0; i < to.Length; i++)
            {
                to[i] = (from[i] - mean[c]) * scale[c] + shift[c];
            }
        }
    }
}

/// <summary>A sum that no layer could take in.</summary>
internal sealed class AddStep(Value[] inputs, Value output) : Step(inputs, output)
{
    public override void Run(Frame frame)
    {
        Span<float> y = frame.Of(Output);
        frame.Of(Inputs[0]).CopyTo(y);
        foreach (Value input in Inputs.AsSpan(1))
        {
            ReadOnlySpan<float> x = frame.Of(input);
            for (int i = 0; i < y.Length; i++)
            {
                y[i] += x[i];
            }
        }
    }
}

/// <summary>A map times one factor a channel, or an element.</summary>
internal sealed class MultiplyStep(Value[] inputs, Value output) : Step(inputs, output)
{
    public override void Run(Frame frame)
    {
        ReadOnlySpan<float> x = frame.Of(Inputs[0]), factors = frame.Of(Inputs[1]);
        Span<float> y = frame.Of(Output);
        int each = y.Length / factors.Length;
        for (int f = 0; f < factors.Length; f++)
        {
            ReadOnlySpan<float> from = x.Slice(f * each, each);
            Span<float> to = y.Slice(f * each, each);
            for (int i = 0; i < to.Length; i++)
            {
                to[i] = from[i] * factors[f];
            }
        }
    }
}
