using TorchSharp;
using TorchSharp.Modules;
using static AdderNet.Models.LayerPosition;
using static TorchSharp.torch;
using Module = TorchSharp.torch.nn.Module<TorchSharp.torch.Tensor, TorchSharp.torch.Tensor>;

namespace AdderNet.Models;

/// <summary>
/// FCOS ("Fully Convolutional One-Stage Object Detection", ICCV 2019; centre-ness beside the boxes, as in its journal version): a ResNet, a
/// neck, and one head for all maps. Images [N, C, H, W], H and W multiples of the largest stride of the neck's maps, become rows [N, ...]:
/// map after map, each [classes + 5, h, w]: a logit a class, four logarithms of distances to the left, upper, right and lower edge in
/// strides, and the centre-ness' logit.
/// </summary>
/// <remarks>
/// The head's layers serve all maps, its BatchNorms one each: statistics of maps differ, and adder layers need BatchNorm where FCOS has
/// GroupNorm. All that an inner layer reads has gone through a ReLU or is a sum of such, so that it is not negative.
/// </remarks>
internal sealed class FcosNets
{
    private readonly LayerFactory layers;
    private readonly DetectorOptions options;
    private readonly long width;
    private readonly int towers;
    private readonly NetBuilder net = new();

    private FcosNets(LayerFactory layers, DetectorOptions options, long width, int towers) =>
        (this.layers, this.options, this.width, this.towers) = (layers, options, width, towers);

    /// <summary>A detector.</summary>
    /// <param name="body">The backbone's modules by name, in order.</param>
    /// <param name="taps">The modules whose outputs the neck reads, with their channels, fine maps first.</param>
    /// <param name="levels">Maps that the head sees: those of the taps, and coarser ones made of the last.</param>
    /// <param name="layers">Makes the layers of neck and head.</param>
    /// <param name="options">What neck and head are.</param>
    /// <param name="width">Channels of the neck and the head.</param>
    /// <param name="towers">Layers of each of the head's towers.</param>
    /// <param name="classes">Classes of objects.</param>
    public static WiredNetwork Build(
        IReadOnlyList<(string Name, Module Layer)> body, IReadOnlyList<(string Name, long Channels)> taps, int levels, LayerFactory layers,
        DetectorOptions options, long width, int towers, int classes)
    {
        FcosNets fcos = new(layers, options, width, towers);
        string last = WiredNetwork.InputName;
        foreach (var (name, layer) in body)
        {
            last = fcos.net.Add($"backbone.{name}", layer, last);
        }

        List<string> maps = fcos.NeckOf([.. taps.Select(t => ($"backbone.{t.Name}", t.Channels))]);
        for (int extra = maps.Count; extra < levels; extra++)
        {
            maps.Add(fcos.Block($"neck.extra{extra}", maps[^1], stride: 2));
        }

        fcos.Head(maps, classes);
        return fcos.net.Build();
    }

    private List<string> NeckOf((string Name, long Channels)[] taps)
    {
        string[] maps = [.. taps.Select((tap, i) => Lateral(i, tap.Name, tap.Channels))];
        if (options.Neck == Neck.RPafpn)
        {
            // Bottom-up: each map gets what the finer one has.
            for (int i = 1; i < maps.Length; i++)
            {
                string down = Block($"neck.down{i}", maps[i - 1], stride: 2);
                maps[i] = net.Join($"neck.up{i}", Join.Sum, maps[i], down);
            }
        }

        for (int i = maps.Length - 2; i >= 0; i--)
        {
            string larger = net.Function($"neck.larger{i}", nn.Upsample(scale_factor: [2, 2], mode: UpsampleMode.Nearest), maps[i + 1]);
            maps[i] = net.Join($"neck.sum{i}", Join.Sum, maps[i], larger);
        }

        return [.. maps.Select((map, i) => Block($"neck.output{i}", map, stride: 1))];
    }

    private string Lateral(int i, string input, long channels)
    {
        LayerSlot slot = new($"neck.lateral{i}", Inner, channels, width, 1);
        return Rectified(slot.Name, Normalized(slot, input));
    }

    /// <summary>A 3x3 layer of the neck; R-PAFPN's has a shortcut, which takes every other row and column where the layer does.</summary>
    private string Block(string name, string input, int stride)
    {
        LayerSlot slot = new(name, Inner, width, width, 3, stride, Padding: 1);
        string x = Normalized(slot, input);
        if (options.Neck == Neck.RPafpn)
        {
            string around = stride == 1 ? input : net.Function($"{name}.subsample", nn.MaxPool2d(1, stride: 2), input);
            x = net.Join($"{name}.shortcut", Join.Sum, x, around);
        }

        return Rectified(name, x);
    }

    private void Head(List<string> maps, int classes)
    {
        LayerFactory factory = layers.WithInner(options.HeadLayers);
        Dictionary<string, Module> shared = [];
        List<string> rows = [];
        // The prior of rare objects keeps the first steps from drowning in background (focal loss, section 4.1).
        Module scores = Shared("head.class", classes, -Math.Log(99)), boxes = Shared("head.box", 4, 0), centres = Shared("head.centre", 1, 0);
        foreach (var (level, map) in maps.Index())
        {
            string classTower = Tower("class_tower", map), boxTower = Tower("box_tower", map);
            string all = net.Join(
                $"head.level{level}", Join.Concatenation, Last(scores, "head.class", classTower), Last(boxes, "head.box", boxTower),
                Last(centres, "head.centre", boxTower));
            rows.Add(net.Function($"head.level{level}.row", nn.Flatten(), all));

            string Tower(string tower, string input)
            {
                for (int i = 0; i < towers; i++)
                {
                    LayerSlot slot = new($"head.{tower}.{i}", Inner, width, width, 3, Padding: 1);
                    if (!shared.TryGetValue(slot.Name, out Module? layer))
                    {
                        shared[slot.Name] = layer = factory.Create(slot);
                    }

                    string name = $"head.{tower}.level{level}.{i}";
                    net.Shared(name, layer, slot.Name, input);
                    input = Rectified(name, net.Add($"head.{tower}_bn.level{level}.{i}", new SynchronizableBatchNorm(width), name));
                }

                return input;
            }

            string Last(Module layer, string name, string input) => net.Shared($"{name}.level{level}", layer, name, input);
        }

        net.Join("head.rows", Join.Concatenation, [.. rows]);

        Module Shared(string name, int outputs, double bias)
        {
            Conv2d conv = nn.Conv2d(width, outputs, 3, padding: 1);
            using var guard = no_grad();
            nn.init.normal_(conv.weight, 0, 0.01);
            using Scalar start = Arithmetic.Number(bias);
            nn.init.constant_(conv.bias!, start);
            return conv;
        }
    }

    private LayerFactory NeckFactory => options.NeckLayers is { } kind ? layers.WithInner(kind) : layers;

    private string Normalized(LayerSlot slot, string input)
    {
        string x = net.Add($"{slot.Name}.layer", NeckFactory.Create(slot), input);
        return net.Add($"{slot.Name}.bn", new SynchronizableBatchNorm(slot.OutChannels), x);
    }

    private string Rectified(string name, string input) => net.Function($"{name}.relu", nn.ReLU(), input);
}
