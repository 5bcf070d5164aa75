using System.Text.Json.Serialization;

namespace AdderNet.Graph;

/// <summary>
/// What integer codes stand for: value = <see cref="Step"/> * (code - <see cref="Zero"/>), with codes from 0 to <see cref="Top"/>. Codes
/// may be compared or added only where their grids are equal, so nodes say which grid they expect and refuse another.
/// </summary>
public sealed record Grid
{
    /// <summary>The most bits there can be: so many that a float32 holds each code exactly.</summary>
    public const int MostBits = 24;

    /// <summary>A grid.</summary>
    /// <param name="step">The difference between the values of two codes beside each other.</param>
    /// <param name="bits">Bits of a code, 1 to <see cref="MostBits"/>.</param>
    /// <param name="zero">The code of the value 0.</param>
    /// <exception cref="GraphException">The step is not positive and finite, or a number is out of range.</exception>
    public Grid(double step, int bits, int zero = 0)
    {
        if (!(step > 0 && double.IsFinite(1 / step) && double.IsFinite(step)) || bits is < 1 or > MostBits || zero < 0 || zero >= 1 << bits)
        {
            throw new GraphException($"There is no grid of step {step}, {bits} bits and zero at {zero}");
        }

        (Step, Bits, Zero) = (step, bits, zero);
    }

    /// <summary>The difference between the values of two codes beside each other.</summary>
    public double Step { get; }

    /// <summary>Bits of a code. Codes of up to 8 bits are kept in bytes, of up to 16 in two, others in four.</summary>
    public int Bits { get; }

    /// <summary>The code of the value 0; 0 where no value is negative.</summary>
    public int Zero { get; }

    /// <summary>The largest code, 2^bits - 1.</summary>
    [JsonIgnore]
    public int Top => (1 << Bits) - 1;

    /// <summary>Bytes that a code takes in memory: 1, 2 or 4.</summary>
    [JsonIgnore]
    public int CodeBytes => Bits <= 8 ? 1 : Bits <= 16 ? 2 : 4;

    /// <summary>The grid of codes 0 to 2^bits - 1 for values from 0 to a largest one.</summary>
    /// <param name="largest">The value of the top code.</param>
    /// <param name="bits">Bits of a code.</param>
    public static Grid To(double largest, int bits) => new(largest / ((1 << bits) - 1), bits);

    /// <summary>
    /// The code of a value: clamp(floor(value * (1 / Step) + Zero + 0.5), 0, Top) in float64, each operation rounded by itself; of NaN, 0.
    /// </summary>
    public int Code(double value)
    {
        double code = Math.Floor(value * (1 / Step) + Zero + 0.5);
        return code >= Top ? Top : code > 0 ? (int)code : 0;
    }

    /// <summary>The value of a code: Step * (code - Zero), in float64.</summary>
    public double Value(int code) => Step * (code - Zero);

    /// <summary>The grid in words.</summary>
    public override string ToString() =>
        FormattableString.Invariant($"{Bits} bits in steps of {Step:G6}{(Zero == 0 ? "" : $" with zero at {Zero}")}");

    /// <summary>Refuses codes of another grid.</summary>
    /// <param name="actual">The grid that they are on; null for values that are no codes.</param>
    /// <param name="what">Whose codes, as the start of a sentence: <c>its input</c>.</param>
    internal void Require(Grid? actual, string what)
    {
        if (actual != this)
        {
            throw new GraphException($"{what} has {(actual is null ? "no codes" : $"codes of {actual}")}, and it takes codes of {this}");
        }
    }

    /// <summary>The grid of all inputs of a node that only arranges or picks what it is given.</summary>
    internal static Grid? Common(IReadOnlyList<Grid?> inputs) => inputs.All(input => input == inputs[0])
        ? inputs.Count == 0 ? null : inputs[0]
        : throw new GraphException($"its inputs' codes are on different grids: {string.Join(" and ", inputs.Distinct().Select(g => g?.ToString() ?? "no codes"))}");
}
