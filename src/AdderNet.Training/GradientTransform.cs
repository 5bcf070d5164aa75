using System.Text.Json.Serialization;
using static TorchSharp.torch;

namespace AdderNet.Training;

/// <summary>
/// Something done to the gradients of a whole batch between <c>backward</c> and the optimizer's step. A recipe lists them in the order in
/// which they are done.
/// </summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "kind")]
[JsonDerivedType(typeof(GradientCentralization), "centralization")]
[JsonDerivedType(typeof(AdaptiveScaling), "adaptiveScaling")]
[JsonDerivedType(typeof(IncreasedScaling), "increasedScaling")]
public abstract record GradientTransform
{
    private protected GradientTransform()
    {
    }

    /// <summary>Changes the gradients.</summary>
    /// <param name="model">A model after <c>backward</c>.</param>
    public abstract void Apply(nn.Module model);

    /// <summary>A parameter that makes no sense: its name, its value, and what it must be; null where all do.</summary>
    internal virtual (string Name, double Value, string Range)? Invalid => null;

    private protected static (string, double, string)? PositiveOr(string name, double value) =>
        value > 0 && double.IsFinite(value) ? null : (name, value, "a number above 0");
}

/// <summary>
/// The paper's adaptive learning rate: gradient * eta * sqrt(k) / ||gradient||, adder layer by adder layer (equation 12), k being the
/// elements of the layer's filters.
/// </summary>
/// <param name="Eta">Size of the scaled gradients, the paper's eta.</param>
public sealed record AdaptiveScaling(double Eta = 0.2) : GradientTransform
{
    /// <inheritdoc/>
    public override void Apply(nn.Module model) => LearningRateScaling.Adaptive(Eta).Apply(model);

    internal override (string Name, double Value, string Range)? Invalid => PositiveOr("eta", Eta);
}

/// <summary>The paper's increased learning rate (ILR): the gradients of adder layers times a fixed factor.</summary>
/// <param name="Factor">The factor; 100 in the paper.</param>
public sealed record IncreasedScaling(double Factor = 100) : GradientTransform
{
    /// <inheritdoc/>
    public override void Apply(nn.Module model) => LearningRateScaling.Increased(Factor).Apply(model);

    internal override (string Name, double Value, string Range)? Invalid => PositiveOr("factor", Factor);
}
