using AdderNet.Checkpoints;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using Module = TorchSharp.torch.nn.Module<TorchSharp.torch.Tensor, TorchSharp.torch.Tensor>;

namespace AdderNet.Models;

/// <summary>Makes a model's layers: the one place where AdderNet, CNN, binary and mixed networks differ.</summary>
/// <example><code>
/// // A ResNet-20 of adder layers whose first stage is of convolutions:
/// AdderNetModels.Create("resnet20", LayerFactory.Inner(slot => slot.Name.StartsWith("layer1.") ? LayerKind.Conv : LayerKind.Adder));
/// </code></example>
public sealed class LayerFactory
{
    private readonly Func<LayerSlot, LayerKind> kindOf;
    private readonly WeightGradient gradient;
    private readonly InputGradient inputGradient;
    private VersatileFilters? versatile;

    /// <summary>Layers of any kind at any place, the first and the last included.</summary>
    /// <param name="kindOf">The kind of the layer in each slot; the same slot always has the same.</param>
    /// <param name="gradient">The gradient that adder filters get.</param>
    /// <param name="inputGradient">The gradient that adder layers hand on.</param>
    public LayerFactory(
        Func<LayerSlot, LayerKind> kindOf, WeightGradient gradient = WeightGradient.FullPrecision, InputGradient inputGradient = InputGradient.Clipped)
    {
        ArgumentNullException.ThrowIfNull(kindOf);
        (this.kindOf, this.gradient, this.inputGradient) = (kindOf, gradient, inputGradient);
    }

    /// <summary>Layers that differ by place between an ordinary first layer and an ordinary classifier.</summary>
    /// <param name="kindOf">The kind of the layer in each inner slot.</param>
    /// <param name="gradient">The gradient that adder filters get.</param>
    /// <param name="inputGradient">The gradient that adder layers hand on.</param>
    public static LayerFactory Inner(
        Func<LayerSlot, LayerKind> kindOf, WeightGradient gradient = WeightGradient.FullPrecision, InputGradient inputGradient = InputGradient.Clipped)
    {
        ArgumentNullException.ThrowIfNull(kindOf);
        return new LayerFactory(slot => slot.Position == LayerPosition.Inner ? kindOf(slot) : LayerKind.Conv, gradient, inputGradient);
    }

    /// <summary>Layers of one kind between an ordinary first layer and an ordinary classifier, as in the paper.</summary>
    /// <param name="kind">The kind of all inner layers.</param>
    /// <param name="gradient">The gradient that adder filters get.</param>
    /// <param name="inputGradient">The gradient that adder layers hand on.</param>
    public static LayerFactory Inner(
        LayerKind kind, WeightGradient gradient = WeightGradient.FullPrecision, InputGradient inputGradient = InputGradient.Clipped) =>
        Inner(_ => kind, gradient, inputGradient);

    /// <summary>Inner layers of one kind, with the gradients of these.</summary>
    internal LayerFactory WithInner(LayerKind kind) =>
        new(slot => slot.Position == LayerPosition.Inner ? kind : LayerKind.Conv, gradient, inputGradient)
        {
            versatile = versatile,
        };

    /// <summary>
    /// These layers with versatile filters in all inner slots where a primary filter has more than one secondary filter. A layer in groups stays
    /// as it is.
    /// </summary>
    /// <param name="filters">The secondary filters.</param>
    /// <returns>A factory whose <see cref="Create"/> also refuses sizes that make no versatile layer.</returns>
    public LayerFactory Versatile(VersatileFilters filters)
    {
        ArgumentNullException.ThrowIfNull(filters);
        return new(kindOf, gradient, inputGradient) { versatile = filters };
    }

    /// <summary>
    /// The layers whose weights a state_dict has, each by the name of its key: adder layers and convolutions may be mixed in any way.
    /// </summary>
    /// <param name="weights">The state_dict.</param>
    /// <param name="kind">What inner layers are that have no adder filters: binary layers' weights are named as convolutions' are, and a layer
    /// without weights is missed by the name that this kind gives them.</param>
    /// <param name="gradient">The gradient that adder filters get.</param>
    /// <param name="inputGradient">The gradient that adder layers hand on.</param>
    internal static LayerFactory Of(
        IReadOnlyDictionary<string, TensorData> weights, LayerKind kind, WeightGradient gradient = WeightGradient.FullPrecision,
        InputGradient inputGradient = InputGradient.Clipped) => new(
            slot => weights.ContainsKey($"{slot.Name}.adder") ? LayerKind.Adder
                : slot.Position != LayerPosition.Inner || (kind == LayerKind.Adder && weights.ContainsKey($"{slot.Name}.weight")) ? LayerKind.Conv
                : kind,
            gradient, inputGradient);

