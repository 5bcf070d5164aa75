using System.Text.Json.Serialization;
using AdderNet.Checkpoints;

namespace AdderNet.Graph;

/// <summary>How a quantized layer's sums become codes, channel by channel, in integers alone.</summary>
/// <remarks>
/// With Y the sum (32 bits), r the residual's code (0 where nothing is added), and 64-bit arithmetic throughout:
/// <code>
///     v = Y * Multiplier[o] + r * ResidualMultiplier[o] + Offset[o]
///     code = clamp((v + 2^(Shift[o] - 1)) / 2^Shift[o], 0, top)       rounded down, so that halves round up
/// </code>
/// In C99: <c>v += (int64_t)1 &lt;&lt; (shift - 1); code = v &lt; 0 ? 0 : v &gt;&gt; shift; if (code &gt; top) code = top;</c>.
/// BatchNorm, bias, the steps of all grids and the zeros of residual and output are in these numbers; where the output's zero is 0, the clamp
/// is the ReLU.
/// </remarks>
public sealed record IntegerEpilogue
{
    /// <summary>The largest shift.</summary>
    public const int MostShift = 40;

    private const long MostOffset = 1L << 60;

    /// <summary>Factor of the sum, 32-bit integers [O].</summary>
    public required TensorData Multiplier { get; init; }

    /// <summary>Summand, 64-bit integers within +-2^60 [O].</summary>
    public required TensorData Offset { get; init; }

    /// <summary>Bits that are shifted out, 32-bit integers from 1 to 40 [O].</summary>
    public required TensorData Shift { get; init; }

    /// <summary>Factor of the residual's code, 32-bit integers [O]; null where nothing is added.</summary>
    public TensorData? ResidualMultiplier { get; init; }

    /// <summary>The grid that the residual's codes must be on; null where nothing is added.</summary>
    public Grid? ResidualGrid { get; init; }

    /// <summary>Whether the layer's last input is a summand of the output's shape.</summary>
    [JsonIgnore]
    public bool AddsResidual => ResidualMultiplier is not null;

    internal IEnumerable<KeyValuePair<string, TensorData>> Tensors =>
        from tensor in ((string Name, TensorData? Data)[])
            [("multiplier", Multiplier), ("offset", Offset), ("bits", Shift), ("residual_multiplier", ResidualMultiplier)]
        where tensor.Data is not null
        select KeyValuePair.Create(tensor.Name, tensor.Data);

    /// <summary>
    /// Each channel's <see cref="Offset"/> with the half in it that makes of rounding down a rounding of halves up, [O].
    /// </summary>
    public long[] RoundingOffsets() => [.. Offset.ToInt64s().Zip(Shift.ToInt32s(), Rounding)];

    /// <summary>The code of one sum.</summary>
    /// <param name="sum">Y.</param>
    /// <param name="multiplier">Multiplier of the channel.</param>
    /// <param name="offset">Offset of the channel.</param>
    /// <param name="shift">Shift of the channel.</param>
    /// <param name="top">The output grid's largest code.</param>
    /// <param name="residual">r times its multiplier; 0 where nothing is added.</param>
    public static int Code(int sum, int multiplier, long offset, int shift, int top, long residual = 0)
    {
        long v = (long)sum * multiplier + residual + Rounding(offset, shift);
        return v < 0 ? 0 : (int)Math.Min(v >> shift, top);
    }

    internal static long Rounding(long offset, int shift) => offset + (1L << (shift - 1));

    internal static void Check(long offset, int shift)
    {
        if (shift is < 1 or > MostShift || offset is < -MostOffset or > MostOffset)
        {
            throw new GraphException($"it has a shift of {shift} and an offset of {offset}; shifts are 1 to {MostShift}, and offsets within +-2^60");
        }
    }

    internal void Check(int channels)
    {
        IntegerTensors.Check(Multiplier, TensorDtype.I32, "multiplier", channels);
        IntegerTensors.Check(Offset, TensorDtype.I64, "offset", channels);
        IntegerTensors.Check(Shift, TensorDtype.I32, "shift", channels);
        if (ResidualMultiplier is null != ResidualGrid is null)
        {
            throw new GraphException("its residual has a multiplier without a grid, or a grid without a multiplier");
        }

        if (ResidualMultiplier is not null)
        {
            IntegerTensors.Check(ResidualMultiplier, TensorDtype.I32, "residual multiplier", channels);
        }

        foreach ((long offset, int shift) in Offset.ToInt64s().Zip(Shift.ToInt32s()))
        {
            Check(offset, shift);
        }
    }
}
