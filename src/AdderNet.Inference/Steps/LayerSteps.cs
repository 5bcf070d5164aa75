using AdderNet.Graph;
using AdderNet.Kernels;

namespace AdderNet.Inference.Steps;

/// <summary>A layer's epilogue in arrays that the kernels read.</summary>
internal sealed class Finish
{
    private readonly float[] mean, scale, shift;
    private readonly bool addsResidual, relu;
    private readonly Clip? clip;

    public Finish(LayerNode layer)
    {
        Epilogue epilogue = layer.Epilogue ?? new Epilogue();
        float[]? bias = layer.Bias?.ToFloats();
        mean = epilogue.Mean?.ToFloats() ?? [];
        scale = epilogue.Scale?.ToFloats() ?? [];
        shift = epilogue.Shift?.ToFloats() ?? [];
        if (bias is not null)
        {
            // A bias not taken into a mean yet: (y + b - mean) * scale + shift.
            mean = mean.Length == 0 ? [.. bias.Select(b => -b)] : [.. mean.Zip(bias, (m, b) => m - b)];
        }

        (addsResidual, relu) = (epilogue.AddsResidual, epilogue.IsRelu);
        clip = relu || epilogue is { Minimum: null, Maximum: null }
            ? null
            : new Clip(epilogue.Minimum ?? float.NegativeInfinity, epilogue.Maximum ?? float.PositiveInfinity);
    }

    /// <summary>Bytes it takes.</summary>
    public long Bytes => sizeof(float) * (mean.Length + scale.Length + (long)shift.Length);

    /// <summary>What a kernel does with its outputs; bounds other than a ReLU's follow in <see cref="Bound"/>.</summary>
    public AdderEpilogue Of(Frame frame, Value[] inputs) => new()
    {
        Mean = mean,
        Scale = scale,
        Shift = shift,
        Residual = addsResidual ? frame.Of(inputs[^1]) : [],
        Relu = relu,
    };

    /// <summary>Bounds that kernels don't know.</summary>
    public void Bound(Span<float> y)
    {
        if (clip is { } bounds)
        {
            for (int i = 0; i < y.Length; i++)
            {
                y[i] = bounds.Of(y[i]);
            }
        }
    }

    /// <summary>The same for a layer whose kernel has no epilogue.</summary>
    public void Apply(Span<float> y, int channels, ReadOnlySpan<float> residual)
    {
        for (int i = 0; i < y.Length; i++)
        {
            int c = i % channels;
            float value = mean.Length == 0 ? y[i] : y[i] - mean[c];
            value = (scale.Length == 0 ? value : value * scale[c]) + (shift.Length == 0 ? 0 : shift[c]) + (addsResidual ? residual[i] : 0);
            y[i] = relu && value < 0 ? 0 : value;
        }

        Bound(y);
    }
}

/// <summary>The sizes of a layer as kernels want them.</summary>
internal static class Shapes
{
    public static AdderShape Of(FilterNode layer, FeatureShape input, int images) =>
        Of(layer.Window, layer.Groups, input, layer.Shape.Channels, images);

    public static AdderShape Of(WindowGeometry window, int groups, FeatureShape input, int outputs, int images) =>
        new(images, input.Channels, input.Height, input.Width, outputs, window.KernelH, window.KernelW)
        {
            StrideH = window.StrideH,
            StrideW = window.StrideW,
            PaddingH = window.PaddingH,
            PaddingW = window.PaddingW,
            DilationH = window.DilationH,
            DilationW = window.DilationW,
            Groups = groups,
        };
}

/// <summary>A layer whose filters walk over a map, for batches whose sizes are kept so that no call makes them anew.</summary>
internal abstract class FilterStep(FilterNode layer, Value[] inputs, Value output) : Step(inputs, output)
{
    private readonly AdderShape one = Shapes.Of(layer, inputs[0].Shape, 1);
    private AdderShape? latest;

    protected Finish Finish { get; } = new(layer);

