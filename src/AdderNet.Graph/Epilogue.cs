using AdderNet.Checkpoints;

namespace AdderNet.Graph;

/// <summary>
/// What a layer does with each output element y of channel o before it writes it:
/// clamp((y - Mean[o]) * Scale[o] + Shift[o] + residual, Minimum, Maximum). The mean is taken first because an adder layer's outputs are
/// large and alike: rounding them to scale before the difference is taken would cost digits.
/// </summary>
public sealed record Epilogue
{
    /// <summary>BatchNorm's running mean less the layer's bias, [O]; null for 0.</summary>
    public TensorData? Mean { get; init; }

    /// <summary>BatchNorm's weight / sqrt(running variance + epsilon), [O]; null for 1.</summary>
    public TensorData? Scale { get; init; }

    /// <summary>BatchNorm's bias, [O]; null for 0.</summary>
    public TensorData? Shift { get; init; }

    /// <summary>Whether the layer's last input is a summand of the output's shape.</summary>
    public bool AddsResidual { get; init; }

    /// <summary>The smallest value written: 0 after a ReLU; null for no bound.</summary>
    public float? Minimum { get; init; }

    /// <summary>The largest value written; null for no bound.</summary>
    public float? Maximum { get; init; }

    /// <summary>Whether it ends in a ReLU, and nothing else.</summary>
    public bool IsRelu => Minimum == 0 && Maximum is null;

    internal IEnumerable<KeyValuePair<string, TensorData>> Tensors =>
        from tensor in ((string Name, TensorData? Data)[])[("mean", Mean), ("scale", Scale), ("shift", Shift)]
        where tensor.Data is not null
        select KeyValuePair.Create(tensor.Name, tensor.Data);

    internal void Check(int channels)
    {
        foreach ((string name, TensorData tensor) in Tensors)
        {
            GraphNode.Check(tensor, name, channels);
        }

        if (Minimum is float.NaN || Maximum is float.NaN || Minimum > Maximum)
        {
            throw new GraphException($"its outputs cannot lie between {Minimum} and {Maximum}");
        }
    }
}
