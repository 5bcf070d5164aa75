using AdderNet.Checkpoints;
using AdderNet.Graph;
using AdderNet.Kernels.Bytes;

namespace AdderNet.Inference;

/// <summary>Filters as integers, and what layers of them give.</summary>
internal static class IntegerFilters
{
    /// <summary>A fully connected layer as a convolution whose window is its input.</summary>
    public static FilterNode AsFilters(LayerNode layer, FeatureShape x) => layer is LinearNode linear
        ? new ConvolutionNode
        {
            Name = layer.Name,
            Window = new WindowGeometry(x.Height, x.Width),
            Filters = TensorData.FromFloats(linear.Weight.ToFloats(), layer.Shape.Channels, x.Channels, x.Height, x.Width),
            Shape = new FeatureShape(layer.Shape.Channels, 1, 1),
        }
        : (FilterNode)layer;

    /// <summary>An adder layer's filters as codes of the grid that its input is on.</summary>
    public static byte[] AdderCodes(FilterNode filters, Grid grid) => Array.ConvertAll(filters.Filters.ToFloats(), w => (byte)grid.Code(w));

    /// <summary>What an adder layer's sums are for the codes of all images.</summary>
    public static float[] AdderSums(FilterNode filters, FeatureShape input, byte[] codes, int bits, int[] x)
    {
        int n = x.Length / input.Count;
        ByteLayer layer = new(Steps.Shapes.Of(filters.Window, filters.Groups, input, filters.Shape.Channels, 1), codes, bits);
        WindowGeometry w = filters.Window;
        ByteLayout layout = new(input.Channels, input.Height, input.Width, Math.Max(w.PaddingH, w.PaddingW));
        const int at = 16;
        float[] sums = new float[n * filters.Shape.Count];
        for (int from = 0; from < n; from += at)
        {
            int now = Math.Min(at, n - from);
            BytePlanes planes = BytePlanes.Allocate(now, layout);
            planes.CopyFrom(Array.ConvertAll(x[(from * input.Count)..((from + now) * input.Count)], code => (byte)code));
            int[] y = new int[now * filters.Shape.Count];
            layer.Forward(planes, y);
            for (int i = 0; i < y.Length; i++)
            {
                sums[from * filters.Shape.Count + i] = y[i];
            }
        }

        return sums;
    }

    /// <summary>A convolution's weights in signed bytes, with a scale a filter, so small that sums stay within a bound if there is one.</summary>
    public static (sbyte[] Weights, double[] Scales) Weights(FilterNode filters, Grid input, int? most)
    {
        float[] weights = filters.Filters.ToFloats();
        double reach = Math.Max(input.Zero, input.Top - input.Zero);
        sbyte[] integers = new sbyte[weights.Length];
        double[] scales = new double[filters.Shape.Channels];
        for (int o = 0; o < scales.Length; o++)
        {
            Span<float> filter = weights.AsSpan(o * filters.SumLength, filters.SumLength);
            double largest = 0, sum = 0;
            foreach (float w in filter)
            {
                (largest, sum) = (Math.Max(largest, Math.Abs(w)), sum + Math.Abs(w));
            }

            // Rounding adds a half to each weight at most.
            double room = most is { } bound ? Math.Max(bound / reach - 0.5 * filter.Length, 1) : double.PositiveInfinity;
            scales[o] = largest == 0 ? 1 : Math.Max(largest / sbyte.MaxValue, sum / room);
            for (int i = 0; i < filter.Length; i++)
            {
                integers[o * filter.Length + i] = (sbyte)Math.Round(filter[i] / scales[o]);
            }
        }

        return (integers, scales);
    }

    /// <summary>The largest sum that a layer can give, its input being on a grid.</summary>
    public static double LargestSum(LayerNode layer, Grid grid)
    {
        FilterNode filters = AsFilters(layer, new FeatureShape(layer.SumLength, 1, 1));
        return LargestSum(filters, grid, Weights(filters, grid, null).Weights);
    }

    /// <summary>The largest sum of a convolution whose weights are these.</summary>
    public static double LargestSum(FilterNode filters, Grid grid, sbyte[] weights) =>
        weights.Chunk(filters.SumLength).Max(filter => filter.Sum(w => Math.Abs((long)w))) * (double)Math.Max(grid.Zero, grid.Top - grid.Zero);
}
