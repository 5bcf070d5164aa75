using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using Module = TorchSharp.torch.nn.Module<TorchSharp.torch.Tensor, TorchSharp.torch.Tensor>;

namespace AdderNet.Models;

/// <summary>Makes a model's layers; the one place where AdderNet, CNN and binary networks differ.</summary>
internal sealed record InnerLayers(LayerKind Kind, WeightGradient Gradient)
{
    /// <summary>
    /// Whether inner layers see one bit of each activation. Then no ReLU may stand before them: after it every sign is +1 (and DoReFa's
    /// clip at 0 would repeat it). They get what the BatchNorm or the residual sum gives, XNOR-Net's order BatchNorm, binarization,
    /// convolution; and a max-pooling, which leaves mostly positive values, stands before the BatchNorm that centres them again. The ReLU
    /// before the ordinary classifier stays, and residual sums are of real values.
    /// </summary>
    public bool Binary => Kind is LayerKind.Binary or LayerKind.DoReFa;

    /// <summary>An inner layer without bias: an adder layer, a convolution or a binary convolution.</summary>
    public Module Layer(long inChannels, long outChannels, long kernelSize, long stride = 1, long padding = 0) =>
        Kind switch
        {
            LayerKind.Adder => Layers.Adder2d(inChannels, outChannels, kernelSize, stride, padding, gradient: Gradient),
            LayerKind.Conv => Convolution(inChannels, outChannels, kernelSize, stride, padding),
            LayerKind.Binary => new BinaryConv2d(inChannels, outChannels, kernelSize, stride, padding, Binarization.XnorNet),
            LayerKind.DoReFa => new BinaryConv2d(inChannels, outChannels, kernelSize, stride, padding, Binarization.DoReFa),
            _ => throw new ArgumentException($"There is no layer kind {Kind}."),
        };

    /// <summary>What follows a layer: BatchNorm, ReLU and a pooling if there is one; <paramref name="last"/> where an ordinary layer comes next.</summary>
    /// <remarks>The ReLU works in the memory of its input, which is always a BatchNorm's output here and needed by nobody else.</remarks>
    public IEnumerable<(string, Module)> After((string, Module) norm, string relu, (string, Module)? pool = null, bool last = false)
    {
        (string, Module)? rectifier = Binary && !last ? null : (relu, nn.ReLU(inplace: true));
        (string, Module)?[] steps = Binary ? [pool, norm, rectifier] : [norm, rectifier, pool];
        return steps.OfType<(string, Module)>();
    }

    /// <summary>An ordinary convolution, with He's initialization by the outputs (fan_out) as in the official ImageNet model.</summary>
    public static Conv2d Convolution(
        long inChannels, long outChannels, long kernelSize, long stride = 1, long padding = 0, bool bias = false)
    {
        Conv2d conv = nn.Conv2d(inChannels, outChannels, kernelSize, stride: stride, padding: padding, bias: bias);
        nn.init.kaiming_normal_(conv.weight, mode: nn.init.FanInOut.FanOut, nonlinearity: nn.init.NonlinearityType.ReLU);
        return conv;
    }
}
