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
/// <param name="arranged">Nodes before the outputs that arrange values rather than codes.</param>
internal sealed class Calibration(
    NetworkGraph fused, InputNode input, float[] images, int bits, IReadOnlyDictionary<string, double> trained, IReadOnlySet<string> arranged)
{
    /// <summary>Images that a layer's grid is chosen with.</summary>
    private const int TrialImages = 64;

    /// <summary>Bits of codes that are added, pooled or multiplied, of a network's input at most, and of its scores.</summary>
    private const int OrdinaryBits = 8, InputBits = 12, SignedBits = 16, ScoreBits = 20;

    /// <summary>Below this the engine takes the fast kernels.</summary>
    private const int ExactInFloat32 = Steps.QuantizedConvolutionStep.ExactInFloat32;

    /// <summary>How many times larger a weight's step may become for the fast kernels.</summary>
    private const double MostCoarser = 4;

    private readonly ValueReaders readers = new(fused, arranged);
    private readonly int count = images.Length / input.Shape.Count;
    private readonly Dictionary<string, Signal> signals = [];
    private readonly List<GraphNode> nodes = [];
    private readonly List<QuantizedLayer> layers = [];
    private readonly Dictionary<string, string> valuesOf = [];
    private readonly Dictionary<TensorData, List<TensorData>> integersOf = new(ReferenceEqualityComparer.Instance);

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
            if (arranged.Contains(node.Name))
            {
                Arrange(node);
                Forget(node);
                continue;
            }

            signals[node.Name] = node switch
            {
                InputNode => Start(),
                FlattenNode => signals[node.Inputs[0]],
                MaxPoolNode or UpsampleNode or ChannelShuffleNode or SelectChannelsNode or ShiftNode => Pick(node),
                ConcatenateNode => Join(node),
                GlobalAveragePoolNode => Average(node),
                AddNode add => Sum(add, fused.Rectified(add)),
                ReluNode => signals[node.Inputs[0]], // Done with the sum before it.
                LayerNode layer => Layer(layer),
                _ => throw new InferenceException($"The node '{node.Name}' cannot be quantized."),
            };
            Forget(node);
        }

        return new QuantizedNetwork(new NetworkGraph(nodes, [.. fused.Outputs.Select(Finish)], fused.Metadata), layers);
    }

    private GraphOutput Finish(GraphOutput output) =>
        arranged.Contains(output.Node) ? output : output with { Node = Values(output.Node, output.Name) };

    private void Arrange(GraphNode node) =>
        nodes.Add(node with { Inputs = [.. node.Inputs.Select(name => arranged.Contains(name) ? name : Values(name, name))] });

    /// <summary>The node that makes values of a signal's codes, in the shape that they have in the float32 network.</summary>
    private string Values(string name, string stem)
    {
        if (valuesOf.TryGetValue(name, out string? known))
        {
            return known;
        }

        Signal signal = signals[name];
        string codes = signal.Node;
        if (fused[name].Shape is { IsVector: true } && !signal.Shape.IsVector)
        {
            nodes.Add(new FlattenNode { Name = codes = Unused($"{stem}.codes"), Inputs = [signal.Node] });
        }

        nodes.Add(new DequantizeNode { Name = Unused($"{stem}.values"), Inputs = [codes], InputGrid = signal.Grid });
        return valuesOf[name] = nodes[^1].Name;
    }

    /// <summary>A name that no node has: not of the float32 network, nor of those that are made.</summary>
    private string Unused(string name)
    {
        while (fused.Nodes.Concat(nodes).Any(node => node.Name == name))
        {
            name += "'";
        }

        return name;
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

        Grid grid = Readable(input.Name, low, high, InputBits);
        nodes.Add(new QuantizeNode { Name = Unused($"{input.Name}.codes"), Inputs = [input.Name], Grid = grid });
        return new Signal(nodes[^1].Name, input.Shape, grid, images, Array.ConvertAll(images, v => grid.Code(v)), "range");
    }

    /// <summary>A node that picks some of the values that it is given.</summary>
    private Signal Pick(GraphNode node)
    {
        Signal x = signals[node.Inputs[0]];
        nodes.Add(node with { Inputs = [x.Node], Grid = null });
        int zero = x.Grid.Zero; // What a shift lets in is the value 0.
        float[] codes = FloatLayers.Run(node, x.Shape, Array.ConvertAll(x.Codes, code => (float)(code - zero)));
        Signal picked = x with
        {
            Node = node.Name,
            Shape = node.Shape,
            Exact = FloatLayers.Run(node, x.Shape, x.Exact),
            Codes = Array.ConvertAll(codes, code => (int)code + zero),
            Compared = null,
        };
        return Compare(node.Name, picked, picked.Values);
    }

    /// <summary>Channels of several values behind each other, on one grid for all.</summary>
    private Signal Join(GraphNode node)
    {
        Signal[] x = [.. node.Inputs.Select(name => signals[name])];
        float[] exact = Images(x, signal => signal.Exact), wanted = Images(x, signal => signal.Values);
        (Grid grid, string rule) = Grid(node.Name, exact, wanted, node.Shape, neverNegative: x.All(signal => signal.Grid.Zero == 0));
        Signal[] joined = [.. x.Select((signal, i) => signal.Grid == grid ? signal : OnGrid(signal, $"{node.Name}.{i}.joined", grid))];
        nodes.Add(node with { Inputs = [.. joined.Select(signal => signal.Node)], Grid = null, Shape = default });
        Signal result = new(node.Name, node.Shape, grid, exact, Images(joined, signal => signal.Codes), rule);
        return Compare(node.Name, result, result.Values);
    }

    /// <summary>Adds a node for the codes of a value on another grid, rounded to the nearest.</summary>
    private Signal OnGrid(Signal signal, string name, Grid grid)
    {
        double ratio = signal.Grid.Step / grid.Step;
        // As many bits as 32-bit lanes hold.
        int shift = Math.Clamp(22 - (int)Math.Ceiling(Math.Log2(ratio)), 1, 30), multiplier = (int)Math.Round(Math.ScaleB(ratio, shift));
        long offset = (long)Math.Round(Math.ScaleB(grid.Zero - signal.Grid.Zero * ratio, shift));
        return Requantized(signal, name, grid, multiplier, offset, shift);
    }

    /// <summary>Adds a node for the codes of a value on another grid: (multiplier * code + offset) / 2^shift, rounded.</summary>
    private Signal Requantized(Signal signal, string name, Grid grid, int multiplier, long offset, int shift)
    {
        nodes.Add(new RequantizeNode
        {
            Name = Unused(name),
            Inputs = [signal.Node],
            InputGrid = signal.Grid,
            Grid = grid,
            Multiplier = multiplier,
            Offset = offset,
            Shift = shift,
        });
        return signal with
        {
            Node = nodes[^1].Name,
            Grid = grid,
            Codes = Array.ConvertAll(signal.Codes, code => IntegerEpilogue.Code(code, multiplier, offset, shift, grid.Top)),
            Compared = null,
        };
    }

    /// <summary>What several signals have for each image, image by image.</summary>
    private T[] Images<T>(IEnumerable<Signal> parts, Func<Signal, T[]> values)
    {
        (T[] Values, int Length)[] all = [.. parts.Select(part => (values(part), part.Shape.Count))];
        return [.. Enumerable.Range(0, count).SelectMany(image => all.SelectMany(part => part.Values.Skip(image * part.Length).Take(part.Length)))];
    }

    /// <summary>A sum that no layer has taken in, with the ReLU behind it if there is one: a grid without codes below 0.</summary>
    private Signal Sum(AddNode add, ReluNode? relu)
    {
        GraphNode node = (GraphNode?)relu ?? add;
        Signal[] x = [.. add.Inputs.Select(name => signals[name])];
        float[] exact = Total(x.Select(signal => signal.Exact)), wanted = Total(x.Select(signal => signal.Values));
        if (relu is not null)
        {
            (exact, wanted) = (Array.ConvertAll(exact, v => Math.Max(v, 0)), Array.ConvertAll(wanted, v => Math.Max(v, 0)));
        }

        bool neverNegative = relu is not null || x.All(signal => signal.Grid.Zero == 0);
        (Grid grid, string rule) = Grid(node.Name, exact, wanted, node.Shape, neverNegative);

        // Factors of so many bits that 32-bit lanes hold what byte codes give.
        double[] ratio = [.. x.Select(signal => signal.Grid.Step / grid.Step)];
        double summand = grid.Zero - x.Zip(ratio, (signal, r) => signal.Grid.Zero * r).Sum();
        double most = 1 + Math.Abs(summand) + x.Zip(ratio, (signal, r) => signal.Grid.Top * r).Sum();
        int shift = Math.Clamp(30 - (int)Math.Ceiling(Math.Log2(most)), 1, 30);
        int[] multipliers = [.. ratio.Select(r => (int)Math.Round(Math.ScaleB(r, shift)))];
        long offset = (long)Math.Round(Math.ScaleB(summand, shift));
        nodes.Add(new QuantizedAddNode
        {
            Name = node.Name,
            Inputs = [.. x.Select(signal => signal.Node)],
            InputGrids = [.. x.Select(signal => signal.Grid)],
            Grid = grid,
            Multipliers = multipliers,
            Offset = offset,
            Shift = shift,
        });
        int[] codes = new int[exact.Length];
        for (int i = 0; i < codes.Length; i++)
        {
            long sum = 0;
            for (int n = 0; n < x.Length; n++)
            {
                sum += (long)x[n].Codes[i] * multipliers[n];
            }

            codes[i] = IntegerEpilogue.Code(0, 0, offset, shift, grid.Top, sum);
        }

        Signal result = new(node.Name, node.Shape, grid, exact, codes, rule);
        return Compare(node.Name, result, result.Values);
    }

    private static float[] Total(IEnumerable<float[]> summands) => summands.Aggregate((a, b) => [.. a.Zip(b, (p, q) => p + q)]);

    private Signal Average(GraphNode node)
    {
        Signal x = signals[node.Inputs[0]];
        int pixels = x.Shape.Pixels;
        Grid grid = GlobalSumNode.Sums(x.Grid, pixels);
        nodes.Add(new GlobalSumNode { Name = node.Name, Inputs = [x.Node], InputGrid = x.Grid, Grid = grid });
        int[] sums = [.. x.Codes.Chunk(pixels).Select(plane => plane.Sum())];
        Signal exact = new(node.Name, node.Shape, grid, FloatLayers.Run(node, x.Shape, x.Exact), sums, x.Rule);

        // Sums of so many pixels that a layer's sums of them would leave 32 bits lose their last bits.
        ValueReader[] reading = [.. readers.Of(node.Name)];
        int shift = 0;
        while (grid.Bits > OrdinaryBits && !reading.All(reader => Fits(reader, grid)))
        {
            (grid, shift) = (new Grid(2 * grid.Step, grid.Bits - 1, grid.Zero / 2), shift + 1);
        }

        return shift == 0 ? exact
            : Requantized(exact, $"{node.Name}.rounded", grid, 1, ((long)grid.Zero << shift) - exact.Grid.Zero, shift);
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

        (Grid grid, string rule) = Grid(layer.Name, exact, values, shape, relu);
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
    private (FilterNode Filters, TensorData Integers, double[] Unit, float[] Sums) Integers(LayerNode layer, Signal x)
    {
        FilterNode filters = IntegerFilters.AsFilters(layer, x.Shape);
        if (layer is AdderNode)
        {
            byte[] codes = IntegerFilters.AdderCodes(filters, x.Grid);
            double[] steps = [.. Enumerable.Repeat(x.Grid.Step, layer.Shape.Channels)];
            return (
                filters, Shared(layer, IntegerTensors.Of(codes, filters.Filters.Shape)), steps,
                IntegerFilters.AdderSums(filters, x.Shape, codes, x.Grid.Bits, x.Codes));
        }

        (sbyte[] weights, double[] scales) = IntegerFilters.Weights(filters, x.Grid, int.MaxValue);
        if (filters.Shape.Pixels > 1 && IntegerFilters.LargestSum(filters, x.Grid, weights) >= ExactInFloat32)
        {
            // For the fast kernels weights may lose a bit or two; where that is not enough, sums are taken in integers.
            (sbyte[] Weights, double[] Scales) fewer = IntegerFilters.Weights(filters, x.Grid, ExactInFloat32 - 1);
            if (fewer.Scales.Zip(scales).All(scale => scale.First <= MostCoarser * scale.Second))
            {
                (weights, scales) = fewer;
            }
        }

        TensorData integers = Shared(layer, IntegerTensors.Of(weights, filters.Filters.Shape));
        float[] fromZero = Array.ConvertAll(x.Codes, code => (float)(code - x.Grid.Zero));
        FilterNode convolution = ((ConvolutionNode)filters) with { Filters = TensorData.FromFloats(integers.ToFloats(), integers.Shape) };
        return (filters, integers, [.. scales.Select(scale => scale * x.Grid.Step)], FloatLayers.Run(convolution, x.Shape, fromZero));
    }

    /// <summary>A layer's integers: where another layer of the same weights has the same, its tensor.</summary>
    private TensorData Shared(LayerNode layer, TensorData integers)
    {
        if (!integersOf.TryGetValue(layer.Weights, out List<TensorData>? known))
        {
            integersOf[layer.Weights] = known = [];
        }

        if (known.Find(other => other.Data.Span.SequenceEqual(integers.Data.Span)) is { } same)
        {
            return same;
        }

        known.Add(integers);
        return integers;
    }

    /// <summary>The grid of what a node gives, for whatever reads it.</summary>
    private (Grid Grid, string Rule) Grid(string name, float[] exact, float[] values, FeatureShape shape, bool neverNegative)
    {
        ValueReader[] reading = [.. readers.Of(name)];
        double low = values.Min(), high = values.Max();
        if (reading.Any(reader => reader.Node is null))
        {
            // Scores: twice what was met on either side.
            double most = 2 * Math.Max(Math.Max(-low, high), 1e-6);
            return (Readable(name, neverNegative ? 0 : -most, most, ScoreBits), "range");
        }

        if (!neverNegative)
        {
            bool added = reading.Any(reader => reader.IsResidual);
            return (Readable(name, Math.Min(low, 0), Math.Max(high, 0), added ? OrdinaryBits : SignedBits), "range");
        }

        bool onlyCompared = reading.All(reader => reader is { Node: AdderNode, IsResidual: false });
        return onlyCompared || (bits == OrdinaryBits && reading.Any(reader => reader.Node is AdderNode && !reader.IsResidual))
            ? Search(name, exact, values, shape)
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

        // A factor of so many bits that 16-bit lanes hold the products of bytes, and the grid that is exactly this factor away.
        double ratio = signal.Grid.Step / wanted.Step;
        int most = signal.Grid.Bits <= OrdinaryBits ? 15 : 30, shift = Math.Clamp(7 - (int)Math.Floor(Math.Log2(ratio)), 1, most);
        int multiplier = Math.Max(1, (int)Math.Round(Math.ScaleB(ratio, shift)));
        Grid grid = new(Math.ScaleB(signal.Grid.Step, shift) / multiplier, bits);
        return signal with { Compared = Requantized(signal, $"{name}.compared", grid, multiplier, 0, shift) with { Rule = rule } };
    }

    /// <summary>The grid on which adder layers compare a value: the one they were trained on, or the best for them.</summary>
    private (Grid Grid, string Rule) Search(string name, float[] exact, float[] values, FeatureShape shape)
    {
        double largest = readers.Comparing(name).Select(reader => trained.GetValueOrDefault(reader.Node!.Name)).DefaultIfEmpty().Max();
        return largest > 0
            ? (AdderNet.Graph.Grid.To(largest, bits), "training")
            : GridSearch.Find(Trials(name, exact, values, shape), values, bits);
    }

    /// <summary>What the adder layers that read a value make of it, for some images.</summary>
    private List<GridSearch.Trial> Trials(string name, float[] exact, float[] values, FeatureShape shape)
    {
        int some = Math.Min(count, TrialImages) * shape.Count;
        List<GridSearch.Trial> trials = [];
        foreach (ValueReader reader in readers.Comparing(name))
        {
            float[] x = values[..some], y = exact[..some];
            FeatureShape at = shape;
            foreach (GraphNode pick in reader.Through)
            {
                (x, y, at) = (FloatLayers.Run(pick, at, x), FloatLayers.Run(pick, at, y), pick.Shape);
            }

            AdderNode layer = (AdderNode)reader.Node!;
            (double[] factor, _) = FloatLayers.Line(layer);
            float[] sums = FloatLayers.Run(layer, at, y, neverNegative: true);
            FeatureShape from = at;
            trials.Add(new GridSearch.Trial(x, sums, factor, layer.Shape, (codes, grid) =>
                IntegerFilters.AdderSums(layer, from, IntegerFilters.AdderCodes(layer, grid), grid.Bits, codes)));
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

    /// <summary>
    /// The grid of so many bits, or of so many fewer, 8 at least, that the ordinary layers that read the codes keep the 8 bits of their
    /// weights: the more bits either has, the sooner their sums are too large.
    /// </summary>
    private Grid Readable(string name, double low, double high, int most)
    {
        ValueReader[] reading = [.. readers.Of(name)];
        Grid grid = Signed(low, high, most);
        while (grid.Bits > OrdinaryBits && !reading.All(reader => Fits(reader, grid)))
        {
            grid = Signed(low, high, grid.Bits - 1);
        }

        return grid;
    }

    /// <summary>Whether a reader's sums of codes are no larger than they may be.</summary>
    private bool Fits(ValueReader reader, Grid grid) => reader switch
    {
        { Node: GlobalAveragePoolNode pool } => (long)grid.Top * fused[pool.Inputs[0]].Shape.Pixels < 1 << AdderNet.Graph.Grid.MostBits,
        { IsResidual: false, Node: ConvolutionNode or LinearNode } =>
            IntegerFilters.LargestSum((LayerNode)reader.Node, grid) < (reader.Node.Shape.Pixels > 1 ? ExactInFloat32 : int.MaxValue),
        _ => true,
    };

    private static Grid Signed(double low, double high, int bits)
    {
        double step = Math.Max(high - low, 1e-6) / ((1 << bits) - 1);
        return new Grid(step, bits, (int)Math.Clamp(Math.Round(-low / step), 0, (1 << bits) - 1));
    }
}
