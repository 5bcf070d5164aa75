using TorchSharp;
using static AdderNet.Models.LayerPosition;
using static TorchSharp.torch;
using Module = TorchSharp.torch.nn.Module<TorchSharp.torch.Tensor, TorchSharp.torch.Tensor>;

namespace AdderNet.Models;

/// <summary>
/// Residual networks with the names and shapes of the official code's state_dict. Multiply-accumulates a picture, ours beside the paper's:
/// <code>
///              layers        width     input    ours      paper
/// resnet20     3, 3, 3       16..64    32x32    40.81M    41.17M
/// resnet32     5, 5, 5       16..64    32x32    69.12M    69.12M
/// resnet18     2, 2, 2, 2    64..512   224x224  1.81G     1.8G
/// resnet50     3, 4, 6, 3    256..2048 224x224  4.09G     3.9G (with the stride in the first 1x1 layer of a block; the official code has it in the 3x3)
/// versatile-resnet50, the same with Wang et al.'s filters        3.25G     3.0G, and 10.99M parameters of 11.0M (as others cite)
/// </code>
/// </summary>
internal static class ResNets
{
    /// <summary>A 3x3 stem and three stages of 16, 32 and 64 channels, for 32x32 pictures; 6n + 2 layers.</summary>
    public static Module Cifar(LayerFactory layers, int n, int classes, int inputChannels) =>
        Network(
            layers, new("conv1", First, inputChannels, 16, 3, Padding: 1), null, Basic, [(16, n), (32, n), (64, n)],
            new("fc", Last, 64, classes, 1));

    /// <summary>ResNet-18: basic blocks behind the ImageNet stem.</summary>
    public static Module ResNet18(LayerFactory layers, int classes, int inputChannels) =>
        ImageNet(layers, Basic, [(64, 2), (128, 2), (256, 2), (512, 2)], classes, inputChannels);

    /// <summary>ResNet-50: bottleneck blocks behind the ImageNet stem.</summary>
    public static Module ResNet50(LayerFactory layers, int classes, int inputChannels) =>
        ImageNet(layers, Bottleneck, [(256, 3), (512, 4), (1024, 6), (2048, 3)], classes, inputChannels);

    /// <summary>The layers of a residual block, in order, by the block's name and sizes.</summary>
    private delegate LayerSlot[] Block(string name, long inChannels, long outChannels, long stride);

    private sealed record BlockSlots(LayerSlot[] Body, LayerSlot? Downsample);

    /// <summary>FCOS behind ResNet-20, for pictures of about 128x128: the stem and a pooling leave a quarter of the rows and columns.</summary>
    public static Module Fcos20(LayerFactory layers, DetectorOptions options, int classes, int inputChannels) => Fcos(
        layers, new("conv1", First, inputChannels, 16, 3, Stride: 2, Padding: 1), Basic, [(16, 3), (32, 3), (64, 3)], options, levels: 3, width: 64, towers: 2,
        classes);

    /// <summary>FCOS behind ResNet-18.</summary>
    public static Module Fcos18(LayerFactory layers, DetectorOptions options, int classes, int inputChannels) => Fcos(
        layers, ImageNetStem(inputChannels), Basic, [(64, 2), (128, 2), (256, 2), (512, 2)], options, levels: 5, width: 256, towers: 4, classes);

    /// <summary>FCOS behind ResNet-50.</summary>
    public static Module Fcos50(LayerFactory layers, DetectorOptions options, int classes, int inputChannels) => Fcos(
        layers, ImageNetStem(inputChannels), Bottleneck, [(256, 3), (512, 4), (1024, 6), (2048, 3)], options, levels: 5, width: 256, towers: 4, classes);

    /// <summary>A detector whose neck reads all stages but the first.</summary>
    private static WiredNetwork Fcos(
        LayerFactory layers, LayerSlot stem, Block block, (long Channels, int Blocks)[] stages, DetectorOptions options, int levels, long width, int towers,
        int classes)
    {
        if (Slots(block, stem.OutChannels, stages).SelectMany(s => s.Body).Any(layers.SeesBits)
            || options.NeckLayers is LayerKind.Binary or LayerKind.DoReFa || options.HeadLayers is LayerKind.Binary or LayerKind.DoReFa)
        {
            throw new ArgumentException("Detectors are made of adder layers and convolutions, not of binary layers.");
        }

        return FcosNets.Build(
            Body(layers, stem, ImageNetPool(), block, stages, null), [.. stages.Index().Skip(1).Select(s => ($"layer{s.Index + 1}", s.Item.Channels))], levels,
            layers, options, width, towers, classes);
    }

