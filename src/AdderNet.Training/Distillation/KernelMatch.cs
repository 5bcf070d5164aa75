using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace AdderNet.Training.Distillation;

/// <summary>
/// Compares what an adder layer and the convolution of its name give for the same images, each behind a kernel, since the one's values have
/// Laplace's and the other's Gauss's distribution: the mean squared error between rho(h) and g, where
/// <code>
/// h = exp(y_a / (2 sigma^2))     y_a = BatchNorm(-|x - f|)    the adder layer's
/// g = exp(-y_c / (2 sigma^2))    y_c = BatchNorm(x * f)       the convolution's
/// </code>
/// and rho is a 1x1 layer. Of h the width sigma is learned, too, as 1 / (2 sigma^2).
/// </summary>
/// <remarks>
/// The paper writes the kernels of the distances and products themselves. Behind BatchNorm they are the same but for a width in
/// standard deviations and a constant factor for each channel, which rho takes in; an exponential of distances in the hundreds would be 0.
/// What g gives is a target, without rho and without gradients: were both sides free to change, zeros everywhere would match best.
/// </remarks>
internal sealed class KernelMatch : nn.Module<Tensor, Tensor, Tensor>
{
    /// <summary>Where exponents end: few normalized values lie beyond, and one of them must not be the whole error.</summary>
    private const double LargestExponent = 4;

    // The fields' names are the state_dict's keys.
#pragma warning disable CA2213 // The base class disposes what is registered.
    private readonly Parameter rate;
    private readonly Conv2d rho;
#pragma warning restore CA2213
    private readonly double teacherRate;

    /// <param name="channels">Channels of both layers.</param>
    /// <param name="sigma">The kernels' width at the start.</param>
    public KernelMatch(long channels, double sigma)
        : base(nameof(KernelMatch))
    {
        teacherRate = 1 / (2 * sigma * sigma);
        rate = new Parameter(tensor(new float[] { (float)teacherRate }));
        rho = nn.Conv2d(channels, channels, 1);
        using (no_grad())
        using (NewDisposeScope())
        {
            rho.weight!.copy_(eye(channels).view(channels, channels, 1, 1));
            rho.bias!.zero_();
        }

        RegisterComponents();
    }

    /// <summary>The mean squared error, a scalar.</summary>
    /// <param name="adder">The adder layer's outputs behind BatchNorm, [N, C, H, W].</param>
    /// <param name="convolution">The convolution's, as many.</param>
    public override Tensor forward(Tensor adder, Tensor convolution)
    {
        using var scope = NewDisposeScope();
        Tensor target;
        using (no_grad())
        {
            target = Kernel(convolution.detach().Times(-teacherRate));
        }

        return nn.functional.mse_loss(rho.call(Kernel(adder * rate)), target).MoveToOuterDisposeScope();
    }

    private static Tensor Kernel(Tensor exponents)
    {
        using Scalar most = Arithmetic.Number(LargestExponent);
        return exponents.clamp_max(most).exp();
    }
}
