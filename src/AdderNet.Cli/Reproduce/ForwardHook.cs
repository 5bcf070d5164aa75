using AdderNet.Data;
using static TorchSharp.torch;

namespace AdderNet.Cli.Reproduce;

/// <summary>Sees what passes through a layer, for as long as it lives.</summary>
internal sealed class ForwardHook : IDisposable
{
    private readonly Action remove;

    /// <summary>Calls <paramref name="look"/> with the input and the output of each pass; both belong to the model.</summary>
    public ForwardHook(nn.Module<Tensor, Tensor> layer, Action<Tensor, Tensor> look)
    {
        var hook = layer.register_forward_hook((_, input, output) =>
        {
            using var scope = NewDisposeScope();
            using var guard = no_grad();
            look(input, output);
            return output;
        });
        remove = hook.remove;
    }

    public void Dispose() => remove();
}

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
