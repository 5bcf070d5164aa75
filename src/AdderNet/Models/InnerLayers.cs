using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace AdderNet.Models;

/// <summary>Makes a model's layers; the one place where AdderNet and CNN differ.</summary>
internal sealed record InnerLayers(LayerKind Kind, WeightGradient Gradient)
{
    /// <summary>An inner layer without bias: an adder layer or a convolution.</summary>
    public nn.Module<Tensor, Tensor> Layer(long inChannels, long outChannels, long kernelSize, long stride = 1, long padding = 0) =>
        Kind == LayerKind.Adder
            ? Layers.Adder2d(inChannels, outChannels, kernelSize, stride, padding, gradient: Gradient)
            : Convolution(inChannels, outChannels, kernelSize, stride, padding);

    /// <summary>An ordinary convolution, with He's initialization by the outputs (fan_out) as in the official ImageNet model.</summary>
    public static Conv2d Convolution(
        long inChannels, long outChannels, long kernelSize, long stride = 1, long padding = 0, bool bias = false)
    {
        Conv2d conv = nn.Conv2d(inChannels, outChannels, kernelSize, stride: stride, padding: padding, bias: bias);
        nn.init.kaiming_normal_(conv.weight, mode: nn.init.FanInOut.FanOut, nonlinearity: nn.init.NonlinearityType.ReLU);
        return conv;
    }

    /// <summary>ReLU over the memory of its input, which is always a BatchNorm's output here and needed by nobody else.</summary>
    public static ReLU ReLU() => nn.ReLU(inplace: true);
}
