using static TorchSharp.torch;

namespace AdderNet;

/// <summary>
/// How an adder layer's learning rate follows from the global one (section 3.3 of the paper). It rescales gradients, and stands between
/// <c>backward</c> and the optimizer's <c>step</c>: so the norm is of the gradient that the step will use, summed over every micro-batch
/// that was accumulated.
/// </summary>
/// <example><code>
/// loss.backward();
/// LearningRateScaling.Adaptive().Apply(model);
/// optimizer.step();
/// </code></example>
public abstract record LearningRateScaling
{
    private LearningRateScaling() { }

    /// <summary>
    /// The paper's adaptive learning rate: alpha_l = eta * sqrt(k) / ||dL/dF_l||_2 (equation 12), k being the elements of the layer's
    /// filters; a norm below 1e-12 counts as 1e-12.
    /// </summary>
    /// <param name="eta">The paper's eta, a positive number; 0.2 in the official code.</param>
    /// <exception cref="ArgumentOutOfRangeException">Eta is not a positive finite number.</exception>
    public static LearningRateScaling Adaptive(double eta = 0.2) => new AdaptiveRate(Positive(eta, nameof(eta)));

    /// <summary>The ablation's increased learning rate: a fixed factor on the rate of adder layers.</summary>
    /// <param name="factor">A positive number; 100 in the paper.</param>
    /// <exception cref="ArgumentOutOfRangeException">The factor is not a positive finite number.</exception>
    public static LearningRateScaling Increased(double factor = 100) => new IncreasedRate(Positive(factor, nameof(factor)));

    /// <summary>Adder layers learn at the global rate.</summary>
    public static LearningRateScaling None { get; } = new GlobalRate();

    /// <summary>Rescales the gradient of each <see cref="Adder2d"/>'s filters in a model; layers without a gradient are left alone.</summary>
    /// <param name="model">Any TorchSharp module; its adder layers may lie at any depth.</param>
    public void Apply(nn.Module model)
    {
        ArgumentNullException.ThrowIfNull(model);
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        foreach (Adder2d layer in model.modules().Prepend(model).OfType<Adder2d>().Distinct())
        {
            if (layer.Filters.grad is { } gradient)
            {
                Scale(gradient);
            }
        }
    }

    private protected abstract void Scale(Tensor gradient);

    private static double Positive(double value, string name) =>
        value > 0 && double.IsFinite(value)
            ? value
            : throw new ArgumentOutOfRangeException(name, value, $"{name} must be a positive number.");

    /// <summary>alpha_l = eta * sqrt(k) / ||dL/dF_l||_2.</summary>
    /// <param name="Eta">The paper's eta.</param>
    public sealed record AdaptiveRate(double Eta) : LearningRateScaling
    {
        private protected override void Scale(Tensor gradient) =>
            gradient.mul_(gradient.norm().AtLeast(1e-12).reciprocal().Times(Eta * Math.Sqrt(gradient.numel())));
    }

    /// <summary>A fixed factor.</summary>
    /// <param name="Factor">What the gradient is multiplied by.</param>
    public sealed record IncreasedRate(double Factor) : LearningRateScaling
    {
        private protected override void Scale(Tensor gradient) => gradient.Scale(Factor);
    }

    /// <summary>No scaling.</summary>
    public sealed record GlobalRate : LearningRateScaling
    {
        private protected override void Scale(Tensor gradient)
        {
        }
    }
}
