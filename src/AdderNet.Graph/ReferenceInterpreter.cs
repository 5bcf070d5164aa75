using AdderNet.Checkpoints;

namespace AdderNet.Graph;

/// <summary>
/// Computes a graph by plain loops written straight from each node's formula, one image at a time: what a node means, and the truth that
/// engines and exports are tested against. It is slow. Values are float32, sums are taken in double; codes are integers, and so are their sums.
/// </summary>
public static class ReferenceInterpreter
{
    /// <summary>Computes a network that has one input and one output.</summary>
    /// <param name="graph">The network.</param>
    /// <param name="input">One image, [C, H, W] in this order.</param>
    /// <returns>The output, in the order of its shape.</returns>
    /// <exception cref="ArgumentException">The network has several inputs or outputs, or the image has another size.</exception>
    public static float[] Run(NetworkGraph graph, float[] input)
    {
        ArgumentNullException.ThrowIfNull(graph);
        return graph is { Inputs: [InputNode only], Outputs: [GraphOutput output] }
            ? Run(graph, new Dictionary<string, float[]> { [only.Name] = input })[output.Name]
            : throw new ArgumentException($"The network has {graph.Inputs.Count} inputs and {graph.Outputs.Count} outputs; name the inputs.");
    }

    /// <summary>Computes a network.</summary>
    /// <param name="graph">The network.</param>
    /// <param name="inputs">One image for each input by its name, [C, H, W] in this order.</param>
    /// <returns>The outputs by name, each in the order of its shape.</returns>
    /// <exception cref="ArgumentException">An input is missing or has another size.</exception>
    public static IReadOnlyDictionary<string, float[]> Run(NetworkGraph graph, IReadOnlyDictionary<string, float[]> inputs)
    {
        IReadOnlyDictionary<string, float[]> values = RunAll(graph, inputs);
        return graph.Outputs.ToDictionary(output => output.Name, output => values[output.Node]);
    }

    /// <summary>Computes the value of every node, by its name.</summary>
    /// <inheritdoc cref="Run(NetworkGraph, IReadOnlyDictionary{string, float[]})"/>
    public static IReadOnlyDictionary<string, float[]> RunAll(NetworkGraph graph, IReadOnlyDictionary<string, float[]> inputs)
    {
        ArgumentNullException.ThrowIfNull(graph);
        ArgumentNullException.ThrowIfNull(inputs);
        Dictionary<string, float[]> values = [];
        foreach (GraphNode node in graph.Nodes)
        {
            if (node is InputNode)
            {
                values[node.Name] = inputs.TryGetValue(node.Name, out float[]? given) && given.Length == node.Shape.Count
                    ? given
                    : throw new ArgumentException($"The input '{node.Name}' takes {node.Shape.Count} values, {node.Shape}.", nameof(inputs));
            }
            else
            {
                values[node.Name] = Compute(
                    node, [.. node.Inputs.Select(input => values[input])], [.. node.Inputs.Select(input => graph[input].Shape)]);
            }
        }

        return values;
    }

