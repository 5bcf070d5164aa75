using System.Text.Json.Serialization;
using AdderNet.Checkpoints;

namespace AdderNet.Graph;

/// <summary>
/// A layer of integer sums over a window of codes, which become codes of its own <see cref="GraphNode.Grid"/>. Everything is exact in
/// 32-bit sums and the 64-bit arithmetic of its <see cref="IntegerEpilogue"/>.
/// </summary>
public abstract record QuantizedLayerNode : GraphNode
{
    private protected QuantizedLayerNode()
    {
    }

    /// <summary>The filters' integers [O, C / groups, kernel rows, kernel columns].</summary>
    public required TensorData Filters { get; init; }

    /// <summary>How they walk.</summary>
    public required WindowGeometry Window { get; init; }

    /// <summary>Groups of channels that see only each other; C for a depthwise layer.</summary>
    public int Groups { get; init; } = 1;

    /// <summary>The grid that the input's codes must be on.</summary>
    public required Grid InputGrid { get; init; }

    /// <summary>How sums become codes.</summary>
    public required IntegerEpilogue Epilogue { get; init; }

    /// <summary>Elements of the sum that one output element is.</summary>
    [JsonIgnore]
    public int SumLength => Filters.Count / (int)Filters.Shape[0];

    /// <inheritdoc/>
    [JsonIgnore]
    public override IEnumerable<KeyValuePair<string, TensorData>> Tensors => [KeyValuePair.Create(WeightsName, Filters), .. Epilogue.Tensors];

    private protected abstract string WeightsName { get; }

    private protected abstract TensorDtype WeightsType { get; }

    /// <summary>Refuses filters that leave their grid, or whose sums could leave 32 bits.</summary>
    private protected abstract void CheckFilters();

    private protected sealed override FeatureShape ShapeOf(IReadOnlyList<FeatureShape> inputs)
    {
        int expected = Epilogue.AddsResidual ? 2 : 1;
        if (inputs.Count != expected)
        {
            throw new GraphException($"it takes {expected} input{(expected == 1 ? "" : "s, the second being added,")} and has {inputs.Count}");
        }

        (int height, int width) = Window.Over(inputs[0]);
        if (Filters.Shape is not [> 0 and <= int.MaxValue, ..] || Groups < 1 || Filters.Shape[0] % Groups != 0 || inputs[0].Channels % Groups != 0)
        {
            throw new GraphException($"{inputs[0].Channels} input channels and filters of {Filters} cannot be divided into {Groups} groups");
        }

        IntegerTensors.Check(Filters, WeightsType, "filters", Filters.Shape[0], inputs[0].Channels / Groups, Window.KernelH, Window.KernelW);
        FeatureShape output = new((int)Filters.Shape[0], height, width);
        Epilogue.Check(output.Channels);
        CheckFilters();
        return expected == 1 || inputs[1] == output
            ? output
            : throw new GraphException($"its output of {output} and what is added, {inputs[1]}, differ");
    }

    private protected sealed override Grid? GridOf(IReadOnlyList<Grid?> inputs)
    {
        InputGrid.Require(inputs[0], "its input");
        Epilogue.ResidualGrid?.Require(inputs[1], "its residual");
        return Grid ?? throw new GraphException("it has no grid for its output");
    }
}

/// <summary>
/// An adder layer on codes: Y = - sum |x - w| over each window, in whole steps of the grid that inputs and filters share; padding is code 0.
/// Filters are unsigned bytes.
/// </summary>
public sealed record QuantizedAdderNode : QuantizedLayerNode
{
    private protected override string WeightsName => "adder";

    private protected override TensorDtype WeightsType => TensorDtype.U8;

    private protected override void CheckFilters()
    {
        if (InputGrid is not { Bits: >= 4 and <= 8, Zero: 0 })
        {
            throw new GraphException($"an adder layer takes codes of 4 to 8 bits with zero at 0, not {InputGrid}");
        }

        if (Filters.Data.Span.IndexOfAnyExceptInRange((byte)0, (byte)InputGrid.Top) is >= 0 and int at)
        {
            throw new GraphException($"its filter code {Filters.Data.Span[at]} is beyond {InputGrid.Top}, the largest of {InputGrid.Bits} bits");
        }

        if ((long)SumLength * InputGrid.Top > int.MaxValue / 4)
        {
            throw new GraphException($"filters of {SumLength} elements are too long for 32-bit sums of {InputGrid.Bits} bits");
        }
    }
}

/// <summary>
/// A convolution on codes: Y = sum of (x - zero) * w over each window, zero being the input grid's; padding adds nothing. Filters are
/// signed bytes. A fully connected layer is one whose window is as large as its input.
/// </summary>
public sealed record QuantizedConvolutionNode : QuantizedLayerNode
{
    /// <summary>The largest |Y| that any input can give.</summary>
    [JsonIgnore]
    public long LargestSum => Filters.ToInt32s().Chunk(SumLength).Max(filter => filter.Sum(w => (long)Math.Abs(w)))
        * Math.Max(InputGrid.Zero, InputGrid.Top - InputGrid.Zero);

    private protected override string WeightsName => "weight";

    private protected override TensorDtype WeightsType => TensorDtype.I8;

    private protected override void CheckFilters()
    {
        if (LargestSum > int.MaxValue)
        {
            throw new GraphException($"its sums reach {LargestSum}, beyond 32 bits");
        }
    }
}
