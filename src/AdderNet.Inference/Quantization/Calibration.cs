using AdderNet.Checkpoints;
using AdderNet.Graph;
using AdderNet.Kernels;
using AdderNet.Kernels.Bytes;

namespace AdderNet.Inference;

/// <summary>One quantization: goes through a fused network in order, with what all images give in the float32 and in the integer network.</summary>
/// <param name="fused">The float32 network.</param>
/// <param name="input">Its input.</param>
/// <param name="images">Images [N, C, H, W].</param>
/// <param name="bits">Bits of adder layers' codes.</param>
/// <param name="trained">The largest input of adder layers that were trained on their grid, by name. What they should give is then what their
/// rounded inputs give.</param>
internal sealed class Calibration(
    NetworkGraph fused, InputNode input, float[] images, int bits, IReadOnlyDictionary<string, double> trained)
{
    /// <summary>Images that a layer's grid is chosen with.</summary>
    private const int TrialImages = 64;

    /// <summary>Bits of codes that are added, pooled or multiplied, of a network's input at most, and of its scores.</summary>
    private const int OrdinaryBits = 8, InputBits = 12, SignedBits = 16, ScoreBits = 20;

    private readonly int count = images.Length / input.Shape.Count;
    private readonly Dictionary<string, Signal> signals = [];
    private readonly List<GraphNode> nodes = [];
    private readonly List<QuantizedLayer> layers = [];

    /// <summary>A value for all images.</summary>
    /// <param name="Node">The quantized network's node that gives its codes.</param>
    /// <param name="Shape">Its shape there.</param>
    /// <param name="Grid">The grid of the codes.</param>
    /// <param name="Exact">Values in the float32 network.</param>
    /// <param name="Codes">Codes in the integer network.</param>
    /// <param name="Rule">How the grid was chosen.</param>
    /// <param name="Compared">The same on the grid of adder layers that read it, where that is another.</param>
    private sealed record Signal(
        string Node, FeatureShape Shape, Grid Grid, float[] Exact, int[] Codes, string Rule, Signal? Compared = null)
    {
        public float[] Values => Array.ConvertAll(Codes, code => (float)Grid.Value(code));

        /// <summary>What adder layers read.</summary>
        public Signal ToCompare => Compared ?? this;
    }

    public QuantizedNetwork Run()
    {
        foreach (GraphNode node in fused.Nodes)
        {
            signals[node.Name] = node switch
            {
                InputNode => Start(),
                FlattenNode => signals[node.Inputs[0]],
                MaxPoolNode pool => Pool(pool),
                GlobalAveragePoolNode => Average(node),
                LayerNode layer => Layer(layer),
                _ => throw new InferenceException($"The node '{node.Name}' cannot be quantized."),
            };
            Forget(node);
        }

        return new QuantizedNetwork(new NetworkGraph(nodes, [.. fused.Outputs.Select(Finish)], fused.Metadata), layers);
    }

    private GraphOutput Finish(GraphOutput output)
    {
        Signal signal = signals[output.Node];
        string name = signal.Node;
        if (fused[output.Node].Shape is { IsVector: true } && !signal.Shape.IsVector)
        {
            nodes.Add(new FlattenNode { Name = name = $"{output.Name}.codes", Inputs = [signal.Node] });
        }

        nodes.Add(new DequantizeNode { Name = $"{output.Name}.values", Inputs = [name], InputGrid = signal.Grid });
        return output with { Node = nodes[^1].Name };
    }

    /// <summary>Frees what no node after this one reads.</summary>
    private void Forget(GraphNode done)
    {
        HashSet<string> needed = [.. fused.Outputs.Select(o => o.Node), .. fused.Nodes.SkipWhile(n => n != done).Skip(1).SelectMany(n => n.Inputs)];
        foreach (string name in signals.Keys.Where(name => !needed.Contains(name)).ToArray())
        {
            signals.Remove(name);
        }
    }

    private Signal Start()
    {
        nodes.Add(input with { Grid = null });
        double low = Math.Min(0, images.Min()), high = Math.Max(0, images.Max());
        if (fused.Metadata.Preparation is { } preparation)
        {
            // Black and white, whether the calibration images have them or not.
            low = Math.Min(low, preparation.Mean.Zip(preparation.Std, (mean, std) => (0 - mean) / std).Min());
            high = Math.Max(high, preparation.Mean.Zip(preparation.Std, (mean, std) => (1 - mean) / std).Max());
        }

        LayerNode[] readers = [.. Readers(input.Name).Select(reader => reader.Node).OfType<LayerNode>()];
        Grid grid = Signed(low, high, InputBits);
        while (grid.Bits > OrdinaryBits && readers.Any(reader => LargestSum(reader, grid) >= 1 << 24))
        {
            grid = Signed(low, high, grid.Bits - 1);
        }

        nodes.Add(new QuantizeNode { Name = $"{input.Name}.codes", Inputs = [input.Name], Grid = grid });
        return new Signal(nodes[^1].Name, input.Shape, grid, images, Array.ConvertAll(images, v => grid.Code(v)), "range");
    }

    private Signal Pool(MaxPoolNode pool)
    {
        Signal x = signals[pool.Inputs[0]];
        nodes.Add(pool with { Inputs = [x.Node], Grid = null });
        float[] codes = FloatLayers.Run(pool, x.Shape, Array.ConvertAll(x.Codes, code => (float)code));
        Signal pooled = x with
        {
            Node = pool.Name,
            Shape = pool.Shape,
            Exact = FloatLayers.Run(pool, x.Shape, x.Exact),
            Codes = Array.ConvertAll(codes, code => (int)code),
            Compared = null,
        };
        return Compare(pool.Name, pooled, pooled.Values);
    }

    private Signal Average(GraphNode node)
    {
        Signal x = signals[node.Inputs[0]];
        int pixels = x.Shape.Pixels;
        Grid grid = GlobalSumNode.Sums(x.Grid, pixels);
        nodes.Add(new GlobalSumNode { Name = node.Name, Inputs = [x.Node], InputGrid = x.Grid, Grid = grid });
        return new Signal(
            node.Name, node.Shape, grid, FloatLayers.Run(node, x.Shape, x.Exact), [.. x.Codes.Chunk(pixels).Select(plane => plane.Sum())], x.Rule);
    }

    private Signal Layer(LayerNode layer)
    {
        Signal all = signals[layer.Inputs[0]], x = layer is AdderNode ? all.ToCompare : all;
        Signal? residual = layer.Epilogue?.AddsResidual == true ? signals[layer.Inputs[1]] : null;
        FeatureShape shape = layer.Shape.IsVector ? new FeatureShape(layer.Shape.Channels, 1, 1) : layer.Shape;
        (FilterNode filters, TensorData integers, double[] unit, float[] sums) = Integers(layer, x);

        // What the sums should give: the float32 network's outputs, less what the residual adds here.
        float[] exact = FloatLayers.Finish(
            layer, FloatLayers.Run(layer, fused[layer.Inputs[0]].Shape, Seen(layer, x.Exact), layer is AdderNode), residual?.Exact);
        float[] added = residual?.Values ?? [];
        float[] wanted = residual is null ? exact : [.. exact.Zip(added, (e, r) => e - r)];
        LineFit[] fits = LineFit.OfChannels(sums, wanted, shape.Channels, shape.Pixels);
        (double[] factor, _) = FloatLayers.Line(layer);
        double[] slope = new double[shape.Channels], intercept = new double[shape.Channels];
        for (int o = 0; o < slope.Length; o++)
        {
            double expected = factor[o] * unit[o];
            slope[o] = expected == 0 ? 0 : expected * Math.Clamp(fits[o].Slope / expected, 0.5, 2);
            intercept[o] = fits[o].MeanY - slope[o] * fits[o].MeanX;
        }

        bool relu = layer.Epilogue?.Minimum == 0;
        float[] values = new float[sums.Length];
        double missed = 0, spread = fits.Sum(fit => fit.Spread);
        for (int i = 0; i < values.Length; i++)
        {
            int o = i / shape.Pixels % shape.Channels;
            float value = (float)(slope[o] * sums[i] + intercept[o]);
            missed += Math.Pow(value - wanted[i], 2);
            value += residual is null ? 0 : added[i];
            values[i] = relu && value < 0 ? 0 : value;
            exact[i] = relu && exact[i] < 0 ? 0 : exact[i];
        }

        (Grid grid, string rule) = Grid(layer, exact, values, shape, relu);
        IntegerEpilogue epilogue = Epilogue(grid, slope, intercept, residual);
        nodes.Add(Node(layer, filters, integers, x, residual, grid, epilogue));
        Report(layer, x, integers, Math.Sqrt(missed / Math.Max(spread, double.Epsilon)));
        int[] codes = Codes(sums, residual, epilogue, grid, shape);
        Signal signal = new(layer.Name, shape, grid, exact, codes, rule);
        return Compare(layer.Name, signal, signal.Values);
    }

    /// <summary>What a layer of the float32 network reads: on its grid where it was trained so.</summary>
    private float[] Seen(LayerNode layer, float[] x)
    {
        if (layer is not AdderNode || !trained.TryGetValue(layer.Name, out double largest))
        {
            return x;
        }

        Grid grid = AdderNet.Graph.Grid.To(largest, bits);
        return Array.ConvertAll(x, v => (float)grid.Value(grid.Code(v)));
    }

    private void Report(LayerNode layer, Signal x, TensorData integers, double error)
    {
        bool adder = layer is AdderNode;
        ReadOnlySpan<byte> codes = integers.Data.Span;
        double skipped = adder ? codes.Count((byte)0) : 0, plain = adder ? codes.Count((byte)x.Grid.Top) : 0, all = integers.Count;
        layers.Add(new QuantizedLayer(
            layer.Name, adder ? x.Grid.Bits : OrdinaryBits, x.Grid.Value(x.Grid.Top), x.Rule, skipped / all, plain / all,
            adder ? (all - skipped - plain) / all : 0, error));
    }

    private static QuantizedLayerNode Node(
        LayerNode layer, FilterNode filters, TensorData integers, Signal x, Signal? residual, Grid grid, IntegerEpilogue epilogue)
    {
        string[] inputs = residual is null ? [x.Node] : [x.Node, residual.Node];
        return layer is AdderNode
            ? new QuantizedAdderNode
            {
                Name = layer.Name,
                Inputs = inputs,
                Filters = integers,
                Window = filters.Window,
                Groups = filters.Groups,
                InputGrid = x.Grid,
                Epilogue = epilogue,
                Grid = grid,
            }
            : new QuantizedConvolutionNode
            {
                Name = layer.Name,
                Inputs = inputs,
                Filters = integers,
                Window = filters.Window,
                Groups = filters.Groups,
                InputGrid = x.Grid,
                Epilogue = epilogue,
                Grid = grid,
            };
    }

    /// <summary>A layer's filters in integers, what one step of a sum is worth in each channel, and the sums for all images.</summary>
    private static (FilterNode Filters, TensorData Integers, double[] Unit, float[] Sums) Integers(LayerNode layer, Signal x)
    {
        FilterNode filters = AsFilters(layer, x.Shape);
        if (layer is AdderNode)
        {
            byte[] codes = AdderCodes(filters, x.Grid);
            double[] steps = [.. Enumerable.Repeat(x.Grid.Step, layer.Shape.Channels)];
            return (filters, IntegerTensors.Of(codes, filters.Filters.Shape), steps, AdderSums(filters, x.Shape, codes, x.Grid.Bits, x.Codes));
        }

        (sbyte[] weights, double[] scales) = Weights(filters, x.Grid);
        TensorData integers = IntegerTensors.Of(weights, filters.Filters.Shape);
        float[] fromZero = Array.ConvertAll(x.Codes, code => (float)(code - x.Grid.Zero));
        FilterNode convolution = ((ConvolutionNode)filters) with { Filters = TensorData.FromFloats(integers.ToFloats(), integers.Shape) };
        return (filters, integers, [.. scales.Select(scale => scale * x.Grid.Step)], FloatLayers.Run(convolution, x.Shape, fromZero));
    }

    /// <summary>A fully connected layer as a convolution whose window is its input.</summary>
    private static FilterNode AsFilters(LayerNode layer, FeatureShape x) => layer is LinearNode linear
        ? new ConvolutionNode
        {
            Name = layer.Name,
            Window = new WindowGeometry(x.Height, x.Width),
            Filters = TensorData.FromFloats(linear.Weight.ToFloats(), layer.Shape.Channels, x.Channels, x.Height, x.Width),
            Shape = new FeatureShape(layer.Shape.Channels, 1, 1),
        }
        : (FilterNode)layer;

    private static byte[] AdderCodes(FilterNode filters, Grid grid) => Array.ConvertAll(filters.Filters.ToFloats(), w => (byte)grid.Code(w));

    private static float[] AdderSums(FilterNode filters, FeatureShape input, byte[] codes, int bits, int[] x)
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

    /// <summary>A convolution's weights in signed bytes, with a scale a filter, so small that sums stay within 32 bits.</summary>
    private static (sbyte[] Weights, double[] Scales) Weights(FilterNode filters, Grid input)
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
            double room = Math.Max(int.MaxValue / reach - 0.5 * filter.Length, 1);
            scales[o] = largest == 0 ? 1 : Math.Max(largest / sbyte.MaxValue, sum / room);
            for (int i = 0; i < filter.Length; i++)
            {
                integers[o * filter.Length + i] = (sbyte)Math.Round(filter[i] / scales[o]);
            }
        }

        return (integers, scales);
    }

    private static double LargestSum(LayerNode layer, Grid grid)
    {
        FilterNode filters = layer as FilterNode
            ?? throw new InferenceException($"The node '{layer.Name}' cannot be quantized: it reads the input as a vector.");
        return Weights(filters, grid).Weights.Chunk(filters.SumLength).Max(filter => filter.Sum(w => Math.Abs((long)w)))
            * (double)Math.Max(grid.Zero, grid.Top - grid.Zero);
    }

    /// <summary>The grid of a layer's output, for whatever reads it.</summary>
    private (Grid Grid, string Rule) Grid(LayerNode layer, float[] exact, float[] values, FeatureShape shape, bool relu)
    {
        Reader[] readers = [.. Readers(layer.Name)];
        double low = values.Min(), high = values.Max();
        if (readers.Any(reader => reader.Node is null))
        {
            // Scores: twice what was met on either side.
            double most = 2 * Math.Max(Math.Max(-low, high), 1e-6);
            return (Signed(-most, most, ScoreBits), "range");
        }

        if (!relu)
        {
            bool added = readers.Any(reader => reader.IsResidual);
            return (Signed(Math.Min(low, 0), Math.Max(high, 0), added ? OrdinaryBits : SignedBits), "range");
        }

        bool onlyCompared = readers.All(reader => reader is { Node: AdderNode, IsResidual: false });
        return onlyCompared || (bits == OrdinaryBits && readers.Any(reader => reader.Node is AdderNode && !reader.IsResidual))
            ? Search(layer.Name, exact, values, shape)
            : (AdderNet.Graph.Grid.To(high > 1e-6 ? high : 1, OrdinaryBits), "max"); // Where every ReLU is shut, any grid will do.
    }

    /// <summary>Adds codes on the grid of the adder layers that read a value, where it has to be another than the value's own.</summary>
    private Signal Compare(string name, Signal signal, float[] values)
    {
        bool compared = fused.Nodes.Any(node => node is AdderNode && node.Inputs[0] == name);
        if (!compared || signal.Grid.Bits == bits)
        {
            return signal;
        }

        (Grid wanted, string rule) = Search(name, signal.Exact, values, signal.Shape);

        // A factor of so many bits that 16-bit lanes hold the products, and the grid that is exactly this factor away.
        double ratio = signal.Grid.Step / wanted.Step;
        int shift = Math.Clamp(7 - (int)Math.Floor(Math.Log2(ratio)), 1, 15), multiplier = Math.Max(1, (int)Math.Round(Math.ScaleB(ratio, shift)));
        Grid grid = new(Math.ScaleB(signal.Grid.Step, shift) / multiplier, bits);
        RequantizeNode node = new()
        {
            Name = $"{name}.compared",
            Inputs = [signal.Node],
            InputGrid = signal.Grid,
            Grid = grid,
            Multiplier = multiplier,
            Offset = 0,
            Shift = shift,
        };
        nodes.Add(node);
        int[] codes = Array.ConvertAll(signal.Codes, code => IntegerEpilogue.Code(code, multiplier, 0, shift, grid.Top));
        return signal with { Compared = new Signal(node.Name, signal.Shape, grid, signal.Exact, codes, rule) };
    }

    /// <summary>The grid on which adder layers compare a value: the one they were trained on, or the best for them.</summary>
    private (Grid Grid, string Rule) Search(string name, float[] exact, float[] values, FeatureShape shape)
    {
        double[] largest = [.. Comparing(name).Select(reader => trained.GetValueOrDefault(reader.Node!.Name)).Where(range => range > 0)];
        return largest.Length > 0
            ? (AdderNet.Graph.Grid.To(largest.Max(), bits), "training")
            : GridSearch.Find(Trials(name, exact, values, shape), values, bits);
    }

    private IEnumerable<Reader> Comparing(string name) => Readers(name).Where(reader => reader is { Node: AdderNode, IsResidual: false });

    /// <summary>What the adder layers that read a value make of it, for some images.</summary>
    private List<GridSearch.Trial> Trials(string name, float[] exact, float[] values, FeatureShape shape)
    {
        int some = Math.Min(count, TrialImages) * shape.Count;
        List<GridSearch.Trial> trials = [];
        foreach (Reader reader in Comparing(name))
        {
            float[] x = values[..some], y = exact[..some];
            FeatureShape at = shape;
            foreach (MaxPoolNode pool in reader.Through)
            {
                (x, y, at) = (FloatLayers.Run(pool, at, x), FloatLayers.Run(pool, at, y), pool.Shape);
            }

            AdderNode layer = (AdderNode)reader.Node!;
            (double[] factor, _) = FloatLayers.Line(layer);
            float[] sums = FloatLayers.Run(layer, at, y, neverNegative: true);
            FeatureShape from = at;
            trials.Add(new GridSearch.Trial(x, sums, factor, layer.Shape, (codes, grid) =>
                AdderSums(layer, from, AdderCodes(layer, grid), grid.Bits, codes)));
        }

        return trials;
    }

    private static IntegerEpilogue Epilogue(Grid grid, double[] slope, double[] intercept, Signal? residual)
    {
        double ratio = residual is null ? 0 : residual.Grid.Step / grid.Step;
        double[] scale = [.. slope.Select(s => s / grid.Step)];
        double[] shift = [.. intercept.Select(b => b / grid.Step + grid.Zero - (residual?.Grid.Zero ?? 0) * ratio)];
        return EpilogueFactory.Of(grid, scale, shift, ratio, residual?.Grid);
    }

    private static int[] Codes(float[] sums, Signal? residual, IntegerEpilogue epilogue, Grid grid, FeatureShape shape)
    {
        int[] multiplier = epilogue.Multiplier.ToInt32s(), shift = epilogue.Shift.ToInt32s(), codes = new int[sums.Length];
        int[]? factor = epilogue.ResidualMultiplier?.ToInt32s();
        long[] offset = epilogue.Offset.ToInt64s();
        for (int i = 0; i < codes.Length; i++)
        {
            int o = i / shape.Pixels % shape.Channels;
            codes[i] = IntegerEpilogue.Code(
                (int)sums[i], multiplier[o], offset[o], shift[o], grid.Top, factor is null ? 0 : (long)residual!.Codes[i] * factor[o]);
        }

        return codes;
    }

    private static Grid Signed(double low, double high, int bits)
    {
        double step = Math.Max(high - low, 1e-6) / ((1 << bits) - 1);
        return new Grid(step, bits, (int)Math.Clamp(Math.Round(-low / step), 0, (1 << bits) - 1));
    }

    /// <summary>A layer that reads a value, through what poolings, and whether it adds it to its own sums; null for an output of the network.</summary>
    private sealed record Reader(GraphNode? Node, bool IsResidual, IReadOnlyList<MaxPoolNode> Through);

    private IEnumerable<Reader> Readers(string name, params IReadOnlyList<MaxPoolNode> through)
    {
        if (fused.Outputs.Any(output => output.Node == name))
        {
            yield return new Reader(null, false, through);
        }

        foreach (GraphNode node in fused.Nodes.Where(node => node.Inputs.Contains(name)))
        {
            IEnumerable<Reader> further = node switch
            {
                MaxPoolNode pool => Readers(node.Name, [.. through, pool]),
                FlattenNode => Readers(node.Name, through),
                _ => node.Inputs.Index().Where(i => i.Item == name).Select(i => new Reader(node, i.Index > 0, through)),
            };
            foreach (Reader reader in further)
            {
                yield return reader;
            }
        }
    }
}
