using static TorchSharp.torch;

namespace AdderNet.Training.Distillation;

/// <summary>Keeps what a layer gave in the latest forward pass, for as long as it lives.</summary>
internal sealed class FeatureTap : IDisposable
{
    private readonly Action remove;
    private Tensor? latest;

    /// <param name="layer">The layer.</param>
    /// <param name="always">Whether to listen in evaluation mode, too.</param>
    public FeatureTap(nn.Module<Tensor, Tensor> layer, bool always) => remove = layer.register_forward_hook((module, _, output) =>
    {
        if (always || module.training)
        {
            latest?.Dispose();
            // A copy, since a ReLU behind the layer may work in its output's memory; and the scopes around the layer end before it is used.
            latest = output.clone().DetachFromDisposeScope();
        }

        return output;
    }).remove;

    /// <summary>The layer of a name that gives one tensor for one.</summary>
    /// <returns>Null where there is none.</returns>
    public static nn.Module<Tensor, Tensor>? Find(nn.Module model, string name) =>
        model.named_modules().FirstOrDefault(m => m.name == name).module as nn.Module<Tensor, Tensor>;

    /// <summary>What the layer gave, which is the caller's to dispose.</summary>
    public Tensor Take()
    {
        Tensor taken = latest ?? throw new InvalidOperationException("The layer was not called.");
        latest = null;
        return taken;
    }

    public void Dispose()
    {
        remove();
        latest?.Dispose();
    }
}
