using TorchSharp.Modules;
using static TorchSharp.torch;

namespace AdderNet.Models;

/// <summary>BatchNorm at inference, (y - mean) * scale + shift channel by channel.</summary>
/// <param name="Mean">The running mean, less the bias of the layer before.</param>
/// <param name="Scale">weight / sqrt(running variance + eps).</param>
/// <param name="Shift">The bias.</param>
internal sealed record BatchNormFold(float[] Mean, float[] Scale, float[] Shift)
{
    /// <summary>What a BatchNorm does to the outputs of a layer that adds <paramref name="layerBias"/> to them.</summary>
    public static BatchNormFold Of(BatchNorm2d norm, Tensor? layerBias)
    {
        using var scope = NewDisposeScope();
        Tensor scale = (norm.running_var! + norm.eps).rsqrt();
        return new BatchNormFold(
            Floats(layerBias is null ? norm.running_mean! : norm.running_mean! - layerBias),
            Floats(norm.weight is null ? scale : scale * norm.weight),
            Floats(norm.bias ?? zeros_like(scale)));
    }

    private static float[] Floats(Tensor t) => t.data<float>().ToArray();
}
