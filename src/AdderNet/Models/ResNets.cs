using TorchSharp;
using static TorchSharp.torch;
using Module = TorchSharp.torch.nn.Module<TorchSharp.torch.Tensor, TorchSharp.torch.Tensor>;

namespace AdderNet.Models;

/// <summary>
/// Residual networks with the names and shapes of the official code's state_dict. Multiply-accumulates an image, ours beside the paper's:
/// <code>
///              layers        width     input    ours      paper
/// resnet20     3, 3, 3       16..64    32x32    40.81M    41.17M
/// resnet32     5, 5, 5       16..64    32x32    69.12M    69.12M
/// resnet18     2, 2, 2, 2    64..512   224x224  1.81G     1.8G
/// resnet50     3, 4, 6, 3    256..2048 224x224  4.09G     3.9G (with the stride in the first 1x1 layer of a block; the official code has it in the 3x3)
/// </code>
/// </summary>
internal static class ResNets
{
    /// <summary>A 3x3 stem and three stages of 16, 32 and 64 channels, for 32x32 images; 6n + 2 layers.</summary>
    public static Module Cifar(InnerLayers layers, int n, int classes, int inputChannels) =>
        nn.Sequential([
            ("conv1", InnerLayers.Convolution(inputChannels, 16, 3, padding: 1)),
            .. layers.After(("bn1", nn.BatchNorm2d(16)), "relu"),
            ("layer1", Stage(layers, Basic, 16, 16, n, stride: 1)),
            ("layer2", Stage(layers, Basic, 16, 32, n, stride: 2)),
            ("layer3", Stage(layers, Basic, 32, 64, n, stride: 2, last: true)),
            ("avgpool", nn.AdaptiveAvgPool2d(1)),
            ("fc", InnerLayers.Convolution(64, classes, 1)),
            ("bn2", nn.BatchNorm2d(classes)),
            ("flatten", nn.Flatten())]);

    /// <summary>ResNet-18: basic blocks behind the ImageNet stem.</summary>
    public static Module ResNet18(InnerLayers layers, int classes, int inputChannels) =>
        ImageNet(layers, Basic, expansion: 1, [2, 2, 2, 2], classes, inputChannels);

    /// <summary>ResNet-50: bottleneck blocks behind the ImageNet stem.</summary>
    public static Module ResNet50(InnerLayers layers, int classes, int inputChannels) =>
        ImageNet(layers, Bottleneck, expansion: 4, [3, 4, 6, 3], classes, inputChannels);

    private delegate IEnumerable<(string, Module)> Block(InnerLayers layers, long inChannels, long outChannels, long stride);

    private static Module ImageNet(InnerLayers layers, Block block, long expansion, int[] blocks, int classes, int inputChannels) =>
        nn.Sequential([
            ("conv1", InnerLayers.Convolution(inputChannels, 64, 7, stride: 2, padding: 3)),
            .. layers.After(("bn1", nn.BatchNorm2d(64)), "relu", ("maxpool", nn.MaxPool2d(3, stride: 2, padding: 1))),
            ("layer1", Stage(layers, block, 64, 64 * expansion, blocks[0], stride: 1)),
            ("layer2", Stage(layers, block, 64 * expansion, 128 * expansion, blocks[1], stride: 2)),
            ("layer3", Stage(layers, block, 128 * expansion, 256 * expansion, blocks[2], stride: 2)),
            ("layer4", Stage(layers, block, 256 * expansion, 512 * expansion, blocks[3], stride: 2, last: true)),
            ("avgpool", nn.AdaptiveAvgPool2d(1)),
            ("fc", InnerLayers.Convolution(512 * expansion, classes, 1, bias: true)),
            ("bn2", nn.BatchNorm2d(classes)),
            ("flatten", nn.Flatten())]);

    private static Module Stage(InnerLayers layers, Block block, long inChannels, long outChannels, int blocks, long stride, bool last = false) =>
        nn.Sequential(Enumerable.Range(0, blocks).Select(i =>
        {
            var (from, step) = i == 0 ? (inChannels, stride) : (outChannels, 1);
            Module? downsample = step == 1 && from == outChannels
                ? null
                : nn.Sequential(("0", layers.Layer(from, outChannels, 1, step)), ("1", nn.BatchNorm2d(outChannels)));
            return ($"{i}", (Module)new Residual(
                block(layers, from, outChannels, step), downsample, relu: !layers.Binary || (last && i == blocks - 1)));
        }));

    private static IEnumerable<(string, Module)> Basic(InnerLayers layers, long inChannels, long outChannels, long stride) =>
    [
        ("conv1", layers.Layer(inChannels, outChannels, 3, stride, padding: 1)),
        .. layers.After(("bn1", nn.BatchNorm2d(outChannels)), "relu"),
        ("conv2", layers.Layer(outChannels, outChannels, 3, padding: 1)),
        ("bn2", nn.BatchNorm2d(outChannels)),
    ];

    private static IEnumerable<(string, Module)> Bottleneck(InnerLayers layers, long inChannels, long outChannels, long stride)
    {
        long width = outChannels / 4;
        return
        [
            ("conv1", layers.Layer(inChannels, width, 1)),
            .. layers.After(("bn1", nn.BatchNorm2d(width)), "relu1"),
            ("conv2", layers.Layer(width, width, 3, stride, padding: 1)),
            .. layers.After(("bn2", nn.BatchNorm2d(width)), "relu2"),
            ("conv3", layers.Layer(width, outChannels, 1)),
            ("bn3", nn.BatchNorm2d(outChannels)),
        ];
    }
}
