using TorchSharp;
using TorchSharp.Modules;
using static AdderNet.Models.LayerPosition;
using static TorchSharp.torch;
using Module = TorchSharp.torch.nn.Module<TorchSharp.torch.Tensor, TorchSharp.torch.Tensor>;

namespace AdderNet.Models;

/// <summary>
/// Networks of blocks that need few operations, for 224x224 pictures as in their papers and, in the forms that are usual for CIFAR, for 32x32.
/// Multiply-accumulates and parameters, ours beside the papers' where they have them:
/// <code>
///                    input      ours               paper              source
/// mobilenet-v1-224   3x224x224  568.7M  4.232M     569M    4.2M       Howard et al., 2017, tables 1 and 8
/// mobilenet-v2-224   3x224x224  300.8M  3.505M     300M    3.4M       Sandler et al., CVPR 2018, tables 2 and 4
/// squeezenet-224     3x224x224  832.7M  1.251M     -       1.25M      Iandola et al., 2016, table 1 (no BatchNorm there)
/// shufflenet-224     3x224x224  137.5M  1.866M     137M    -          Zhang et al., CVPR 2018, tables 1 and 2 (1x, 3 groups)
/// se-resnet20        3x32x32    40.8M   0.276M     -       -          Hu et al., CVPR 2018 (the block; it narrows to a 16th, but to 4 channels at least)
/// shift-resnet20     3x32x32    32.2M   0.187M     -       0.19M      Wu et al., CVPR 2018, table 2 (expansion 6)
/// addressnet20       3x32x32    11.4M   0.061M     -       -          Zhong et al., 2018 (its primitives in shift-resnet20)
/// </code>
/// In an AdderNet all inner layers are adder layers, each with its BatchNorm, depthwise and grouped ones too; the two small layers that
/// weigh channels in squeeze-and-excitation are ordinary in every version.
/// </summary>
internal sealed class EfficientNets
{
    /// <summary>What is shifted in a Shift-ResNet beside or instead of what its paper shifts (Zhong et al., 2018).</summary>
    [Flags]
    public enum Shifts
    {
        /// <summary>Each ninth of the channels in one of nine directions, as in the paper of Shift-ResNet.</summary>
        None = 0,

        /// <summary>Address shift: each quarter in one of four directions.</summary>
        Address = 1,

        /// <summary>Channel shift: 1x1 layers in two groups, between which channels are moved on by half a group.</summary>
        Channel = 2,

        /// <summary>Shortcut shift: a block gives its input and, behind it, 8, 16 or 32 channels of its own.</summary>
        Shortcut = 4,
    }

    /// <summary>
    /// The standard deviation of the adder filters that networks without shortcuts start with. Of filters no larger than their inputs, most lie below
    /// x in the same sense for all outputs, so that all channels become the sum of the inputs: of N(0, 1) a few layers leave one direction for all
    /// channels, and nothing to learn from. At 4.5, what filters settle at in training, the signs of x - f differ by filter.
    /// </summary>
    private const double WideFilters = 4.5;

    private readonly LayerFactory layers;
    private readonly NetBuilder net = new();
    private readonly double filters;
    private string last = WiredNetwork.InputName;
    private long channels;

    private EfficientNets(LayerFactory layers, long channels, double filters = 1) =>
        (this.layers, this.channels, this.filters) = (layers, channels, filters);

    /// <summary>MobileNet: depthwise 3x3 layers, each with a 1x1 layer behind it.</summary>
    /// <param name="layers">Makes the layers.</param>
    /// <param name="large">Whether for 224x224 pictures; of 32x32 the first layer keeps all rows and columns.</param>
    /// <param name="classes">Classes.</param>
    /// <param name="inputChannels">Channels of the picture.</param>
    public static Module MobileNetV1(LayerFactory layers, bool large, int classes, int inputChannels)
    {
        EfficientNets net = new(layers, inputChannels, WideFilters);
        net.Unit("conv1", "bn1", First, 32, 3, large ? 2 : 1, activation: nn.ReLU);
        (long Channels, int Stride)[] pairs =
            [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1), (512, 1), (512, 1), (512, 1), (512, 1), (1024, 2), (1024, 1)];
        foreach (var (i, (width, stride)) in pairs.Index())
        {
            string name = $"layers.{i}";
            net.Unit($"{name}.conv1", $"{name}.bn1", Inner, net.channels, 3, stride, net.channels, nn.ReLU);
            net.Unit($"{name}.conv2", $"{name}.bn2", Inner, width, 1, activation: nn.ReLU);
        }