    private static float[] Compute(GraphNode node, float[][] x, FeatureShape[] shapes) => node switch
    {
        LayerNode layer => Finish(layer, Sums(layer, x[0], shapes[0]), x),
        BatchNormNode norm => Normalize(norm, x[0]),
        ReluNode => Map(x[0], v => v < 0 ? 0 : v),
        HardTanhNode clip => Map(x[0], v => v < clip.Minimum ? clip.Minimum : v > clip.Maximum ? clip.Maximum : v),
        SigmoidNode => Map(x[0], v => (float)(1 / (1 + Math.Exp(-v)))),
        AddNode => x.Aggregate((a, b) => [.. a.Zip(b, (p, q) => p + q)]),
        MultiplyNode => [.. x[0].Select((v, i) => v * x[1][shapes[1] == shapes[0] ? i : i / shapes[0].Pixels])],
        MaxPoolNode pool => Pool(pool.Window, pool.Shape, shapes[0], x[0], (inside, _) => inside.Aggregate(float.NegativeInfinity, Larger)),
        AveragePoolNode pool => Pool(
            pool.Window, pool.Shape, shapes[0], x[0],
            (inside, padded) => (float)(inside.Sum(v => (double)v) / (pool.CountsPadding ? padded : inside.Count))),
        GlobalAveragePoolNode => [.. x[0].Chunk(shapes[0].Pixels).Select(plane => (float)(plane.Sum(v => (double)v) / plane.Length))],
        ConcatenateNode => [.. x.SelectMany(part => part)],
        FlattenNode => x[0],
        UpsampleNode up => PerPixel(up.Shape, (c, row, column) => x[0][Place(shapes[0], c, row / up.Factor, column / up.Factor)]),
        ChannelShuffleNode shuffle => PerPixel(shuffle.Shape, (c, row, column) =>
            x[0][Place(shapes[0], c % shuffle.Groups * (shuffle.Shape.Channels / shuffle.Groups) + c / shuffle.Groups, row, column)]),
        SelectChannelsNode select => [.. select.Channels.SelectMany(c => x[0].Skip(c * shapes[0].Pixels).Take(shapes[0].Pixels))],
        ShiftNode shift => PerPixel(shift.Shape, (c, row, column) => At(
            shapes[0], x[0], c, row + shift.Rows[c], column + shift.Columns[c], shift.Grid?.Zero ?? 0)),
        _ => IntegerReference.TryCompute(node, x, shapes)
            ?? throw new NotSupportedException($"The reference does not know the node {node.GetType().Name}."),
    };

    private static float[] Sums(LayerNode layer, float[] x, FeatureShape shape) => layer switch
    {
        AdderNode adder => Windows<Distance>(adder, x, shape, adder.Filters.ToFloats()),
        ConvolutionNode convolution => Windows<Product>(convolution, x, shape, convolution.Filters.ToFloats()),
        BinaryConvolutionNode binary => Windows<Product>(binary, Map(x, binary.BinaryActivation), shape, binary.BinaryFilters()),
        LinearNode linear => Products(x, linear.Weight.ToFloats()),
        _ => throw new NotSupportedException($"The reference does not know the layer {layer.GetType().Name}."),
    };

    /// <summary>What a value in a window and the weight that meets it add to the output.</summary>
    private interface ITerm
    {
        static abstract double Of(double value, double weight);
    }

    private readonly struct Distance : ITerm
    {
        public static double Of(double value, double weight) => -Math.Abs(value - weight);
    }

    private readonly struct Product : ITerm
    {
        public static double Of(double value, double weight) => value * weight;
    }

    /// <summary>Each output element as a sum over its window.</summary>
    private static float[] Windows<T>(FilterNode layer, float[] x, FeatureShape shape, float[] filters)
        where T : ITerm
    {
        WindowGeometry w = layer.Window;
        (float[] padded, FeatureShape p) = Padded(x, shape, w);
        int channels = shape.Channels / layer.Groups, perGroup = layer.Shape.Channels / layer.Groups;
        return PerPixel(layer.Shape, (o, row, column) =>
        {
            double sum = 0;
            int filter = o * channels * w.KernelH * w.KernelW;
            for (int c = 0; c < channels; c++)
            {
                for (int i = 0; i < w.KernelH; i++)
                {
                    int place = Place(p, o / perGroup * channels + c, row * w.StrideH + i * w.DilationH, column * w.StrideW);
                    for (int j = 0; j < w.KernelW; j++)
                    {
                        sum += T.Of(padded[place + j * w.DilationW], filters[filter++]);
                    }
                }
            }

            return (float)sum;
        });
    }

    private static (float[] Padded, FeatureShape Shape) Padded(float[] x, FeatureShape shape, WindowGeometry w)
    {
        FeatureShape padded = new(shape.Channels, shape.Height + 2 * w.PaddingH, shape.Width + 2 * w.PaddingW);
        return (PerPixel(padded, (c, row, column) => At(shape, x, c, row - w.PaddingH, column - w.PaddingW)), padded);
    }