    /// <summary>The layer of a slot, with fresh parameters.</summary>
    /// <param name="slot">Its place and sizes.</param>
    /// <returns>A module from [N, InChannels, H, W] to [N, OutChannels, H', W'].</returns>
    /// <exception cref="ArgumentException">The sizes make no layer, there is no such kind, or a binary layer is to have a bias.</exception>
    public Module Create(LayerSlot slot)
    {
        ArgumentNullException.ThrowIfNull(slot);
        if (versatile is not null && slot is { Position: LayerPosition.Inner, Groups: 1 } && versatile.Count(slot.KernelSize) > 1)
        {
            (long seen, long primary) = Versatile2d.PrimarySize(versatile, slot.InChannels, slot.OutChannels, slot.KernelSize, slot.Padding);
            LayerSlot of = slot with { Name = $"{slot.Name}.primary", InChannels = seen, OutChannels = primary };
            return SeesBits(of) || slot.Bias
                ? throw new ArgumentException("Versatile filters are those of adder layers and convolutions without a bias.")
                : new Versatile2d(Layer(of), versatile);
        }

        return Layer(slot);
    }

    private Module Layer(LayerSlot slot) =>
        kindOf(slot) switch
        {
            LayerKind.Adder => Layers.Adder2d(
                slot.InChannels, slot.OutChannels, slot.KernelSize, slot.Stride, slot.Padding, groups: slot.Groups, bias: slot.Bias,
                gradient: gradient, inputGradient: inputGradient),
            LayerKind.Conv => Convolution(slot),
            LayerKind.Binary => Binary(slot, Binarization.XnorNet),
            LayerKind.DoReFa => Binary(slot, Binarization.DoReFa),
            LayerKind kind => throw new ArgumentException($"There is no layer kind {kind}."),
        };

    /// <summary>
    /// Whether the layer of a slot sees one bit of each activation. Then no ReLU may stand before it: after it every sign is +1 (and DoReFa's
    /// clip at 0 would repeat it). It gets what the BatchNorm or the residual sum gives, XNOR-Net's order BatchNorm, binarization,
    /// convolution; and a max-pooling, which leaves mostly positive values, stands before the BatchNorm that centres them again. The ReLU
    /// before an ordinary layer stays, and residual sums are of real values.
    /// </summary>
    internal bool SeesBits(LayerSlot slot) => kindOf(slot) is LayerKind.Binary or LayerKind.DoReFa;

    /// <summary>The layer of a slot and what follows it: BatchNorm, ReLU and a pooling if there is one.</summary>
    /// <remarks>The ReLU works in the memory of its input, which is always a BatchNorm's output here and needed by nobody else.</remarks>
    /// <param name="slot">The layer's slot.</param>
    /// <param name="norm">The name of its BatchNorm.</param>
    /// <param name="relu">The name of its ReLU.</param>
    /// <param name="next">The slot that reads what comes out; null for a fully connected layer.</param>
    /// <param name="pool">The pooling by its name.</param>
    internal List<(string Name, Module Layer)> Unit(
        LayerSlot slot, string norm, string relu, LayerSlot? next, (string Name, Module Layer)? pool = null)
    {
        bool bits = next is not null && SeesBits(next);
        (string, Module) layer = (slot.LocalName, Create(slot)), batchNorm = (norm, new SynchronizableBatchNorm(slot.OutChannels));
        (string, Module)? rectifier = bits ? null : (relu, nn.ReLU(inplace: true));
        (string, Module)?[] steps = bits || SeesBits(slot) ? [layer, pool, batchNorm, rectifier] : [layer, batchNorm, rectifier, pool];
        return [.. steps.OfType<(string, Module)>()];
    }

    /// <summary>An ordinary convolution, with He's initialization by the outputs (fan_out) as in the official ImageNet model.</summary>
    private static Conv2d Convolution(LayerSlot slot)
    {
        Conv2d conv = nn.Conv2d(
            slot.InChannels, slot.OutChannels, slot.KernelSize, stride: slot.Stride, padding: slot.Padding, groups: slot.Groups,
            bias: slot.Bias);
        nn.init.kaiming_normal_(conv.weight, mode: nn.init.FanInOut.FanOut, nonlinearity: nn.init.NonlinearityType.ReLU);
        return conv.Ordered();
    }

    private static BinaryConv2d Binary(LayerSlot slot, Binarization binarization) => slot.Bias
        ? throw new ArgumentException($"A binary layer has no bias, which '{slot.Name}' needs; choose another kind for it.")
        : new BinaryConv2d(slot.InChannels, slot.OutChannels, slot.KernelSize, slot.Stride, slot.Padding, binarization, slot.Groups);
}
