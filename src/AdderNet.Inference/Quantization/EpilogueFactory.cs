using AdderNet.Checkpoints;
using AdderNet.Graph;
using AdderNet.Kernels.Bytes;

namespace AdderNet.Inference;

/// <summary>Factors and summands in integers.</summary>
internal static class EpilogueFactory
{
    /// <summary>The integers that come nearest to code = sum * scale[o] + shift[o] + r * residualScale.</summary>
    public static IntegerEpilogue Of(Grid grid, double[] scale, double[] shift, double residualScale, Grid? residual)
    {
        int channels = scale.Length;
        if (grid.Bits <= 8)
        {
            Requantization r = Requantization.FromScales(grid.Top, scale, shift, residualScale);
            return new IntegerEpilogue
            {
                Multiplier = IntegerTensors.Of(r.Multiplier, channels),
                Offset = IntegerTensors.Of(r.Offset, channels),
                Shift = IntegerTensors.Of(r.Shift, channels),
                ResidualMultiplier = r.ResidualMultiplier is { } k ? IntegerTensors.Of(k, channels) : null,
                ResidualGrid = r.ResidualMultiplier is null ? null : residual,
            };
        }

        int[] multiplier = new int[channels], bits = new int[channels], added = new int[channels];
        long[] offset = new long[channels];
        for (int o = 0; o < channels; o++)
        {
            double largest = Math.Max(Math.Max(Math.Abs(scale[o]), residualScale), 1e-9);
            bits[o] = Math.Clamp(30 - (int)Math.Ceiling(Math.Log2(largest)), 1, 34);
            (multiplier[o], offset[o], added[o]) =
                ((int)Math.Round(Math.ScaleB(scale[o], bits[o])), (long)Math.Round(Math.ScaleB(shift[o], bits[o])),
                    (int)Math.Round(Math.ScaleB(residualScale, bits[o])));
        }

        return new IntegerEpilogue
        {
            Multiplier = IntegerTensors.Of(multiplier, channels),
            Offset = IntegerTensors.Of(offset, channels),
            Shift = IntegerTensors.Of(bits, channels),
            ResidualMultiplier = residual is null ? null : IntegerTensors.Of(added, channels),
            ResidualGrid = residual,
        };
    }
}
