using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace AdderNet;

/// <summary>
/// BatchNorm whose means and variances are those of the whole batch where several processes share it out (PyTorch's SyncBatchNorm). On its own
/// it is an ordinary BatchNorm2d, with the same parameters, buffers and results.
/// </summary>
internal sealed class SynchronizedBatchNorm2d : BatchNorm
{
    public SynchronizedBatchNorm2d(long features)
        : base(features, eps: 1e-5, momentum: 0.1, affine: true, track_running_stats: true, null, null, nameof(BatchNorm2d))
    {
    }

    /// <summary>Puts the sum over all processes in the place of each number; null for a process on its own, and where none is to be waited for.</summary>
    public Action<double[]>? Sum { get; set; }

    public override Tensor forward(Tensor input)
    {
        if (Sum is null || !training)
        {
            return base.forward(input);
        }

        ValidateInputDimensions(input);
        using var scope = NewDisposeScope();
        (BatchMoments moments, Tensor variance) = BatchMoments.Of(input, Sum, eps);
        using (no_grad())
        {
            num_batches_tracked!.add_(1);
            running_mean!.mul_(1 - momentum!.Value).add_(moments.Mean, alpha: momentum.Value);
            // As everywhere in PyTorch, what is remembered is the estimate of the variance of all images.
            running_var!.mul_(1 - momentum.Value).add_(variance, alpha: momentum.Value * moments.Count / Math.Max(1, moments.Count - 1));
        }

        Tensor output = is_grad_enabled() && (input.requires_grad || weight.requires_grad || bias!.requires_grad)
            ? NormalizationFunction.apply(input, weight, bias!, moments)
            : moments.Normalize(input, weight, bias!);
        return output.MoveToOuterDisposeScope();
    }

    protected override void ValidateInputDimensions(Tensor input)
    {
        if (input.dim() != 4)
        {
            throw new ArgumentException($"BatchNorm takes an input of shape [N, {num_features}, H, W]; this one is [{string.Join(", ", input.shape)}].");
        }
    }
}

/// <summary>Means and variances of a batch's channels over all processes.</summary>
/// <param name="Mean">[C].</param>
/// <param name="Scale">[C], 1 / sqrt(variance + epsilon).</param>
/// <param name="Count">Values of a channel.</param>
/// <param name="Sum">Sums numbers over all processes.</param>
internal sealed record BatchMoments(Tensor Mean, Tensor Scale, double Count, Action<double[]> Sum)
{
    private static readonly long[] WithinChannel = [0, 2, 3];

    /// <summary>The moments of an input, of which each process has a part, and the variances, [C].</summary>
    public static (BatchMoments Moments, Tensor Variance) Of(Tensor input, Action<double[]> sum, double epsilon)
    {
        using var guard = no_grad();
        int channels = (int)input.shape[1];
        double own = (double)input.numel() / channels;
        // From the parts' means m and variances v of n values: mean = E[m], variance = E[v + m^2] - mean^2, weighted by n.
        (Tensor v, Tensor m) = var_mean(input, WithinChannel, unbiased: false);
        Tensor m64 = m.to_type(ScalarType.Float64);
        double[] sums = [own, .. (m64 * own).data<double>(), .. ((v.to_type(ScalarType.Float64) + m64.square()) * own).data<double>()];
        sum(sums);
        Tensor mean = tensor(sums[1..(channels + 1)]) / sums[0];
        Tensor variance = (tensor(sums[(channels + 1)..]) / sums[0] - mean.square()).clamp_min(0);
        return (new(Single(mean), Single((variance + epsilon).rsqrt()), sums[0], sum), Single(variance));

        static Tensor Single(Tensor t) => t.to_type(ScalarType.Float32);
    }

    /// <summary>(x - mean) * scale.</summary>
    public Tensor Standardize(Tensor input) => input.sub(Channels(Mean)).mul_(Channels(Scale));

    /// <summary>(x - mean) * scale * weight + bias.</summary>
    public Tensor Normalize(Tensor input, Tensor weight, Tensor bias) =>
        input.sub(Channels(Mean)).mul_(Channels(Scale * weight)).add_(Channels(bias));

    /// <summary>
    /// The gradients at input, weight and bias. With x^ the standardized input and g the gradient at the output, the means over all processes:
    /// weight * scale * (g - mean(g) - x^ * mean(g x^)), sum(g x^) and sum(g); the latter two are this process's part.
    /// </summary>
    public (Tensor Input, Tensor Weight, Tensor Bias) Gradients(Tensor input, Tensor weight, Tensor gradient)
    {
        Tensor standardized = Standardize(input);
        Tensor bias = gradient.sum(WithinChannel), products = (gradient * standardized).sum(WithinChannel);
        double[] sums = [.. cat([bias, products]).to_type(ScalarType.Float64).data<double>()];
        Sum(sums);
        int channels = sums.Length / 2;
        Tensor meanOf = (tensor(sums) / Count).to_type(ScalarType.Float32);
        Tensor own = gradient.sub(Channels(meanOf[..channels])).sub_(standardized.mul_(Channels(meanOf[channels..])));
        return (own.mul_(Channels(weight * Scale)), products, bias);
    }

    private static Tensor Channels(Tensor t) => t.view(1, -1, 1, 1);
}

/// <summary>A synchronized BatchNorm in autograd.</summary>
internal sealed class NormalizationFunction : autograd.SingleTensorFunction<NormalizationFunction>
{
    public override string Name => nameof(NormalizationFunction);

    public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
    {
        var (input, weight, bias, moments) = ((Tensor)vars[0], (Tensor)vars[1], (Tensor)vars[2], (BatchMoments)vars[3]);
        ctx.save_for_backward([input, weight, moments.Mean, moments.Scale]);
        ctx.save_data("count", moments.Count);
        ctx.save_data("sum", moments.Sum);
        ctx.save_data("needed", input.requires_grad ? 0 : weight.requires_grad ? 1 : 2);
        return moments.Normalize(input, weight, bias);
    }

    public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output) => BackwardCall.Run(inputs: 4, (int)ctx.get_data("needed"), () =>
    {
        using (grad_output)
        {
            List<Tensor> saved = ctx.get_saved_variables();
            BatchMoments moments = new(saved[2], saved[3], (double)ctx.get_data("count"), (Action<double[]>)ctx.get_data("sum"));
            (Tensor input, Tensor weight, Tensor bias) = moments.Gradients(saved[0], saved[1], grad_output);
            return [input, weight, bias, null];
        }
    });
}
