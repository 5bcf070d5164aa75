using AdderNet.Graph;
using AdderNet.Inference.Steps;
using AdderNet.Kernels.Bytes;

namespace AdderNet.Inference;

/// <summary>A network made ready: its steps in order, and where each value lies in a frame's memory. Shared by all calls.</summary>
internal sealed class Plan
{
    private const int Alignment = 64;

    public Plan(NetworkGraph graph)
    {
        if (graph.Inputs is not [InputNode input])
        {
            throw new InferenceException($"The network has {graph.Inputs.Count} inputs; the engine runs networks of one.");
        }

        NetworkGraph fused = graph.Fuse();
        IReadOnlySet<string> neverNegative = fused.NeverNegative();
        (InputShape, OutputLength) = (input.Shape, fused.Outputs.Sum(o => fused[o.Node].Shape.Count));
        Dictionary<string, Value> values = [];
        List<Step> steps = [];
        PackedWeights packed = new();
        foreach (GraphNode node in fused.Nodes)
        {
            Value[] inputs = [.. node.Inputs.Select(name => values[name])];
            int border = Border(fused, node);
            if (node is FlattenNode && inputs[0].Border == 0)
            {
                values[node.Name] = inputs[0] with { Shape = node.Shape }; // The same memory under another shape.
                continue;
            }

            Value value = new(values.Count, node.Shape, neverNegative.Contains(node.Name), node.Grid, border);
            values[node.Name] = value;
            if (node is not InputNode)
            {
                steps.Add(Step.Of(node, inputs, value, packed));
            }
        }

        Steps = [.. steps];
        Input = values[input.Name];
        Outputs = [.. fused.Outputs.Select(o => values[o.Node])];
        if (fused.Outputs.FirstOrDefault(o => fused[o.Node].Grid is not null) is { } codes)
        {
            throw new InferenceException($"The output '{codes.Name}' has integer codes; put a dequantization behind it.");
        }

        (Offsets, FrameLength) = Place(values.Values, out long all);
        Memory = new EngineMemory(steps.Sum(s => s.WeightBytes), all, FrameLength);
    }

    /// <summary>Layers and what else is to be done, in order.</summary>
    public Step[] Steps { get; }

    /// <summary>What the network is given.</summary>
    public Value Input { get; }

    /// <summary>What it gives, in order.</summary>
    public Value[] Outputs { get; }

    /// <summary>Its size.</summary>
    public FeatureShape InputShape { get; }

    /// <summary>Floats that an image's outputs have together.</summary>
    public int OutputLength { get; }

    /// <summary>Where a value starts, by its number: bytes an image.</summary>
    public long[] Offsets { get; }

    /// <summary>Bytes an image takes.</summary>
    public long FrameLength { get; }

    /// <summary>What it needs of memory.</summary>
    public EngineMemory Memory { get; }

    private (long[] Offsets, long Length) Place(IEnumerable<Value> values, out long all)
    {
        // The input is the caller's memory, and outputs are read after the last step.
        Value[] own = [.. values.DistinctBy(v => v.Number).Where(v => v.Number != Input.Number)];
        Lifetime[] lives = [.. own.Select(v => new Lifetime(
            Aligned(v.Bytes),
            Steps.Index().First(s => s.Item.Output.Number == v.Number).Index,
            Outputs.Any(o => o.Number == v.Number) ? Steps.Length
                : Steps.Index().Where(s => s.Item.Inputs.Any(i => i.Number == v.Number)).Select(s => s.Index)
                    .DefaultIfEmpty(Steps.Index().First(s => s.Item.Output.Number == v.Number).Index).Max()))];
        ArenaPlan arena = ArenaPlan.Place(lives);
        all = lives.Sum(l => l.Length);
        var offsets = new long[own.Length == 0 ? 1 : own.Max(v => v.Number) + 1];
        foreach ((int i, Value value) in own.Index())
        {
            offsets[value.Number] = arena.Offsets[i];
        }

        return (offsets, Math.Max(arena.Length, Alignment));
    }

    /// <summary>Zeros around the planes of a node's codes: the largest padding of the adder layers that read them.</summary>
    private static int Border(NetworkGraph graph, GraphNode node) => node.Grid is not { CodeBytes: 1 }
        ? 0
        : graph.Nodes.Where(reader => reader.Inputs.Contains(node.Name)).Select(reader => reader switch
        {
            QuantizedAdderNode layer when layer.Inputs[0] == node.Name => Math.Max(layer.Window.PaddingH, layer.Window.PaddingW),
            // So that it can go through memory as it lies.
            RequantizeNode or QuantizedAddNode => Border(graph, reader),
            _ => 0,
        }).DefaultIfEmpty().Max();

    private static long Aligned(long bytes) => (bytes + Alignment - 1) / Alignment * Alignment;
}

/// <summary>
/// What one step gives and others read, an image after another: float32 planes [C, H, W]; codes of up to 8 bits as bytes in planes with a
/// border, those of more bits as 32-bit integers.
/// </summary>
/// <param name="Number">Which, counted through the network; values that share memory have the same.</param>
/// <param name="Shape">Its size for an image.</param>
/// <param name="NotNegative">Whether no element can be below 0, so that filter elements below 0 need no work.</param>
/// <param name="Grid">What its codes stand for; null for float32 values.</param>
/// <param name="Border">Zeros around its planes, where they are bytes.</param>
internal sealed record Value(int Number, FeatureShape Shape, bool NotNegative, Grid? Grid = null, int Border = 0)
{
    /// <summary>Whether it is kept in bytes.</summary>
    public bool IsBytes => Grid is { CodeBytes: 1 };

    /// <summary>Where its bytes lie.</summary>
    public ByteLayout Layout => new(Shape.Channels, Shape.Height, Shape.Width, Border);

    /// <summary>Rows of all planes of an image.</summary>
    public int Rows => Shape.Channels * Shape.Height;

    /// <summary>Bytes for an image.</summary>
    public long Bytes => IsBytes ? Layout.Length(1) : (long)sizeof(float) * Shape.Count;

    /// <summary>A row, counted through all planes of all images.</summary>
    public Span<byte> Row(BytePlanes planes, int row)
    {
        ByteLayout layout = planes.Layout;
        long at = row / Rows * layout.ImageLength + layout.Offset(row / layout.Height % layout.Channels, row % layout.Height, 0);
        return planes.Memory.Slice((int)at, layout.Width);
    }
}
