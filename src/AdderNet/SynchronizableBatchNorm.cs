using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace AdderNet;

/// <summary>
/// BatchNorm of maps [N, C, H, W] or vectors [N, C], as PyTorch's BatchNorm2d and BatchNorm1d, with the same parameters, buffers and results. Where
/// several processes share out a batch, its means and variances can be those of all of it (PyTorch's SyncBatchNorm).
/// </summary>
internal sealed class SynchronizableBatchNorm : BatchNorm
{
    /// <param name="features">C.</param>
    /// <param name="epsilon">What is added to the variances.</param>
    /// <param name="affine">Whether it has weights and biases.</param>
    public SynchronizableBatchNorm(long features, double epsilon = 1e-5, bool affine = true)
        : base(features, epsilon, momentum: 0.1, affine, track_running_stats: true, null, null, nameof(BatchNorm2d))
    {
    }

    /// <summary>Puts the sum over all processes in the place of each number; null for a process on its own, and where none is to be waited for.</summary>
    public Action<double[]>? Sum { get; set; }

    public override Tensor forward(Tensor input)
    {
        if (!training)
        {
            return base.forward(input);
        }

        ValidateInputDimensions(input);
        // (The base counts with a number that nobody holds; see Arithmetic.)
        using (no_grad())
        {
            num_batches_tracked!.add_(Arithmetic.One, Arithmetic.One);
        }

        // Without a momentum the running averages are plain ones.
        double rate = momentum is > 0 and var given ? given : 1.0 / num_batches_tracked.item<long>();
        if (Sum is null)
        {
            return nn.functional.batch_norm(input, running_mean, running_var, weight, bias, training: true, rate, eps);
        }

        using var scope = NewDisposeScope();
        (BatchMoments moments, Tensor variance) = BatchMoments.Of(input, Sum, eps);
        using (no_grad())
        {
            running_mean!.Scale(1 - rate).Add(moments.Mean, rate);
            // As everywhere in PyTorch, what is remembered is the estimate of the variance of all images.
            running_var!.Scale(1 - rate).Add(variance, rate * moments.Count / Math.Max(1, moments.Count - 1));
        }

        (Tensor factors, Tensor summands) = affine ? (weight, bias!) : (ones(num_features), zeros(num_features));
        Tensor output = is_grad_enabled() && (input.requires_grad || factors.requires_grad || summands.requires_grad)
            ? NormalizationFunction.apply(input, factors, summands, moments)
            : moments.Normalize(input, factors, summands);
        return output.MoveToOuterDisposeScope();
    }

    protected override void ValidateInputDimensions(Tensor input)
    {
        if (input.dim() is not (2 or 4))
        {
            throw new ArgumentException(
                $"BatchNorm takes an input of shape [N, {num_features}, H, W] or [N, {num_features}]; this one is [{string.Join(", ", input.shape)}].");
        }
    }
}

/// <summary>What users call a module.</summary>
internal static class ModuleKind
{
    /// <summary>The name of its class, and PyTorch's for the BatchNorms that have a class of their own here.</summary>
    public static string Kind(this nn.Module module) => module is SynchronizableBatchNorm ? nameof(BatchNorm2d) : module.GetType().Name;
}

/// <summary>Means and variances of a batch's channels over all processes.</summary>
/// <param name="Mean">[C].</param>
/// <param name="Scale">[C], 1 / sqrt(variance + epsilon).</param>
/// <param name="Count">Values of a channel.</param>
/// <param name="Sum">Sums numbers over all processes.</param>
internal sealed record BatchMoments(Tensor Mean, Tensor Scale, double Count, Action<double[]> Sum)
{
    /// <summary>The moments of an input, of which each process has a part, and the variances, [C].</summary>
    public static (BatchMoments Moments, Tensor Variance) Of(Tensor input, Action<double[]> sum, double epsilon)
    {
        using var guard = no_grad();
        int channels = (int)input.shape[1];
        double own = (double)input.numel() / channels;
        // From the parts' means m and variances v of n values: mean = E[m], variance = E[v + m^2] - mean^2, weighted by n.
        (Tensor v, Tensor m) = var_mean(input, WithinChannel(input), unbiased: false);
        Tensor m64 = m.to_type(ScalarType.Float64);
        double[] sums = [own, .. m64.Times(own).data<double>(), .. v.to_type(ScalarType.Float64).Plus(m64.Squared()).Times(own).data<double>()];
        sum(sums);
        Tensor mean = tensor(sums[1..(channels + 1)]).Over(sums[0]);
        Tensor variance = (tensor(sums[(channels + 1)..]).Over(sums[0]) - mean.Squared()).AtLeast(0);
        return (new(Single(mean), Single(variance.Plus(epsilon).rsqrt()), sums[0], sum), Single(variance));

        static Tensor Single(Tensor t) => t.to_type(ScalarType.Float32);
    }

    /// <summary>(x - mean) * scale.</summary>
    public Tensor Standardize(Tensor input) => input.sub(Channels(Mean, input)).mul_(Channels(Scale, input));

    /// <summary>(x - mean) * scale * weight + bias.</summary>
    public Tensor Normalize(Tensor input, Tensor weight, Tensor bias) =>
        input.sub(Channels(Mean, input)).mul_(Channels(Scale * weight, input)).Add(Channels(bias, input));

    /// <summary>
    /// The gradients at input, weight and bias. With x^ the standardized input and g the gradient at the output, the means over all processes:
    /// weight * scale * (g - mean(g) - x^ * mean(g x^)), sum(g x^) and sum(g); the latter two are this process's part.
    /// </summary>
    public (Tensor Input, Tensor Weight, Tensor Bias) Gradients(Tensor input, Tensor weight, Tensor gradient)
    {
        Tensor standardized = Standardize(input);
        long[] within = WithinChannel(input);
        Tensor bias = gradient.sum(within), products = (gradient * standardized).sum(within);
        double[] sums = [.. cat([bias, products]).to_type(ScalarType.Float64).data<double>()];
        Sum(sums);
        int channels = sums.Length / 2;
        Tensor meanOf = tensor(sums).Over(Count).to_type(ScalarType.Float32);
        Tensor own = gradient.sub(Channels(meanOf[..channels], input)).sub_(standardized.mul_(Channels(meanOf[channels..], input)));
        return (own.mul_(Channels(weight * Scale, input)), products, bias);
    }

    /// <summary>The dimensions over which a channel extends.</summary>
    private static long[] WithinChannel(Tensor input) => input.dim() == 2 ? [0] : [0, 2, 3];

    private static Tensor Channels(Tensor t, Tensor input) => input.dim() == 2 ? t : t.view(1, -1, 1, 1);
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
