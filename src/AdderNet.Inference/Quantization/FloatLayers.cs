using AdderNet.Graph;

namespace AdderNet.Inference;

/// <summary>Computes single nodes of a float32 network for many images.</summary>
internal static class FloatLayers
{
    /// <summary>A node's output, of a layer without bias and epilogue: the plain sums.</summary>
    /// <param name="node">The node; what it reads first is <paramref name="x"/>.</param>
    /// <param name="input">The shape of that.</param>
    /// <param name="x">Values [N, C, H, W].</param>
    /// <param name="neverNegative">Whether no value is below 0.</param>
    public static float[] Run(GraphNode node, FeatureShape input, float[] x, bool neverNegative = false)
    {
        GraphNode bare = node is LayerNode layer ? layer with { Bias = null, Epilogue = null } : node;
        bare = bare with { Inputs = [neverNegative ? "relu" : "x"], Name = "y", Shape = default };
        using Engine engine = new(new NetworkGraph(
            [InputNode.Of("x", input), .. neverNegative ? [new ReluNode { Name = "relu", Inputs = ["x"] }] : Array.Empty<GraphNode>(), bare],
            [new GraphOutput("y", "y")]));
        float[] y = new float[x.Length / input.Count * engine.OutputLength];
        engine.Run(x, y);
        return y;
    }

    /// <summary>A layer's output of its plain sums: bias, BatchNorm, what is added; no bounds.</summary>
    public static float[] Finish(LayerNode layer, float[] sums, float[]? residual)
    {
        (double[] factor, double[] summand) = Line(layer);
        int pixels = layer.Shape.Pixels, channels = layer.Shape.Channels;
        float[] y = new float[sums.Length];
        for (int i = 0; i < y.Length; i++)
        {
            int c = i / pixels % channels;
            y[i] = (float)(sums[i] * factor[c] + summand[c]) + (residual?[i] ?? 0);
        }

        return y;
    }

    /// <summary>What a layer makes of its sums, as factor * sum + summand.</summary>
    public static (double[] Factor, double[] Summand) Line(LayerNode layer)
    {
        int channels = layer.Shape.Channels;
        float[]? bias = layer.Bias?.ToFloats(), mean = layer.Epilogue?.Mean?.ToFloats(), scale = layer.Epilogue?.Scale?.ToFloats();
        float[]? shift = layer.Epilogue?.Shift?.ToFloats();
        double[] factor = [.. Enumerable.Range(0, channels).Select(c => (double)(scale?[c] ?? 1))];
        return (factor, [.. Enumerable.Range(0, channels).Select(c => ((bias?[c] ?? 0.0) - (mean?[c] ?? 0)) * factor[c] + (shift?[c] ?? 0))]);
    }
}
