using AdderNet.Graph;
using AdderNet.Kernels;
using AdderNet.Models;

namespace AdderNet.Bench;

/// <summary>One adder layer as a model calls it.</summary>
internal sealed record LayerCase(string Model, int Batch, long C, long H, long W, long O, long Kernel, long Stride, long Padding)
{
    public override string ToString() => $"{Model} x{Batch}: {C}x{H}x{W} -> {O}, {Kernel}x{Kernel} stride {Stride}";

    /// <summary>Elements of the layer's sums, |x - f| terms, in one forward pass.</summary>
    public double Terms => (double)Batch * O * OutputSize(H) * OutputSize(W) * C * Kernel * Kernel;

    /// <summary>The layer as the kernels know it.</summary>
    public AdderShape Shape => new(Batch, (int)C, (int)H, (int)W, (int)O, (int)Kernel, (int)Kernel)
    {
        StrideH = (int)Stride,
        StrideW = (int)Stride,
        PaddingH = (int)Padding,
        PaddingW = (int)Padding,
    };

    private long OutputSize(long size) => (size + 2 * Padding - Kernel) / Stride + 1;
}

/// <summary>The distinct adder layers of the paper's models.</summary>
internal static class LayerShapes
{
    /// <summary>ResNet-20 in batches of 256 and 1, VGG-small in 64, ResNet-18 in 16 and 1.</summary>
    public static IReadOnlyList<LayerCase> All { get; } =
        [.. Of("resnet20", 256), .. Of("resnet20", 1), .. Of("vgg-small", 64), .. Of("resnet18", 16), .. Of("resnet18", 1)];

    private static IEnumerable<LayerCase> Of(string model, int batch)
    {
        NetworkGraph graph = AdderNetModels.Graph(model);
        return graph.Nodes.OfType<AdderNode>().Select(layer =>
        {
            FeatureShape x = graph[layer.Inputs[0]].Shape;
            WindowGeometry window = layer.Window;
            return new LayerCase(model, batch, x.Channels, x.Height, x.Width, layer.Shape.Channels, window.KernelH, window.StrideH, window.PaddingH);
        }).Distinct();
    }
}
