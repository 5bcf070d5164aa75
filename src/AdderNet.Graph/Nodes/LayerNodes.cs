using System.Text.Json.Serialization;
using AdderNet.Checkpoints;

namespace AdderNet.Graph;

/// <summary>A layer of weighted or compared sums, which can end in an <see cref="Graph.Epilogue"/>.</summary>
public abstract record LayerNode : GraphNode
{
    private protected LayerNode()
    {
    }

    /// <summary>What each output channel is shifted by, [O]; null for nothing.</summary>
    public TensorData? Bias { get; init; }

    /// <summary>What is done with each output element before it is written, bias included; null for nothing.</summary>
    public Epilogue? Epilogue { get; init; }

    /// <summary>The learned weights, the output channel first.</summary>
    [JsonIgnore]
    public abstract TensorData Weights { get; }

    /// <summary>Elements of the sum that one output element is.</summary>
    [JsonIgnore]
    public int SumLength => Weights.Count / (int)Weights.Shape[0];

    private protected abstract string WeightsName { get; }

    /// <inheritdoc/>
    [JsonIgnore]
    public override IEnumerable<KeyValuePair<string, TensorData>> Tensors =>
    [
        KeyValuePair.Create(WeightsName, Weights),
        .. Bias is null ? [] : (KeyValuePair<string, TensorData>[])[KeyValuePair.Create("bias", Bias)],
        .. Epilogue?.Tensors ?? [],
    ];

    private protected abstract FeatureShape SumsOf(FeatureShape input);

    private protected sealed override FeatureShape ShapeOf(IReadOnlyList<FeatureShape> inputs)
    {
        int expected = Epilogue?.AddsResidual == true ? 2 : 1;
        if (inputs.Count != expected)
        {
            throw new GraphException($"it takes {expected} input{(expected == 1 ? "" : "s, the second being added,")} and has {inputs.Count}");
        }

        FeatureShape output = SumsOf(inputs[0]);
        if (Bias is not null)
        {
            Check(Bias, "bias", output.Channels);
        }

        Epilogue?.Check(output.Channels);
        return expected == 1 || inputs[1] == output
            ? output
            : throw new GraphException($"its output of {output} and what is added, {inputs[1]}, differ");
    }
}

/// <summary>A layer whose filters [O, C / groups, kernel rows, kernel columns] walk over a map [C, H, W].</summary>
public abstract record FilterNode : LayerNode
{
    private protected FilterNode()
    {
    }

    /// <summary>The filters [O, C / groups, kernel rows, kernel columns].</summary>
    public required TensorData Filters { get; init; }

    /// <summary>How they walk.</summary>
    public required WindowGeometry Window { get; init; }

    /// <summary>Groups of channels that see only each other; C for a depthwise layer.</summary>
    public int Groups { get; init; } = 1;

    /// <summary>
    /// The name of the layer whose filters these are the inner part of (see <see cref="WithoutBorder"/>), so that they are no parameters of their own;
    /// null where they are.
    /// </summary>
    public string? PartOf { get; init; }

    /// <summary>The layer with the inner part of its filters, over the same places of its input; it has this one's name.</summary>
    /// <param name="border">Rows and columns that the filters lose on each side; no more than the layer pads.</param>
    public FilterNode WithoutBorder(int border)
    {
        (int height, int width) = (Window.KernelH - 2 * border, Window.KernelW - 2 * border);
        float[] filters = Filters.ToFloats(), inner = new float[filters.Length / (Window.KernelH * Window.KernelW) * height * width];
        for (int i = 0; i < inner.Length; i++)
        {
            (int plane, int row, int column) = (i / (height * width), i / width % height, i % width);
            inner[i] = filters[(plane * Window.KernelH + border + row) * Window.KernelW + border + column];
        }

        return this with
        {
            Filters = TensorData.FromFloats(inner, Filters.Shape[0], Filters.Shape[1], height, width),
            Window = Window with
            {
                KernelH = height,
                KernelW = width,
                PaddingH = Window.PaddingH - border * Window.DilationH,
                PaddingW = Window.PaddingW - border * Window.DilationW,
            },
            PartOf = Name,
        };
    }

    /// <inheritdoc/>
    [JsonIgnore]
    public sealed override TensorData Weights => Filters;

    private protected override string WeightsName => "weight";

    private protected sealed override FeatureShape SumsOf(FeatureShape input)
    {
        (int height, int width) = Window.Over(input);
        if (Filters.Shape is not [> 0 and <= int.MaxValue, ..] || Groups < 1 || Filters.Shape[0] % Groups != 0 || input.Channels % Groups != 0)
        {
            throw new GraphException(
                $"{input.Channels} input channels and filters of {Filters} cannot be divided into {Groups} groups");
        }

        Check(Filters, "filters", Filters.Shape[0], input.Channels / Groups, Window.KernelH, Window.KernelW);
        return new FeatureShape((int)Filters.Shape[0], height, width);
    }
}

