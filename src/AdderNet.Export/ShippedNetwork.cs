using AdderNet.Graph;

namespace AdderNet.Export;

/// <summary>
/// A network as a program outside takes it: pixels of 8 bits are looked up in a table, and the scores are what the last layer gives.
/// For a quantized network both ends are integers: the codes of its one quantization, and the codes before the last dequantization.
/// </summary>
/// <param name="Graph">The network, fused.</param>
/// <param name="First">The node whose value a caller gives: the quantization, or the input of a float network.</param>
/// <param name="Last">The node whose values are the scores, counted from its grid's zero where it has one.</param>
internal sealed record ShippedNetwork(NetworkGraph Graph, GraphNode First, GraphNode Last)
{
    /// <summary>Whether it computes with integers alone.</summary>
    public bool IsQuantized => Last.Grid is not null;

    /// <summary>How many scores it gives.</summary>
    public int Classes => Last.Shape.Count;

    /// <summary>The nodes that compute, from the first to the last.</summary>
    public IEnumerable<GraphNode> Steps =>
        Graph.Nodes.Where(node => node != First && node is not (InputNode or DequantizeNode));

    /// <summary>How an image becomes the input; values from 0 to 1 where that is not known.</summary>
    public InputPreparation Preparation => Graph.Metadata.Preparation ?? new InputPreparation([0], [1]);

    /// <summary>Where a picture comes to lie in the input.</summary>
    public PictureFrame Frame() => PictureFrame.Of(Preparation, First.Shape);

    /// <summary>Reads a graph's two ends.</summary>
    /// <exception cref="GraphException">It is a detector, there are several inputs or outputs, or it computes in codes and in values.</exception>
    public static ShippedNetwork Of(NetworkGraph graph)
    {
        ArgumentNullException.ThrowIfNull(graph);
        RefuseDetector(graph);
        if (graph is not { Inputs: [InputNode input], Outputs: [GraphOutput output] })
        {
            throw new GraphException(
                $"Networks of one input and one output can be exported, and this has {graph.Inputs.Count} and {graph.Outputs.Count}.");
        }

        GraphNode last = graph[output.Node];
        last = last is DequantizeNode ? graph[last.Inputs[0]] : last;
        if (last.Grid is null)
        {
            graph = graph.Fuse();
            last = graph[graph.Outputs[0].Node];
            return graph.Nodes.FirstOrDefault(node => node.Grid is not null) is { } coded
                ? throw new GraphException(
                    $"'{coded.Name}' computes with codes and the output with values; a network must be quantized to its end.")
                : new ShippedNetwork(graph, input, last);
        }

        var others = graph.Nodes.Where(node => node != input && (node is not DequantizeNode || node.Name != output.Node));
        if (others.FirstOrDefault(node => node.Grid is null) is { } floating)
        {
            throw new GraphException(
                $"'{floating.Name}' computes with values between codes; a network must be quantized from its input to its end.");
        }

        return graph.Nodes.Where(node => node.Inputs.Contains(input.Name)).ToList() is [QuantizeNode first]
            ? new ShippedNetwork(graph, first, last)
            : throw new GraphException($"The input '{input.Name}' is not read by one quantization alone.");
    }

    /// <summary>Refuses a detector, whose output nothing in the exports but ONNX makes boxes of.</summary>
    /// <exception cref="GraphException">It is one.</exception>
    public static void RefuseDetector(NetworkGraph graph)
    {
        if (graph.Metadata.Boxes is not null)
        {
            throw new GraphException("The network is a detector, and only ONNX files and files of graphs have boxes; export it as one of these.");
        }
    }

    /// <summary>The name of a class.</summary>
    public string ClassName(int index) =>
        Graph.Metadata.ClassNames is { } names && index < names.Count ? names[index] : FormattableString.Invariant($"class {index}");

    /// <summary>The input's value for each byte of a pixel, for each channel, or for all in one.</summary>
    public float[][] PixelValues()
    {
        InputPreparation p = Preparation;
        int tables = Math.Max(p.Mean.Count, p.Std.Count);
        if (tables != 1 && tables != First.Shape.Channels)
        {
            throw new GraphException($"The network has {First.Shape.Channels} input channels, and its images are normalized as {tables}.");
        }

        return [.. Enumerable.Range(0, tables).Select(c => Enumerable.Range(0, 256)
            .Select(pixel => (pixel / 255f - p.Mean[Math.Min(c, p.Mean.Count - 1)]) / p.Std[Math.Min(c, p.Std.Count - 1)]).ToArray())];
    }

    /// <summary>An image of noise that every export can make by itself, pixel by pixel, the channels of each together.</summary>
    public byte[] TestPixels()
    {
        byte[] pixels = new byte[First.Shape.Count];
        uint state = 1;
        for (int i = 0; i < pixels.Length; i++)
        {
            state = unchecked(state * 1664525 + 1013904223);
            pixels[i] = (byte)(state >> 24);
        }

        return pixels;
    }

    /// <summary>The scores that the reference gives for pixels, the channels of each together: integers where it is quantized.</summary>
    public float[] Scores(byte[] pixels)
    {
        float[][] values = PixelValues();
        FeatureShape shape = First.Shape;
        float[] image = new float[shape.Count];
        for (int i = 0; i < image.Length; i++)
        {
            int channel = i / shape.Pixels;
            image[i] = values[Math.Min(channel, values.Length - 1)][pixels[i % shape.Pixels * shape.Channels + channel]];
        }

        float[] scores = ReferenceInterpreter.RunAll(Graph, new Dictionary<string, float[]> { [Graph.Inputs[0].Name] = image })[Last.Name];
        return [.. scores.Select(score => score - (Last.Grid?.Zero ?? 0))];
    }
}
