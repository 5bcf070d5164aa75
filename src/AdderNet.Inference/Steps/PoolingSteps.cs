using AdderNet.Graph;

namespace AdderNet.Inference.Steps;

/// <summary>What a pooling window makes of the values in it.</summary>
internal interface IPooling
{
    static abstract float Start { get; }

    static abstract float Add(float soFar, float x);

    static abstract float End(float soFar, int count);
}

/// <summary>The maximum; NaN where one is.</summary>
internal readonly struct Largest : IPooling
{
    public static float Start => float.NegativeInfinity;

    public static float Add(float soFar, float x) => soFar > x || float.IsNaN(soFar) ? soFar : x;

    public static float End(float soFar, int count) => soFar;
}

/// <summary>The mean.</summary>
internal readonly struct Mean : IPooling
{
    public static float Start => 0;

    public static float Add(float soFar, float x) => soFar + x;

    public static float End(float soFar, int count) => soFar / count;
}

/// <summary>Pooling over windows.</summary>
internal sealed class PoolStep<T>(WindowGeometry window, bool countsPadding, Value[] inputs, Value output) : Step(inputs, output)
    where T : struct, IPooling
{
    public override void Run(Frame frame)
    {
        (FeatureShape from, FeatureShape to) = (Inputs[0].Shape, Output.Shape);
        for (int plane = 0; plane < frame.Images * to.Channels; plane++)
        {
            Pool(frame.Of(Inputs[0]).Slice(plane * from.Pixels, from.Pixels), from, frame.Of(Output).Slice(plane * to.Pixels, to.Pixels), to);
        }
    }

    private void Pool(ReadOnlySpan<float> x, FeatureShape from, Span<float> y, FeatureShape to)
    {
        for (int row = 0; row < to.Height; row++)
        {
            int top = row * window.StrideH - window.PaddingH;
            for (int column = 0; column < to.Width; column++)
            {
                int left = column * window.StrideW - window.PaddingW, inside = 0;
                float value = T.Start;
                for (int i = 0; i < window.KernelH; i++)
                {
                    int r = top + i * window.DilationH;
                    if ((uint)r >= (uint)from.Height)
                    {
                        continue;
                    }

                    for (int j = 0; j < window.KernelW; j++)
                    {
                        int c = left + j * window.DilationW;
                        if ((uint)c < (uint)from.Width)
                        {
                            value = T.Add(value, x[r * from.Width + c]);
                            inside++;
                        }
                    }
                }

                y[row * to.Width + column] = T.End(value, countsPadding ? window.KernelH * window.KernelW : inside);
            }
        }
    }
}

/// <summary>The mean of each plane.</summary>
internal sealed class GlobalAveragePoolStep(Value[] inputs, Value output) : Step(inputs, output)
{
    public override void Run(Frame frame)
    {
        ReadOnlySpan<float> x = frame.Of(Inputs[0]);
        Span<float> y = frame.Of(Output);
        int pixels = Inputs[0].Shape.Pixels;
        for (int plane = 0; plane < y.Length; plane++)
        {
            float sum = 0;
            foreach (float value in x.Slice(plane * pixels, pixels))
            {
                sum += value;
            }

            y[plane] = sum / pixels;
        }
    }
}
