using AdderNet.Checkpoints;
using AdderNet.Graph;
using static AdderNet.Models.EfficientNets;
using static TorchSharp.torch;

namespace AdderNet.Models;

/// <summary>The paper's models, each as AdderNet, as CNN and as binary network, and networks of efficient blocks as AdderNet and as CNN.</summary>
public static class AdderNetModels
{
    /// <summary>Every model, small ones first.</summary>
    public static IReadOnlyList<ModelInfo> All { get; } =
    [
        new("lenet5-bn", "LeNet-5-BN", 1, 32, 10, PlainNets.LeNet5Bn),
        new("lenet++", "LeNet++", 1, 32, 10, PlainNets.LeNetPlusPlus),
        new("vgg-small", "VGG-small", 3, 32, 10, PlainNets.VggSmall),
        new("resnet20", "ResNet-20", 3, 32, 10, (layers, classes, channels) => ResNets.Cifar(layers, 3, classes, channels)),
        new("resnet32", "ResNet-32", 3, 32, 10, (layers, classes, channels) => ResNets.Cifar(layers, 5, classes, channels)),
        Efficient("se-resnet20", "SE-ResNet-20", 32, (layers, classes, channels) => EfficientNets.SeResNet(layers, 3, classes, channels)),
        Efficient("se-resnet32", "SE-ResNet-32", 32, (layers, classes, channels) => EfficientNets.SeResNet(layers, 5, classes, channels)),
        Shifted("shift-resnet20", "Shift-ResNet-20", Shifts.None),
        Shifted("channel-shift-resnet20", "Channel-shift ResNet-20", Shifts.Channel),
        Shifted("address-shift-resnet20", "Address-shift ResNet-20", Shifts.Address),
        Shifted("shortcut-shift-resnet20", "Shortcut-shift ResNet-20", Shifts.Shortcut),
        Shifted("addressnet20", "AddressNet-20", Shifts.Channel | Shifts.Address | Shifts.Shortcut),
        Efficient("versatile-resnet20", "Versatile ResNet-20", 32, (layers, classes, channels) =>
            ResNets.Cifar(layers.Versatile(new VersatileFilters()), 3, classes, channels)),
        Efficient("versatile-channel-resnet20", "Versatile ResNet-20 (sub-kernels and channels)", 32, (layers, classes, channels) =>
            ResNets.Cifar(layers.Versatile(new VersatileFilters(ChannelsLeftOut: 1)), 3, classes, channels)),
        Efficient("squeezenet", "SqueezeNet", 32, (layers, classes, channels) => EfficientNets.SqueezeNet(layers, false, classes, channels)),
        Efficient("mobilenet-v1", "MobileNet", 32, (layers, classes, channels) => EfficientNets.MobileNetV1(layers, false, classes, channels)),
        Efficient("mobilenet-v2", "MobileNetV2", 32, (layers, classes, channels) => EfficientNets.MobileNetV2(layers, false, classes, channels)),
        Efficient("shufflenet", "ShuffleNet", 32, (layers, classes, channels) => EfficientNets.ShuffleNet(layers, false, classes, channels)),
        new("resnet18", "ResNet-18", 3, 224, 1000, ResNets.ResNet18),
        new("resnet50", "ResNet-50", 3, 224, 1000, ResNets.ResNet50),
        Efficient("versatile-resnet50", "Versatile ResNet-50", 224, (layers, classes, channels) =>
            ResNets.ResNet50(layers.Versatile(new VersatileFilters(ChannelsLeftOut: 1)), classes, channels)),
        Efficient("squeezenet-224", "SqueezeNet (224)", 224, (layers, classes, channels) => EfficientNets.SqueezeNet(layers, true, classes, channels)),
        Efficient("mobilenet-v1-224", "MobileNet (224)", 224, (layers, classes, channels) => EfficientNets.MobileNetV1(layers, true, classes, channels)),
        Efficient("mobilenet-v2-224", "MobileNetV2 (224)", 224, (layers, classes, channels) => EfficientNets.MobileNetV2(layers, true, classes, channels)),
        Efficient("shufflenet-224", "ShuffleNet (224)", 224, (layers, classes, channels) => EfficientNets.ShuffleNet(layers, true, classes, channels)),
    ];

    private static ModelInfo Shifted(string name, string title, Shifts shifts) =>
        Efficient(name, title, 32, (layers, classes, channels) => EfficientNets.ShiftResNet(layers, 3, shifts, classes, channels));

    private static ModelInfo Efficient(string name, string title, int size, Func<LayerFactory, int, int, nn.Module<Tensor, Tensor>> build) =>
        new(name, title, 3, size, size == 32 ? 10 : 1000, build) { Kinds = LayerKinds.NotBinary };

    /// <summary>The model of a name, whatever its case.</summary>
    /// <exception cref="ArgumentException">There is none; the message lists those there are.</exception>
    public static ModelInfo Find(string name) =>
        All.FirstOrDefault(m => string.Equals(m.Name, name, StringComparison.OrdinalIgnoreCase))
        ?? throw new ArgumentException($"There is no model '{name}'; choose one of {string.Join(", ", All.Select(m => m.Name))}.");

