using static TorchSharp.torch;

namespace AdderNet.Reproduction;

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
