using System.Text.Json.Serialization;

namespace AdderNet.Graph;

/// <summary>Values to codes, as <see cref="Grid.Code"/> says, of its <see cref="GraphNode.Grid"/>.</summary>
public sealed record QuantizeNode : GraphNode
{
    private protected override FeatureShape ShapeOf(IReadOnlyList<FeatureShape> inputs) => Single(inputs);

    private protected override Grid? GridOf(IReadOnlyList<Grid?> inputs) => inputs[0] is null
        ? Grid ?? throw new GraphException("it has no grid for its output")
        : throw new GraphException("its input has codes already");
}

/// <summary>Codes to values: Step * (code - Zero) of the input's grid, in float64, then as float32.</summary>
public sealed record DequantizeNode : GraphNode
{
    /// <summary>The grid that the input's codes must be on.</summary>
    public required Grid InputGrid { get; init; }

    private protected override FeatureShape ShapeOf(IReadOnlyList<FeatureShape> inputs) => Single(inputs);

    private protected override Grid? GridOf(IReadOnlyList<Grid?> inputs)
    {
        InputGrid.Require(inputs[0], "its input");
        return null;
    }
}

/// <summary>
/// Codes of one grid to codes of another, in the integers of <see cref="IntegerEpilogue.Code"/> with the code as the sum:
/// clamp((code * Multiplier + Offset + 2^(Shift - 1)) / 2^Shift, 0, top), rounded down.
/// </summary>
public sealed record RequantizeNode : GraphNode
{
    /// <summary>The grid that the input's codes must be on.</summary>
    public required Grid InputGrid { get; init; }

    /// <summary>Factor of a code.</summary>
    public required int Multiplier { get; init; }

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
        return Single(inputs);
    }

    private protected override Grid? GridOf(IReadOnlyList<Grid?> inputs)
    {
        InputGrid.Require(inputs[0], "its input");
        return Grid ?? throw new GraphException("it has no grid for its output");
    }
}

/// <summary>
/// The sum of each channel's codes: a map [C, H, W] to [C, 1, 1]. On a grid whose step is smaller by H * W the sum is the mean: nothing is
/// rounded.
/// </summary>
public sealed record GlobalSumNode : GraphNode
{
    /// <summary>The grid that the input's codes must be on.</summary>
    public required Grid InputGrid { get; init; }

    /// <summary>The grid of sums of so many codes.</summary>
    /// <param name="grid">The codes' grid.</param>
    /// <param name="pixels">H * W.</param>
    /// <exception cref="GraphException">The sums have too many bits.</exception>
    public static Grid Sums(Grid grid, int pixels)
    {
        ArgumentNullException.ThrowIfNull(grid);
        ArgumentOutOfRangeException.ThrowIfLessThan(pixels, 1);
        long top = (long)grid.Top * pixels;
        return new Grid(grid.Step / pixels, 64 - (int)long.LeadingZeroCount(top), checked(grid.Zero * pixels));
    }

    private protected override FeatureShape ShapeOf(IReadOnlyList<FeatureShape> inputs) =>
        Single(inputs) is { IsVector: false } map && Sums(InputGrid, map.Pixels) is { } sums && (Grid is null || Grid == sums)
            ? new FeatureShape(map.Channels, 1, 1)
            : throw new GraphException($"the sums of {inputs[0]} are not on its grid of {Grid}");

    private protected override Grid? GridOf(IReadOnlyList<Grid?> inputs)
    {
        InputGrid.Require(inputs[0], "its input");
        return Grid ?? throw new GraphException("it has no grid for its output");
    }
}
