using AdderNet.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace AdderNet.Bench;

/// <summary>One adder layer as a model calls it.</summary>
internal sealed record LayerCase(string Model, int Batch, long C, long H, long W, long O, long Kernel, long Stride, long Padding)
{
    public override string ToString() => $"{Model} x{Batch}: {C}x{H}x{W} -> {O}, {Kernel}x{Kernel} stride {Stride}";

    /// <summary>Elements of the layer's sums, |x - f| terms, in one forward pass.</summary>
    public double Terms => (double)Batch * O * OutputSize(H) * OutputSize(W) * C * Kernel * Kernel;

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
        ModelInfo info = AdderNetModels.Find(model);
        using nn.Module<Tensor, Tensor> module = AdderNetModels.Create(model);
        List<LayerCase> cases = [];
        foreach (Adder2d layer in module.modules().OfType<Adder2d>())
        {
            layer.register_forward_pre_hook((_, input) =>
            {
                long[] x = input.shape, f = layer.Filters.shape;
                cases.Add(new LayerCase(model, batch, x[1], x[2], x[3], f[0], f[2], layer.Stride.Item1, layer.Padding.Item1));
                return input;
            });
        }

        ModelSummary.Describe(module, info.InputChannels, info.InputSize, info.InputSize);
        return cases.Distinct();
    }
}
