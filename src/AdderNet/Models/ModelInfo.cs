using static TorchSharp.torch;

namespace AdderNet.Models;

/// <summary>A model that <see cref="AdderNetModels"/> can build.</summary>
public sealed class ModelInfo
{
    internal ModelInfo(
        string name, string title, int inputChannels, int inputSize, int classes,
        Func<LayerFactory, int, int, nn.Module<Tensor, Tensor>> build) =>
        (Name, Title, InputChannels, InputSize, Classes, Build) = (name, title, inputChannels, inputSize, classes, build);

    /// <summary>What it is called on the command line and in recipes, e.g. <c>resnet20</c>.</summary>
    public string Name { get; }

    /// <summary>What it is called in the paper, e.g. ResNet-20.</summary>
    public string Title { get; }

    /// <summary>Channels of its usual input.</summary>
    public int InputChannels { get; }

    /// <summary>Rows and columns of its input; the ResNets also take others.</summary>
    public int InputSize { get; }

    /// <summary>Classes it usually tells apart.</summary>
    public int Classes { get; }

    /// <summary>What its inner layers can be.</summary>
    public IReadOnlyList<LayerKind> Kinds { get; internal init; } = Enum.GetValues<LayerKind>();

    /// <summary>The maps on which it finds objects; none for a model that tells images apart.</summary>
    public IReadOnlyList<DetectionLevel> Levels { get; internal init; } = [];

    /// <summary>Whether it finds objects, for data sets with boxes.</summary>
    public bool FindsBoxes => Levels.Count > 0;

    /// <summary>Builds it of some layers, for some classes and input channels.</summary>
    internal Func<LayerFactory, int, int, nn.Module<Tensor, Tensor>> Build { get; }
}
