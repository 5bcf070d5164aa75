using TorchSharp;
using static AdderNet.Models.LayerPosition;
using static TorchSharp.torch;
using Module = TorchSharp.torch.nn.Module<TorchSharp.torch.Tensor, TorchSharp.torch.Tensor>;

namespace AdderNet.Models;

/// <summary>
/// Networks without shortcuts. Multiply-accumulates a picture, ours beside the paper's:
/// <code>
///              input     ours      paper
/// lenet5-bn    1x32x32   416.5K    435K   (the paper's count is not itemized)
/// vgg-small    3x32x32   0.61G     0.65G  (0.60G in the inner layers, as in the paper)
/// </code>
/// </summary>
internal static class PlainNets
{
    /// <summary>LeNet-5 with BatchNorm; its fully connected layers are windows as large as their input.</summary>
    public static Module LeNet5Bn(LayerFactory layers, int classes, int inputChannels)
    {
        LayerSlot classifier = new("fc", Last, 84, classes, 1, Bias: true);
        return nn.Sequential(
        [
            .. Chain(
                layers, classifier,
                (new("conv1", First, inputChannels, 6, 5), true),
                (new("conv2", Inner, 6, 16, 5), true),
                (new("conv3", Inner, 16, 120, 5), false),
                (new("conv4", Inner, 120, 84, 1), false)),
            (classifier.Name, layers.Create(classifier)), ("flatten", nn.Flatten()),
        ]);
    }

    /// <summary>LeNet++ of the centre-loss literature: three pairs of 5x5 layers, then an embedding in the plane and its classifier.</summary>
    public static Module LeNetPlusPlus(LayerFactory layers, int classes, int inputChannels) =>
        nn.Sequential(
        [
            .. Pairs(layers, inputChannels, 5, 32, 64, 128),
            ("flatten", nn.Flatten()), ("embedding", nn.Linear(128 * 4 * 4, 2)), ("fc", nn.Linear(2, classes)),
        ]);

    /// <summary>VGG-small of the binary-network literature: pairs of 128, 256 and 512 channels and one fully connected layer.</summary>
    public static Module VggSmall(LayerFactory layers, int classes, int inputChannels) =>
        nn.Sequential([.. Pairs(layers, inputChannels, 3, 128, 256, 512), ("flatten", nn.Flatten()), ("fc", nn.Linear(512 * 4 * 4, classes))]);

    /// <summary>Two layers of each width, the second with a max-pooling; a fully connected layer comes next.</summary>
    private static List<(string, Module)> Pairs(LayerFactory layers, int inputChannels, long kernel, params long[] widths)
    {
        long[] channels = [inputChannels, .. widths.SelectMany(width => (long[])[width, width])];
        return Chain(layers, null, [.. Enumerable.Range(1, 2 * widths.Length).Select(i =>
            (new LayerSlot($"conv{i}", i == 1 ? First : Inner, channels[i - 1], channels[i], kernel, Padding: kernel / 2), i % 2 == 0))]);
    }

    /// <summary>Layers one after another, each with its BatchNorm and ReLU, and a 2x2 max-pooling if asked for.</summary>
    private static List<(string, Module)> Chain(LayerFactory layers, LayerSlot? next, params (LayerSlot Slot, bool Pool)[] chain) =>
    [
        .. chain.SelectMany((link, i) => layers.Unit(
            link.Slot, $"bn{i + 1}", $"relu{i + 1}", i + 1 < chain.Length ? chain[i + 1].Slot : next,
            link.Pool ? ($"pool{i + 1}", nn.MaxPool2d(2)) : null)),
    ];
}
