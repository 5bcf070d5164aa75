using System.Text.Json.Serialization;

namespace AdderNet.Graph;

/// <summary>
/// The sum of two or more maps of codes, each on a grid of its own: v = sum of code * multiplier + Offset, and
/// code = clamp((v + 2^(Shift - 1)) / 2^Shift, 0, top), rounded down.
/// </summary>
public sealed record QuantizedAddNode : GraphNode
{
    /// <summary>The grids that the inputs' codes must be on.</summary>
    public required IReadOnlyList<Grid> InputGrids { get; init; }

    /// <summary>Factor of each input's codes.</summary>
    public required IReadOnlyList<int> Multipliers { get; init; }

    /// <summary>Summand, within +-2^60.</summary>
    public required long Offset { get; init; }

    /// <summary>Bits that are shifted out, 1 to 40.</summary>
    public required int Shift { get; init; }

    /// <summary><see cref="Offset"/> with the half in it that makes of rounding down a rounding of halves up.</summary>
    [JsonIgnore]
    public long RoundingOffset => IntegerEpilogue.Rounding(Offset, Shift);

    private protected override FeatureShape ShapeOf(IReadOnlyList<FeatureShape> inputs)
    {
        IntegerEpilogue.Check(Offset, Shift);
        return inputs.Count >= 2 && inputs.All(input => input == inputs[0]) && InputGrids.Count == inputs.Count && Multipliers.Count == inputs.Count
            ? inputs[0]
            : throw new GraphException($"it adds {InputGrids.Count} inputs of one shape, not {string.Join(", ", inputs)}");
    }

    private protected override Grid? GridOf(IReadOnlyList<Grid?> inputs)
    {
        foreach ((Grid expected, Grid? actual) in InputGrids.Zip(inputs))
        {
            expected.Require(actual, "an input");
        }

        return Grid ?? throw new GraphException("it has no grid for its output");
    }
}