/// <summary>An adder layer: minus the L1 distance of each window to each filter; zero padding takes part as X = 0.</summary>
public sealed record AdderNode : FilterNode
{
    private protected override string WeightsName => "adder";
}

/// <summary>A convolution (PyTorch's: the filter is not mirrored).</summary>
public sealed record ConvolutionNode : FilterNode;

/// <summary>A convolution of one-bit activations with one-bit weights. Its filters are the real weights; zero padding stays zero.</summary>
public sealed record BinaryConvolutionNode : FilterNode
{
    /// <summary>How one bit is made of each value.</summary>
    public required BinarizationRule Rule { get; init; }

    /// <summary>The filters that it computes with, in the order of <see cref="FilterNode.Filters"/>.</summary>
    public float[] BinaryFilters()
    {
        float[] weights = Filters.ToFloats();
        int scaled = Rule == BinarizationRule.XnorNet ? SumLength : weights.Length;
        float[] binary = new float[weights.Length];
        for (int from = 0; from < weights.Length; from += scaled)
        {
            float mean = (float)(weights.Skip(from).Take(scaled).Sum(w => (double)Math.Abs(w)) / scaled);
            for (int i = from; i < from + scaled; i++)
            {
                binary[i] = weights[i] >= 0 ? mean : -mean;
            }
        }

        return binary;
    }

    /// <summary>What it computes with in place of an activation.</summary>
    public float BinaryActivation(float x) => Rule switch
    {
        BinarizationRule.XnorNet => x >= 0 ? 1 : -1,
        _ => MathF.Round(Math.Clamp(x, 0, 1)),
    };
}

/// <summary>How a binary layer makes one bit of each value.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<BinarizationRule>))]
public enum BinarizationRule
{
    /// <summary>sign(x), where sign(0) = 1; sign(w) times the mean of |w| over the filter.</summary>
    XnorNet,

    /// <summary>clip(x, 0, 1) rounded to 0 or 1, a half to 0; sign(w) times the mean of |w| over the layer.</summary>
    DoReFa,
}

/// <summary>A fully connected layer, from a vector [I] to a vector [O].</summary>
public sealed record LinearNode : LayerNode
{
    /// <summary>The weights [O, I].</summary>
    public required TensorData Weight { get; init; }

    /// <inheritdoc/>
    [JsonIgnore]
    public override TensorData Weights => Weight;

    private protected override string WeightsName => "weight";

    private protected override FeatureShape SumsOf(FeatureShape input)
    {
        if (!input.IsVector || Weight.Shape is not [> 0 and <= int.MaxValue, > 0])
        {
            throw new GraphException($"a fully connected layer of {Weight} takes a vector, not {input}");
        }

        Check(Weight, "weight", Weight.Shape[0], input.Channels);
        return FeatureShape.Vector((int)Weight.Shape[0]);
    }
}

/// <summary>BatchNorm with the statistics of training: (x - running mean) / sqrt(running variance + epsilon) * weight + bias.</summary>
public sealed record BatchNormNode : GraphNode
{
    /// <summary>[C]; null for 1.</summary>
    public TensorData? Weight { get; init; }

    /// <summary>[C]; null for 0.</summary>
    public TensorData? Bias { get; init; }

    /// <summary>[C].</summary>
    public required TensorData RunningMean { get; init; }

    /// <summary>[C].</summary>
    public required TensorData RunningVariance { get; init; }

    /// <summary>What is added to the variance.</summary>
    public required double Epsilon { get; init; }

    /// <inheritdoc/>
    [JsonIgnore]
    public override IEnumerable<KeyValuePair<string, TensorData>> Tensors =>
        from tensor in ((string Name, TensorData? Data)[])
            [("weight", Weight), ("bias", Bias), ("running_mean", RunningMean), ("running_var", RunningVariance)]
        where tensor.Data is not null
        select KeyValuePair.Create(tensor.Name, tensor.Data);

    /// <summary>What it does as (y - Mean) * Scale + Shift.</summary>
    /// <param name="bias">A bias of the layer before it, to be taken into the mean; null for none.</param>
    public Epilogue ToEpilogue(TensorData? bias = null)
    {
        float[] variance = RunningVariance.ToFloats(), mean = RunningMean.ToFloats();
        float[]? weight = Weight?.ToFloats(), layerBias = bias?.ToFloats();
        float[] scale = [.. variance.Select((v, c) => (float)((weight?[c] ?? 1.0) / Math.Sqrt(v + Epsilon)))];
        return new Epilogue
        {
            Mean = layerBias is null ? RunningMean : TensorData.FromFloats([.. mean.Select((m, c) => m - layerBias[c])], mean.Length),
            Scale = TensorData.FromFloats(scale, scale.Length),
            Shift = Bias,
        };
    }

    private protected override FeatureShape ShapeOf(IReadOnlyList<FeatureShape> inputs)
    {
        FeatureShape input = Single(inputs);
        foreach ((string name, TensorData tensor) in Tensors)
        {
            Check(tensor, name, input.Channels);
        }

        return Epsilon >= 0 ? input : throw new GraphException($"its epsilon is {Epsilon}");
    }
}