        return net.Classified(classes);
    }

    /// <summary>MobileNetV2: a 1x1 layer that widens, a depthwise 3x3 layer, and a 1x1 layer back to few channels without a ReLU, with shortcuts between these.</summary>
    /// <inheritdoc cref="MobileNetV1"/>
    public static Module MobileNetV2(LayerFactory layers, bool large, int classes, int inputChannels)
    {
        EfficientNets net = new(layers, inputChannels, WideFilters);
        net.Unit("conv1", "bn1", First, 32, 3, large ? 2 : 1, activation: nn.ReLU6);
        (int Expansion, long Channels, int Blocks, int Stride)[] stages =
            [(1, 16, 1, 1), (6, 24, 2, large ? 2 : 1), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)];
        foreach (var (stage, (expansion, width, blocks, stride)) in stages.Index())
        {
            for (int i = 0; i < blocks; i++)
            {
                net.InvertedResidual($"layer{stage + 1}.{i}", expansion, width, i == 0 ? stride : 1);
            }
        }

        net.Unit("conv2", "bn2", Inner, 1280, 1, activation: nn.ReLU6);
        return net.Classified(classes);
    }

    /// <summary>SqueezeNet: 1x1 layers that narrow before a layer that is half 1x1 and half 3x3.</summary>
    /// <inheritdoc cref="MobileNetV1"/>
    public static Module SqueezeNet(LayerFactory layers, bool large, int classes, int inputChannels)
    {
        EfficientNets net = new(layers, inputChannels, WideFilters);
        net.Unit("conv1", "bn1", First, 96, large ? 7 : 3, large ? 2 : 1, padding: large ? 2 : 1, activation: nn.ReLU);
        net.Pool("pool1");
        (long Squeezed, long Expanded)[] modules = [(16, 64), (16, 64), (32, 128), (32, 128), (48, 192), (48, 192), (64, 256), (64, 256)];
        foreach (var (i, (squeezed, expanded)) in modules.Index())
        {
            string name = $"fire{i + 2}";
            net.Unit($"{name}.squeeze", $"{name}.bn1", Inner, squeezed, 1, activation: nn.ReLU);
            string narrow = net.last;
            string one = net.Unit($"{name}.expand1x1", $"{name}.bn2", Inner, expanded, 1, activation: nn.ReLU);
            (net.last, net.channels) = (narrow, squeezed);
            string three = net.Unit($"{name}.expand3x3", $"{name}.bn3", Inner, expanded, 3, activation: nn.ReLU);
            (net.last, net.channels) = (net.net.Join(name, Join.Concatenation, one, three), 2 * expanded);
            if (i is 2 or 6)
            {
                net.Pool($"pool{i + 2}");
            }
        }

        net.Classifier(classes);
        net.Then("relu", nn.ReLU());
        net.Then("avgpool", nn.AdaptiveAvgPool2d(1));
        net.Then("flatten", nn.Flatten());
        return net.net.Build();
    }

    /// <summary>ShuffleNet: 1x1 layers of three groups, whose channels are shuffled so that groups see each other's, around depthwise 3x3 layers.</summary>
    /// <inheritdoc cref="MobileNetV1"/>
    public static Module ShuffleNet(LayerFactory layers, bool large, int classes, int inputChannels)
    {
        EfficientNets net = new(layers, inputChannels);
        net.Unit("conv1", "bn1", First, 24, large ? 3 : 1, large ? 2 : 1, activation: nn.ReLU);
        if (large)
        {
            net.Then("maxpool", nn.MaxPool2d(3, stride: 2, padding: 1));
        }

        (long Channels, int Blocks)[] stages = [(240, 4), (480, 8), (960, 4)];
        foreach (var (stage, (width, blocks)) in stages.Index())
        {
            for (int i = 0; i < blocks; i++)
            {
                // The first layer has too few channels for groups.
                net.Shuffled($"layer{stage + 1}.{i}", width, groups: 3, grouped: stage > 0 || i > 0, stride: i == 0 ? 2 : 1);
            }
        }

        return net.Classified(classes);
    }

    /// <summary>A ResNet for 32x32 pictures whose blocks weigh their channels by what the whole picture has of them.</summary>
    /// <param name="layers">Makes the layers.</param>
    /// <param name="n">Blocks of a stage; 6n + 2 layers.</param>
    /// <param name="classes">Classes.</param>
    /// <param name="inputChannels">Channels of the picture.</param>
    public static Module SeResNet(LayerFactory layers, int n, int classes, int inputChannels) =>
        ResNet(layers, n, classes, inputChannels, (net, name, width, stride) =>
        {
            net.Unit($"{name}.conv1", $"{name}.bn1", Inner, width, 3, stride, activation: nn.ReLU);
            net.Unit($"{name}.conv2", $"{name}.bn2", Inner, width, 3);
            net.Excite($"{name}.se", Math.Max(4, width / 16));
        });

    /// <summary>
    /// A ResNet for 32x32 pictures whose 3x3 layers are shifts of channels between two 1x1 layers, the first of which has six times the channels.
    /// </summary>
    /// <param name="layers">Makes the layers.</param>
    /// <param name="n">Blocks of a stage; 6n + 2 layers.</param>
    /// <param name="shifts">What is shifted, and how.</param>
    /// <param name="classes">Classes.</param>
    /// <param name="inputChannels">Channels of the picture.</param>
    public static Module ShiftResNet(LayerFactory layers, int n, Shifts shifts, int classes, int inputChannels)
    {
        int groups = shifts.HasFlag(Shifts.Channel) ? 2 : 1;
        return ResNet(layers, n, classes, inputChannels, Body, concatenates: shifts.HasFlag(Shifts.Shortcut));

        void Body(EfficientNets net, string name, long width, int stride)
        {
            net.Unit($"{name}.conv1", $"{name}.bn1", Inner, 6 * width, 1, groups: groups, activation: nn.ReLU);
            if (groups > 1)
            {
                // By half a group, so that half of what a group reads comes from its neighbour.
                net.Then($"{name}.channel_shift", SelectChannels.Rotated(net.channels, net.channels / groups / 2));
            }

            net.Then($"{name}.shift", shifts.HasFlag(Shifts.Address) ? Shift.Four(net.channels) : Shift.Nine(net.channels));
            net.Unit($"{name}.conv2", $"{name}.bn2", Inner, width, 1, stride, groups: groups);
        }
    }

    private static WiredNetwork ResNet(
        LayerFactory layers, int n, int classes, int inputChannels, Action<EfficientNets, string, long, int> body, bool concatenates = false)
    {
        EfficientNets net = new(layers, inputChannels);
        net.Unit("conv1", "bn1", First, 16, 3, activation: nn.ReLU);
        for (int stage = 0; stage < 3; stage++)
        {
            for (int i = 0; i < n; i++)
            {
                string name = $"layer{stage + 1}.{i}", input = net.last;
                (long before, long width, int stride) = (net.channels, (concatenates ? 8L : 16L) << stage, stage > 0 && i == 0 ? 2 : 1);
                body(net, name, width, stride);
                if (concatenates)
                {
                    net.Then($"{name}.relu", nn.ReLU());
                    net.Precede(name, input, before, stride);
                    continue;
                }

                string output = net.last;
                (net.last, net.channels) = (input, before);
                string shortcut = stride == 1 ? input : net.Unit($"{name}.downsample.0", $"{name}.downsample.1", Inner, width, 1, stride);
                (net.last, net.channels) = (net.net.Join($"{name}.sum", Join.Sum, output, shortcut), width);
                net.Then($"{name}.relu", nn.ReLU());
            }
        }

        // As in our plain ResNets, and so in the official code.
        net.Then("avgpool", nn.AdaptiveAvgPool2d(1));
        net.Layer(new LayerSlot("fc", Last, net.channels, classes, 1));
        net.last = net.net.Add("bn2", new SynchronizableBatchNorm(classes), net.last);
        net.Then("flatten", nn.Flatten());
        return net.net.Build();
    }

    /// <summary>The shortcut shift: a block's input stands before its output instead of being added, as memory is laid out in advance.</summary>
    private void Precede(string name, string input, long before, int stride)
    {
        (string output, long own) = (last, channels);
        last = input;
        if (stride > 1)
        {
            Then($"{name}.pool", nn.MaxPool2d(3, stride: stride, padding: 1));
        }

        (last, channels) = (net.Join($"{name}.concat", Join.Concatenation, last, output), before + own);
    }

    private void InvertedResidual(string name, int expansion, long width, int stride)
    {
        (string input, long before) = (last, channels);
        if (expansion > 1)
        {
            Unit($"{name}.conv1", $"{name}.bn1", Inner, expansion * channels, 1, activation: nn.ReLU6);
        }

        Unit($"{name}.conv2", $"{name}.bn2", Inner, channels, 3, stride, channels, nn.ReLU6);
        Unit($"{name}.conv3", $"{name}.bn3", Inner, width, 1);
        if (stride == 1 && before == width)
        {
            last = net.Join($"{name}.sum", Join.Sum, last, input);
        }
    }

    private void Shuffled(string name, long width, int groups, bool grouped, int stride)
    {
        (string input, long before) = (last, channels);
        long own = stride == 1 ? width : width - channels;
        Unit($"{name}.conv1", $"{name}.bn1", Inner, width / 4, 1, groups: grouped ? groups : 1, activation: nn.ReLU);
        Then($"{name}.shuffle", nn.ChannelShuffle(groups));
        Unit($"{name}.conv2", $"{name}.bn2", Inner, channels, 3, stride, channels);
        Unit($"{name}.conv3", $"{name}.bn3", Inner, own, 1, groups: groups);
        string body = last;
        if (stride == 1)
        {
            last = net.Join($"{name}.sum", Join.Sum, body, input);
        }
        else
        {
            (last, channels) = (input, before);
            Then($"{name}.avgpool", nn.AvgPool2d(3, stride: stride, padding: 1));
            (last, channels) = (net.Join($"{name}.concat", Join.Concatenation, last, body), width);
        }

        Then($"{name}.relu", nn.ReLU());
    }

    /// <summary>Squeeze-and-excitation: each channel times a factor that two small layers make of all channels' means.</summary>
    private void Excite(string name, long squeezed)
    {
        string map = last;
        Then($"{name}.avgpool", nn.AdaptiveAvgPool2d(1));
        Conv2d narrow = nn.Conv2d(channels, squeezed, 1);
        // Behind a BatchNorm channels have means of 0 at first, of which a ReLU would leave nothing or all by chance.
        using Scalar open = Arithmetic.Number(0.1);
        nn.init.constant_(narrow.bias!, open);
        last = net.Add($"{name}.fc1", narrow, last);
        Then($"{name}.relu", nn.ReLU());
        last = net.Add($"{name}.fc2", nn.Conv2d(squeezed, channels, 1), last);
        Then($"{name}.sigmoid", nn.Sigmoid());
        last = net.Join($"{name}.product", Join.Product, map, last);
    }

    private WiredNetwork Classified(int classes)
    {
        Then("avgpool", nn.AdaptiveAvgPool2d(1));
        Classifier(classes);
        Then("flatten", nn.Flatten());
        return net.Build();
    }

    private void Classifier(int classes)
    {
        Module layer = Layer(new LayerSlot("fc", Last, channels, classes, 1, Bias: true));
        if (layer is Conv2d conv)
        {
            // No BatchNorm behind it makes up for the size of many features' sums, as it does in our ResNets.
            nn.init.normal_(conv.weight!, 0, 0.01);
            nn.init.zeros_(conv.bias!);
        }
    }

    private void Pool(string name) => Then(name, nn.MaxPool2d(3, stride: 2));

    private void Then(string name, Module function) => last = net.Function(name, function, last);

    /// <summary>A layer, its BatchNorm and what follows it.</summary>
    private string Unit(
        string name, string norm, LayerPosition position, long outChannels, long kernel, long stride = 1, long groups = 1, Func<bool, Module>? activation = null,
        long? padding = null)
    {
        Layer(new LayerSlot(name, position, channels, outChannels, kernel, stride, padding ?? kernel / 2, groups));
        last = net.Add(norm, new SynchronizableBatchNorm(outChannels), last);
        if (activation is not null)
        {
            Then($"{name}.relu", activation(true));
        }

        return last;
    }

    private Module Layer(LayerSlot slot)
    {
        if (layers.SeesBits(slot))
        {
            throw new ArgumentException("Networks of efficient blocks are made of adder layers and convolutions, not of binary layers.");
        }

        Module layer = layers.Create(slot);
        if (layer is Adder2d adder)
        {
            using var guard = no_grad();
            adder.Filters.Scale(filters);
        }

        (last, channels) = (net.Add(slot.Name, layer, last), slot.OutChannels);
        return layer;
    }
}
