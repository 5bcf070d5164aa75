using static TorchSharp.torch;

namespace AdderNet.Training;

/// <summary>
/// Takes its mean from the gradient of each filter: dL/dF - mean(dL/dF), over the input channels, rows and columns (Yong et al.,
/// "Gradient Centralization", ECCV 2020), in layers of every kind.
/// </summary>
/// <remarks>
/// Behind a ReLU all inputs are positive, so that a filter's gradient has a large part common to all its elements; it would move them
/// together, whatever tells one image from another.
/// </remarks>
public sealed record GradientCentralization : GradientTransform
{
    /// <summary>Centres the gradients of all weights of two dimensions or more, whatever the layer; others are left alone.</summary>
    /// <param name="model">A model after <c>backward</c>.</param>
    public override void Apply(nn.Module model)
    {
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        foreach (Tensor gradient in model.parameters().Where(p => p.dim() > 1).Select(p => p.grad).OfType<Tensor>())
        {
            gradient.sub_(gradient.mean([.. Enumerable.Range(1, (int)gradient.dim() - 1).Select(d => (long)d)], keepdim: true));
        }
    }
}
