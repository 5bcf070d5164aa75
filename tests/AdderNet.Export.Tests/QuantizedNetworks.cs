using AdderNet.Checkpoints;
using AdderNet.Graph;

namespace AdderNet.Export.Tests;

/// <summary>Quantized networks with random integers, whose codes spread over their grids.</summary>
internal static class QuantizedNetworks
{
    /// <summary>
    /// A network with every kind of quantized node, strides, dilations, groups, borders, residuals of 8 and 16 bits, and images with black
    /// around them.
    /// </summary>
    public static NetworkGraph Everything(int seed, int bits = 7, int channels = 3)
    {
        Random random = new(seed);
        Grid image = new(0.02, 8, zero: 107), codes = Grid.To(3, bits);
        Grid wide = new(0.001, 16, zero: 30000), scores = new(0.01, 20, zero: 1 << 19);
        GraphNode[] nodes =
        [
            InputNode.Of("image", new FeatureShape(channels, 11, 9)),
            new QuantizeNode { Name = "codes", Inputs = ["image"], Grid = image },
            Convolution(random, "stem", ["codes"], image, codes, 8, channels, new WindowGeometry(3, 3, PaddingH: 1, PaddingW: 1)),
            Adder(random, "a", ["stem"], codes, codes, 8, 8, new WindowGeometry(3, 3, PaddingH: 1, PaddingW: 1)),
            // The 16-bit branch of a residual block.
            Adder(random, "wide", ["stem"], codes, wide, 8, 8, new WindowGeometry(1, 1)),
            Adder(random, "b", ["a", "wide"], codes, codes, 8, 8, new WindowGeometry(3, 3, PaddingH: 1, PaddingW: 1), residual: wide),
            Adder(random, "c", ["b", "stem"], codes, codes, 8, 8, new WindowGeometry(1, 1), residual: codes),
            Adder(random, "depthwise", ["c"], codes, codes, 8, 8, new WindowGeometry(3, 2, 2, 1, 2, 1, 2, 1), groups: 8),
            Adder(random, "grouped", ["depthwise"], codes, codes, 8, 12, new WindowGeometry(2, 3, 1, 2, 1, 2), groups: 2),
            new MaxPoolNode { Name = "max", Inputs = ["grouped"], Window = new WindowGeometry(3, 3, 2, 2, 1, 1) },
            new RequantizeNode { Name = "again", Inputs = ["max"], InputGrid = codes, Grid = codes, Multiplier = 5, Offset = 3, Shift = 2 },
            new ConcatenateNode { Name = "both", Inputs = ["max", "again"] },
            new ChannelShuffleNode { Name = "shuffle", Inputs = ["both"], Groups = 3 },
            new ShiftNode
            {
                Name = "shift",
                Inputs = ["shuffle"],
                Rows = [.. Enumerable.Range(0, 24).Select(i => i % 3 - 1)],
                Columns = [.. Enumerable.Range(0, 24).Select(i => i % 4 - 2)],
            },
            new SelectChannelsNode { Name = "picked", Inputs = ["shift"], Channels = [.. Enumerable.Range(0, 24).Select(i => 23 - i)] },
            new GlobalSumNode { Name = "sums", Inputs = ["picked"], InputGrid = codes },
        ];
        FeatureShape map = new NetworkGraph(nodes.SkipLast(1), [new GraphOutput("x", "picked")])["picked"].Shape;
        Grid means = GlobalSumNode.Sums(codes, map.Pixels);
        nodes[^1] = nodes[^1] with { Grid = means };
        return new NetworkGraph(
            [
                .. nodes,
                Convolution(random, "fc", ["sums"], means, scores, 5, 24, new WindowGeometry(1, 1)),
                new DequantizeNode { Name = "logits", Inputs = ["fc"], InputGrid = scores },
            ],
            [new GraphOutput("scores", "logits")],
            new NetworkMetadata(
                "everything", "noise", ["a", "b\"??/", "ç", "*/"],
                new InputPreparation([.. new[] { .5f, .4f, .45f }.Take(channels)], [.. new[] { .2f, .25f, .3f }.Take(channels)], Pad: 1)));
    }

    private static QuantizedAdderNode Adder(
        Random random, string name, string[] inputs, Grid input, Grid output, int inChannels, int outChannels, WindowGeometry w,
        int groups = 1, Grid? residual = null)
    {
        int length = inChannels / groups * w.KernelH * w.KernelW;
        byte[] codes = new byte[outChannels * length];
        // A third of the taps at 0 and a few at the top, as in trained networks.
        for (int i = 0; i < codes.Length; i++)
        {
            codes[i] = (byte)Math.Clamp(random.Next(-input.Top / 2, input.Top * 5 / 4), 0, input.Top);
        }

        return new QuantizedAdderNode
        {
            Name = name,
            Inputs = inputs,
            Filters = IntegerTensors.Of(codes, outChannels, inChannels / groups, w.KernelH, w.KernelW),
            Window = w,
            Groups = groups,
            InputGrid = input,
            Grid = output,
            Epilogue = Spread(random, outChannels, -0.4 * length * input.Top, 0.3 * Math.Sqrt(length) * input.Top, output, residual),
        };
    }

    private static QuantizedConvolutionNode Convolution(
        Random random, string name, string[] inputs, Grid input, Grid output, int outChannels, int inChannels, WindowGeometry w)
    {
        int length = inChannels * w.KernelH * w.KernelW;
        sbyte[] weights = [.. Enumerable.Range(0, outChannels * length).Select(_ => (sbyte)random.Next(-128, 128))];
        return new QuantizedConvolutionNode
        {
            Name = name,
            Inputs = inputs,
            Filters = IntegerTensors.Of(weights, outChannels, inChannels, w.KernelH, w.KernelW),
            Window = w,
            InputGrid = input,
            Grid = output,
            Epilogue = Spread(random, outChannels, 0, 40.0 * Math.Sqrt(length) * input.Top, output, null),
        };
    }

    /// <summary>Numbers that map sums of a mean and a deviation over the whole output grid, with factors of both signs.</summary>
    private static IntegerEpilogue Spread(Random random, int channels, double mean, double deviation, Grid output, Grid? residual)
    {
        int[] multiplier = new int[channels], shift = new int[channels], added = new int[channels];
        long[] offset = new long[channels];
        for (int o = 0; o < channels; o++)
        {
            shift[o] = random.Next(14, 33);
            double factor = output.Top / (5 * deviation) * (random.Next(2) * 2 - 1) * Math.Pow(2, shift[o]);
            while (Math.Abs(factor) > int.MaxValue)
            {
                factor /= 2;
                shift[o]--;
            }

            multiplier[o] = (int)factor;
            added[o] = residual is null ? 0 : (int)Math.Min(int.MaxValue, (double)output.Top / residual.Top / 2 * Math.Pow(2, shift[o]));
            offset[o] = (long)(output.Top * 0.4 * Math.Pow(2, shift[o]) - mean * multiplier[o]) - (long)added[o] * (residual?.Top ?? 0) / 2;
        }

        return new IntegerEpilogue
        {
            Multiplier = IntegerTensors.Of(multiplier, channels),
            Offset = IntegerTensors.Of(offset, channels),
            Shift = IntegerTensors.Of(shift, channels),
            ResidualMultiplier = residual is null ? null : IntegerTensors.Of(added, channels),
            ResidualGrid = residual,
        };
    }
}
