using TorchSharp;
using static TorchSharp.torch;
using Module = TorchSharp.torch.nn.Module<TorchSharp.torch.Tensor, TorchSharp.torch.Tensor>;

namespace AdderNet.Models;

/// <summary>
/// Networks without shortcuts. Multiply-accumulates an image, ours beside the paper's:
/// <code>
///              input     ours      paper
/// lenet5-bn    1x32x32   416.5K    435K   (the paper's count is not itemized)
/// vgg-small    3x32x32   0.61G     0.65G  (0.60G in the inner layers, as in the paper)
/// </code>
/// </summary>
internal static class PlainNets
{
    /// <summary>LeNet-5 with BatchNorm; its fully connected layers are windows as large as their input.</summary>
    public static Module LeNet5Bn(InnerLayers layers, int classes, int inputChannels) =>
        Chain(
            Numbered(layers, 1, InnerLayers.Convolution(inputChannels, 6, 5), 6, pool: true),
            Numbered(layers, 2, layers.Layer(6, 16, 5), 16, pool: true),
            Numbered(layers, 3, layers.Layer(16, 120, 5), 120),
            Numbered(layers, 4, layers.Layer(120, 84, 1), 84, last: true),
            [("fc", InnerLayers.Convolution(84, classes, 1, bias: true)), ("flatten", nn.Flatten())]);

    /// <summary>LeNet++ of the centre-loss literature: three pairs of 5x5 layers, then an embedding in the plane and its classifier.</summary>
    public static Module LeNetPlusPlus(InnerLayers layers, int classes, int inputChannels) =>
        Chain(
            Numbered(layers, 1, InnerLayers.Convolution(inputChannels, 32, 5, padding: 2), 32),
            Numbered(layers, 2, layers.Layer(32, 32, 5, padding: 2), 32, pool: true),
            Numbered(layers, 3, layers.Layer(32, 64, 5, padding: 2), 64),
            Numbered(layers, 4, layers.Layer(64, 64, 5, padding: 2), 64, pool: true),
            Numbered(layers, 5, layers.Layer(64, 128, 5, padding: 2), 128),
            Numbered(layers, 6, layers.Layer(128, 128, 5, padding: 2), 128, pool: true, last: true),
            [("flatten", nn.Flatten()), ("embedding", nn.Linear(128 * 4 * 4, 2)), ("fc", nn.Linear(2, classes))]);

    /// <summary>VGG-small of the binary-network literature: pairs of 128, 256 and 512 channels and one fully connected layer.</summary>
    public static Module VggSmall(InnerLayers layers, int classes, int inputChannels) =>
        Chain(
            Numbered(layers, 1, InnerLayers.Convolution(inputChannels, 128, 3, padding: 1), 128),
            Numbered(layers, 2, layers.Layer(128, 128, 3, padding: 1), 128, pool: true),
            Numbered(layers, 3, layers.Layer(128, 256, 3, padding: 1), 256),
            Numbered(layers, 4, layers.Layer(256, 256, 3, padding: 1), 256, pool: true),
            Numbered(layers, 5, layers.Layer(256, 512, 3, padding: 1), 512),
            Numbered(layers, 6, layers.Layer(512, 512, 3, padding: 1), 512, pool: true, last: true),
            [("flatten", nn.Flatten()), ("fc", nn.Linear(512 * 4 * 4, classes))]);

    private static Module Chain(params IEnumerable<(string, Module)>[] parts) => nn.Sequential(parts.SelectMany(p => p));

    /// <summary>A layer with its BatchNorm and ReLU, and a 2x2 max-pooling if asked for; the last is the one before an ordinary layer.</summary>
    private static IEnumerable<(string, Module)> Numbered(
        InnerLayers layers, int number, Module layer, long channels, bool pool = false, bool last = false)
    {
        (string, Module) norm = ($"bn{number}", nn.BatchNorm2d(channels));
        (string, Module)? pooling = pool ? ($"pool{number}", nn.MaxPool2d(2)) : null;
        return [($"conv{number}", layer), .. layers.After(norm, $"relu{number}", pooling, last)];
    }
}
