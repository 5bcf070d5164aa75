using AdderNet.Data;
using static TorchSharp.torch;

namespace AdderNet.Cli.Reproduce;

/// <summary>A loader's batch as tensors of their own memory.</summary>
internal static class BatchCopy
{
    /// <summary>[N, C, H, W].</summary>
    public static Tensor Images(this Batch batch)
    {
        using var scope = NewDisposeScope();
        return tensor(batch.Images.ToArray(), [batch.Count, batch.Height, batch.Width, batch.Channels])
            .permute(0, 3, 1, 2).contiguous().MoveToOuterDisposeScope();
    }

    /// <summary>[N].</summary>
    public static Tensor LabelsTensor(this Batch batch) => tensor(batch.Labels);
}
