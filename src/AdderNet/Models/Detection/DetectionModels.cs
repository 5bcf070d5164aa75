using AdderNet.Graph;
using static TorchSharp.torch;

namespace AdderNet.Models;

/// <summary>Detectors: FCOS with a ResNet behind it, each of adder layers, convolutions or both.</summary>
public static class DetectionModels
{
    /// <summary>Every detector, small ones first.</summary>
    public static IReadOnlyList<ModelInfo> All { get; } =
    [
        new("fcos-resnet20", "FCOS-ResNet-20", 3, 128, 20, (layers, classes, channels) => ResNets.Fcos20(layers, new(), classes, channels))
        {
            Levels = [new(8, 0, 24), new(16, 24, 64), new(32, 64, double.PositiveInfinity)],
            Kinds = LayerKinds.NotBinary,
        },
        new("fcos-resnet18", "FCOS-ResNet-18", 3, 512, 20, (layers, classes, channels) => ResNets.Fcos18(layers, new(), classes, channels))
        {
            Levels = Large,
            Kinds = LayerKinds.NotBinary,
        },
        new("fcos-resnet50", "FCOS-ResNet-50", 3, 512, 80, (layers, classes, channels) => ResNets.Fcos50(layers, new(), classes, channels))
        {
            Levels = Large,
            Kinds = LayerKinds.NotBinary,
        },
    ];

    private static DetectionLevel[] Large =>
        [new(8, 0, 64), new(16, 64, 128), new(32, 128, 256), new(64, 256, 512), new(128, 512, double.PositiveInfinity)];

    /// <summary>The detector of a name, whatever its case.</summary>
    /// <exception cref="ArgumentException">There is none; the message lists those there are.</exception>
    public static ModelInfo Find(string name) =>
        All.FirstOrDefault(m => string.Equals(m.Name, name, StringComparison.OrdinalIgnoreCase))
        ?? throw new ArgumentException($"There is no detector '{name}'; choose one of {string.Join(", ", All.Select(m => m.Name))}.");

    /// <summary>Builds a detector with fresh parameters, drawn from TorchSharp's random generator.</summary>
    /// <param name="name">A name from <see cref="All"/>.</param>
    /// <param name="layers">Makes the layers of the backbone and, unless the options say otherwise, of the neck.</param>
    /// <param name="options">What neck and head are.</param>
    /// <param name="classes">Classes of objects; the model's usual number by default.</param>
    /// <param name="inputChannels">Channels of the images; the model's usual number by default.</param>
    /// <returns>A module from [N, inputChannels, H, W] to [N, ...]: map after map of <see cref="ModelInfo.Levels"/>, each
    /// [classes + 5, rows, columns] with a logit a class, the logarithms of the distances to the left, upper, right and lower edge in strides,
    /// and the centre-ness' logit.</returns>
    /// <exception cref="ArgumentException">The name is unknown, classes or channels are below 1, or a layer is binary.</exception>
    public static nn.Module<Tensor, Tensor> Create(
        string name, LayerFactory layers, DetectorOptions? options = null, int? classes = null, int? inputChannels = null)
    {
        ArgumentNullException.ThrowIfNull(layers);
        ModelInfo info = Find(name);
        var (outputs, channels) = (classes ?? info.Classes, inputChannels ?? info.InputChannels);
        if (outputs < 1 || channels < 1)
        {
            throw new ArgumentException($"{info.Title} needs at least one class and one input channel, not {outputs} and {channels}.");
        }

        options ??= new DetectorOptions();
        return info.Name switch
        {
            "fcos-resnet20" => ResNets.Fcos20(layers, options, outputs, channels),
            "fcos-resnet18" => ResNets.Fcos18(layers, options, outputs, channels),
            _ => ResNets.Fcos50(layers, options, outputs, channels),
        };
    }

    /// <summary>The graph of a detector with fresh parameters, for images of its usual size.</summary>
    /// <param name="name">A name from <see cref="All"/>.</param>
    /// <param name="kind">What backbone and neck are made of.</param>
    /// <param name="classes">Classes of objects; the model's usual number by default.</param>
    /// <param name="inputChannels">Channels of the images; the model's usual number by default.</param>
    public static NetworkGraph Graph(string name, LayerKind kind = LayerKind.Adder, int? classes = null, int? inputChannels = null)
    {
        ModelInfo info = Find(name);
        using nn.Module<Tensor, Tensor> model = Create(name, LayerFactory.Inner(kind), null, classes, inputChannels);
        return model.ToGraph(
            new FeatureShape(inputChannels ?? info.InputChannels, info.InputSize, info.InputSize), new NetworkMetadata(info.Name));
    }
}