    /// <summary>Builds a model with fresh parameters, drawn from TorchSharp's random generator.</summary>
    /// <param name="name">A name from <see cref="All"/>.</param>
    /// <param name="kind">What the inner layers are made of.</param>
    /// <param name="classes">Outputs; the model's usual number by default.</param>
    /// <param name="inputChannels">Channels of the input [N, inputChannels, H, W]; the model's usual number by default.</param>
    /// <param name="gradient">The gradient that adder filters get.</param>
    /// <returns>A module from [N, inputChannels, H, W] to [N, classes].</returns>
    /// <exception cref="ArgumentException">The name is unknown, or classes or channels are below 1.</exception>
    public static nn.Module<Tensor, Tensor> Create(
        string name, LayerKind kind = LayerKind.Adder, int? classes = null, int? inputChannels = null,
        WeightGradient gradient = WeightGradient.FullPrecision) =>
        Create(name, LayerFactory.Inner(kind, gradient), classes, inputChannels);

    /// <summary>Builds a model whose layers may differ by place, with fresh parameters, drawn from TorchSharp's random generator.</summary>
    /// <param name="name">A name from <see cref="All"/>.</param>
    /// <param name="layers">Makes the layers.</param>
    /// <param name="classes">Outputs; the model's usual number by default.</param>
    /// <param name="inputChannels">Channels of the input [N, inputChannels, H, W]; the model's usual number by default.</param>
    /// <returns>A module from [N, inputChannels, H, W] to [N, classes].</returns>
    /// <exception cref="ArgumentException">The name is unknown, classes or channels are below 1, or a layer cannot be made.</exception>
    public static nn.Module<Tensor, Tensor> Create(string name, LayerFactory layers, int? classes = null, int? inputChannels = null)
    {
        ArgumentNullException.ThrowIfNull(layers);
        ModelInfo info = Find(name);
        var (outputs, channels) = (classes ?? info.Classes, inputChannels ?? info.InputChannels);
        if (outputs < 1 || channels < 1)
        {
            throw new ArgumentException($"{info.Title} needs at least one class and one input channel, not {outputs} and {channels}.");
        }

        return info.Build(layers, outputs, channels);
    }

    /// <summary>The graph of a model with fresh parameters, for images of its usual size: what it is made of and what it costs.</summary>
    /// <inheritdoc cref="Create(string, LayerKind, int?, int?, WeightGradient)"/>
    public static NetworkGraph Graph(string name, LayerKind kind = LayerKind.Adder, int? classes = null, int? inputChannels = null)
    {
        ModelInfo info = Find(name);
        using nn.Module<Tensor, Tensor> model = Create(name, kind, classes, inputChannels);
        return model.ToGraph(
            new FeatureShape(inputChannels ?? info.InputChannels, info.InputSize, info.InputSize), new NetworkMetadata(info.Name));
    }

    /// <summary>The channels of a model's input, of which its first layer's filters are, whatever that layer is.</summary>
    /// <param name="model">A model of ours.</param>
    public static int InputChannels(nn.Module model)
    {
        ArgumentNullException.ThrowIfNull(model);
        return (int)model.named_parameters().First().parameter.shape[1];
    }

    /// <summary>
    /// Builds a model and gives it the weights of a checkpoint: a .pth or .pt file of the official code or another, also of a whole module, or
    /// a .safetensors file. The classes and the input channels are those of the file.
    /// </summary>
    /// <param name="path">The file.</param>
    /// <param name="name">A name from <see cref="All"/>.</param>
    /// <param name="kind">What the inner layers are; null for adder layers and convolutions, as the file's names say of each. Binary layers'
    /// weights have the names and shapes of convolutions', so binary layers have to be asked for; what has adder filters is an adder layer there,
    /// too.</param>
    /// <param name="note">Is told in sentences what the user should know: what was taken where the file holds several models, what was passed
    /// over, what was given another shape.</param>
    /// <returns>The model in evaluation mode.</returns>
    /// <exception cref="CheckpointException">The file cannot be read, or does not fit the model; the message lists where.</exception>
    /// <exception cref="ArgumentException">The name is unknown.</exception>
    public static nn.Module<Tensor, Tensor> Load(string path, string name, LayerKind? kind = null, Action<string>? note = null)
    {
        ModelInfo info = Find(name);
        note ??= _ => { };
        TensorFile file = CheckpointFiles.ReadStateDict(path);
        foreach (string known in file.Notes)
        {
            note(known);
        }

        file = StateDictNames.Part(file, ["fc.weight", "conv1.weight"], out string[] beside);
        if (beside.Length > 0)
        {
            note($"{path} holds a model and more; what stands beside the model was passed over: {CheckpointText.Quoted(beside)}.");
        }

        var tensors = file.Tensors;
        LayerKind named = tensors.Keys.Any(key => key.EndsWith(".adder", StringComparison.Ordinal)) ? LayerKind.Adder : LayerKind.Conv;
        LayerFactory layers = kind is LayerKind.Adder or LayerKind.Conv ? LayerFactory.Inner(kind.Value) : LayerFactory.Of(tensors, kind ?? named);
        var model = Create(name, layers, Size("fc", 0, info.Classes), Size("conv1", 1, info.InputChannels));
        try
        {
            StateDict.LoadInto(model, file, path, note);
        }
        catch
        {
            model.Dispose();
            throw;
        }

        model.eval();
        return model;

        // A size that no model can have is left to LoadInto, whose list says what is wrong.
        int Size(string layer, int dimension, int usual) =>
            (tensors.GetValueOrDefault($"{layer}.weight") ?? tensors.GetValueOrDefault($"{layer}.adder")) is { } tensor
            && tensor.Shape.Length > dimension && tensor.Shape[dimension] is > 0 and <= 100_000
                ? (int)tensor.Shape[dimension]
                : usual;
    }
}