    private static LayerSlot ImageNetStem(int inputChannels) => new("conv1", First, inputChannels, 64, 7, Stride: 2, Padding: 3);

    private static (string, Module) ImageNetPool() => ("maxpool", nn.MaxPool2d(3, stride: 2, padding: 1));

    private static Module ImageNet(LayerFactory layers, Block block, (long Channels, int Blocks)[] stages, int classes, int inputChannels) =>
        Network(
            layers, ImageNetStem(inputChannels), ImageNetPool(), block, stages, new("fc", Last, stages[^1].Channels, classes, 1, Bias: true));

    private static Module Network(
        LayerFactory layers, LayerSlot stem, (string, Module)? pool, Block block, (long Channels, int Blocks)[] stages, LayerSlot classifier) =>
        nn.Sequential(
        [
            .. Body(layers, stem, pool, block, stages, classifier),
            ("avgpool", nn.AdaptiveAvgPool2d(1)), (classifier.Name, layers.Create(classifier)), ("bn2", new SynchronizableBatchNorm(classifier.OutChannels)),
            ("flatten", nn.Flatten()),
        ]);

    /// <summary>Stem and stages.</summary>
    private static List<(string, Module)> Body(
        LayerFactory layers, LayerSlot stem, (string, Module)? pool, Block block, (long Channels, int Blocks)[] stages, LayerSlot? next)
    {
        BlockSlots[] blocks = [.. Slots(block, stem.OutChannels, stages)];
        List<(string, Module)> network = layers.Unit(stem, "bn1", "relu", blocks[0].Body[0], pool);
        int built = 0;
        for (int stage = 0; stage < stages.Length; stage++)
        {
            List<(string, Module)> residuals = [];
            for (int i = 0; i < stages[stage].Blocks; i++)
            {
                BlockSlots slots = blocks[built++];
                residuals.Add(($"{i}", Build(layers, slots, next: built < blocks.Length ? blocks[built].Body[0] : next)));
            }

            network.Add(($"layer{stage + 1}", nn.Sequential(residuals)));
        }

        return network;
    }

    /// <summary>The slots of all blocks; the first block of each stage but the first halves rows and columns.</summary>
    private static IEnumerable<BlockSlots> Slots(Block block, long channels, (long Channels, int Blocks)[] stages)
    {
        foreach (var (stage, (width, count)) in stages.Index())
        {
            for (int i = 0; i < count; i++)
            {
                string name = $"layer{stage + 1}.{i}";
                long stride = stage > 0 && i == 0 ? 2 : 1;
                yield return new BlockSlots(
                    block(name, channels, width, stride),
                    stride == 1 && channels == width ? null : new($"{name}.downsample.0", Inner, channels, width, 1, stride));
                channels = width;
            }
        }
    }

    private static Residual Build(LayerFactory layers, BlockSlots block, LayerSlot? next)
    {
        Module? downsample = block.Downsample is null
            ? null
            : nn.Sequential(("0", layers.Create(block.Downsample)), ("1", new SynchronizableBatchNorm(block.Downsample.OutChannels)));
        LayerSlot[] body = block.Body;
        List<(string, Module)> steps = [];
        for (int i = 0; i < body.Length - 1; i++)
        {
            steps.AddRange(layers.Unit(body[i], $"bn{i + 1}", body.Length == 2 ? "relu" : $"relu{i + 1}", body[i + 1]));
        }

        return new Residual(
            [.. steps, (body[^1].LocalName, layers.Create(body[^1])), ($"bn{body.Length}", new SynchronizableBatchNorm(body[^1].OutChannels))],
            downsample, relu: next is null || !layers.SeesBits(next));
    }

    private static LayerSlot[] Basic(string name, long inChannels, long outChannels, long stride) =>
    [
        new($"{name}.conv1", Inner, inChannels, outChannels, 3, stride, Padding: 1),
        new($"{name}.conv2", Inner, outChannels, outChannels, 3, Padding: 1),
    ];

    private static LayerSlot[] Bottleneck(string name, long inChannels, long outChannels, long stride)
    {
        long width = outChannels / 4;
        return
        [
            new($"{name}.conv1", Inner, inChannels, width, 1),
            new($"{name}.conv2", Inner, width, width, 3, stride, Padding: 1),
            new($"{name}.conv3", Inner, width, outChannels, 1),
        ];
    }
}