    protected AdderShape Shape(int images)
    {
        AdderShape? known = Volatile.Read(ref latest);
        if (images == 1)
        {
            return one;
        }

        if (known?.N != images)
        {
            Volatile.Write(ref latest, known = one with { N = images });
        }

        return known;
    }

    public sealed override void Run(Frame frame)
    {
        Span<float> y = frame.Of(Output);
        Compute(Shape(frame.Images), frame, y);
        Finish.Bound(y);
    }

    protected abstract void Compute(AdderShape shape, Frame frame, Span<float> y);
}

/// <summary>An adder layer.</summary>
internal sealed class AdderStep : FilterStep
{
    private readonly PackedTaps taps;

    public AdderStep(AdderNode layer, Value[] inputs, Value output)
        : base(layer, inputs, output) =>
        taps = new PackedTaps(Shape(1), layer.Filters.ToFloats(), inputs[0].NotNegative ? InputRange.AfterRelu : InputRange.Any);

    public override long WeightBytes => taps.Bytes + Finish.Bytes;

    protected override void Compute(AdderShape shape, Frame frame, Span<float> y) =>
        AdderKernel.Forward(shape, frame.Of(Inputs[0]), taps, y, Finish.Of(frame, Inputs), frame.Workspace);
}

/// <summary>An ordinary convolution.</summary>
internal sealed class ConvolutionStep : FilterStep
{
    private readonly PackedConvolution weights;
    private readonly long bytes;

    public ConvolutionStep(ConvolutionNode layer, Value[] inputs, Value output, PackedWeights packed)
        : base(layer, inputs, output) => (weights, bytes) = packed.Of(layer.Filters, Shape(1));

    public override long WeightBytes => bytes + Finish.Bytes;

    protected override void Compute(AdderShape shape, Frame frame, Span<float> y) =>
        ConvolutionKernel.Forward(shape, frame.Of(Inputs[0]), weights, y, Finish.Of(frame, Inputs), frame.Workspace);
}

/// <summary>A convolution of one-bit activations with one-bit weights, in float32.</summary>
internal sealed class BinaryConvolutionStep : FilterStep
{
    private readonly BinaryConvolutionNode layer;
    private readonly PackedConvolution weights;

    public BinaryConvolutionStep(BinaryConvolutionNode layer, Value[] inputs, Value output)
        : base(layer, inputs, output) =>
        (this.layer, weights) = (layer, new PackedConvolution(Shape(1), layer.BinaryFilters()));

    public override long WeightBytes => weights.Bytes + Finish.Bytes;

    protected override void Compute(AdderShape shape, Frame frame, Span<float> y)
    {
        ReadOnlySpan<float> x = frame.Of(Inputs[0]);
        Span<float> bits = frame.Extra(x.Length);
        for (int i = 0; i < x.Length; i++)
        {
            bits[i] = layer.BinaryActivation(x[i]);
        }

        ConvolutionKernel.Forward(shape, bits, weights, y, Finish.Of(frame, Inputs), frame.Workspace);
    }
}

/// <summary>A fully connected layer.</summary>
internal sealed class LinearStep : Step
{
    private readonly float[] weight;
    private readonly Finish finish;

    public LinearStep(LinearNode layer, Value[] inputs, Value output)
        : base(inputs, output) => (weight, finish) = (layer.Weight.ToFloats(), new Finish(layer));

    public override long WeightBytes => (long)sizeof(float) * weight.Length + finish.Bytes;

    public override void Run(Frame frame)
    {
        ReadOnlySpan<float> x = frame.Of(Inputs[0]);
        Span<float> y = frame.Of(Output);
        int from = Inputs[0].Shape.Count, to = Output.Shape.Count;
        for (int o = 0; o < to; o++)
        {
            // A row of weights serves all images before the next is read.
            ReadOnlySpan<float> row = weight.AsSpan(o * from, from);
            for (int i = 0; i < frame.Images; i++)
            {
                y[i * to + o] = DotProduct.Of(row, x.Slice(i * from, from));
            }
        }

        finish.Apply(y, to, Inputs.Length > 1 ? frame.Of(Inputs[^1]) : []);
    }
}