    private static float[] Products(float[] x, float[] weight) =>
        [.. weight.Chunk(x.Length).Select(row => (float)row.Zip(x, (a, b) => (double)a * b).Sum())];

    private static float[] Finish(LayerNode layer, float[] y, float[][] x)
    {
        if (layer.Bias is not null)
        {
            float[] bias = layer.Bias.ToFloats();
            y = PerChannel(layer.Shape, y, (c, v) => v + bias[c]);
        }

        if (layer.Epilogue is not { } epilogue)
        {
            return y;
        }

        float[]? mean = epilogue.Mean?.ToFloats(), scale = epilogue.Scale?.ToFloats(), shift = epilogue.Shift?.ToFloats();
        float[]? residual = epilogue.AddsResidual ? x[^1] : null;
        float minimum = epilogue.Minimum ?? float.NegativeInfinity, maximum = epilogue.Maximum ?? float.PositiveInfinity;
        y = PerChannel(layer.Shape, y, (c, v) => (v - (mean?[c] ?? 0)) * (scale?[c] ?? 1) + (shift?[c] ?? 0));
        return [.. y.Select((v, i) =>
        {
            float sum = v + (residual?[i] ?? 0);
            return sum < minimum ? minimum : sum > maximum ? maximum : sum;
        })];
    }

    private static float[] Normalize(BatchNormNode norm, float[] x)
    {
        float[] mean = norm.RunningMean.ToFloats(), variance = norm.RunningVariance.ToFloats();
        float[]? weight = norm.Weight?.ToFloats(), bias = norm.Bias?.ToFloats();
        return PerChannel(norm.Shape, x, (c, v) =>
            (float)((v - mean[c]) / Math.Sqrt(variance[c] + norm.Epsilon) * (weight?[c] ?? 1) + (bias?[c] ?? 0)));
    }

    private static float[] Pool(
        WindowGeometry w, FeatureShape output, FeatureShape input, float[] x, Func<List<float>, int, float> reduce) =>
        PerPixel(output, (c, row, column) =>
        {
            List<float> inside = [];
            for (int i = 0; i < w.KernelH; i++)
            {
                for (int j = 0; j < w.KernelW; j++)
                {
                    int y = row * w.StrideH - w.PaddingH + i * w.DilationH, z = column * w.StrideW - w.PaddingW + j * w.DilationW;
                    if (IsInside(input, y, z))
                    {
                        inside.Add(x[Place(input, c, y, z)]);
                    }
                }
            }

            return reduce(inside, w.KernelH * w.KernelW);
        });

    /// <summary>NaN where one is.</summary>
    private static float Larger(float a, float b) => a > b || float.IsNaN(a) ? a : b;

    private static float[] Map(float[] x, Func<float, float> function) => [.. x.Select(function)];

    private static float[] PerChannel(FeatureShape shape, float[] x, Func<int, float, float> function) =>
        [.. x.Select((v, i) => function(i / shape.Pixels, v))];

    private static float[] PerPixel(FeatureShape shape, Func<int, int, int, float> function)
    {
        float[] y = new float[shape.Count];
        for (int i = 0; i < y.Length; i++)
        {
            y[i] = function(i / shape.Pixels, i / shape.Width % shape.Height, i % shape.Width);
        }

        return y;
    }

    private static float At(FeatureShape shape, float[] x, int channel, int row, int column, float outside = 0) =>
        IsInside(shape, row, column) ? x[Place(shape, channel, row, column)] : outside;

    private static bool IsInside(FeatureShape shape, int row, int column) =>
        (uint)row < (uint)shape.Height && (uint)column < (uint)shape.Width;

    private static int Place(FeatureShape shape, int channel, int row, int column) => (channel * shape.Height + row) * shape.Width + column;
}
