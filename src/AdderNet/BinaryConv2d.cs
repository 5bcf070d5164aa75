using AdderNet.Graph;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace AdderNet;

/// <summary>
/// A convolution of one-bit activations with one-bit weights: input [N, C, H, W], output [N, O, H', W']. It learns real weights, whose
/// one-bit versions it computes with; on hardware for it, each product would be an XNOR. Border zeros stay zeros, as in XNOR-Net's own code.
/// </summary>
internal sealed class BinaryConv2d : nn.Module<Tensor, Tensor>
{
    // The field's name is the state_dict's key.
#pragma warning disable CA2213 // The base class disposes registered parameters.
    private readonly Parameter weight;
#pragma warning restore CA2213
    private readonly long[] stride, padding;
    private readonly Binarization binarization;

    public BinaryConv2d(long inChannels, long outChannels, long kernelSize, long stride, long padding, Binarization binarization, long groups = 1)
        : base(nameof(BinaryConv2d))
    {
        weight = new Parameter(empty(outChannels, inChannels / groups, kernelSize, kernelSize));
        nn.init.kaiming_normal_(weight, mode: nn.init.FanInOut.FanOut, nonlinearity: nn.init.NonlinearityType.ReLU);
        (this.stride, this.padding, this.binarization, Groups) = ([stride, stride], [padding, padding], binarization, groups);
        RegisterComponents();
    }

    /// <summary>The real weights [O, C / groups, kernel rows, kernel columns].</summary>
    public Parameter Weight => weight;

    /// <summary>How one bit is made of each value.</summary>
    public BinarizationRule Rule => binarization.Rule;

    /// <summary>Rows and columns from one window to the next.</summary>
    public long[] Stride => stride;

    /// <summary>Rows and columns of zeros at the borders.</summary>
    public long[] Padding => padding;

    /// <summary>Groups of channels that see only each other.</summary>
    public long Groups { get; }

    public override Tensor forward(Tensor input)
    {
        using var scope = NewDisposeScope();
        Tensor activations = SkippedPixels.Ordered(binarization.Activations(input), weight, stride);
        return nn.functional.conv2d(activations, binarization.Weights(weight), null, stride, padding, null, Groups)
            .MoveToOuterDisposeScope();
    }
}
