using static TorchSharp.torch;
using Module = TorchSharp.torch.nn.Module<TorchSharp.torch.Tensor, TorchSharp.torch.Tensor>;

namespace AdderNet.Models;

/// <summary>Layers one after another.</summary>
internal sealed class FusedSequence : Module
{
    // Not registered as children: those that are not fused are the trained model's, and not this module's to dispose.
    private readonly List<Module> layers;

    public FusedSequence(List<Module> layers)
        : base(nameof(FusedSequence))
    {
        this.layers = layers;
        eval();
    }

    public override Tensor forward(Tensor input)
    {
        using var scope = NewDisposeScope();
        return layers.Aggregate(input, (x, layer) => layer.call(x)).MoveToOuterDisposeScope();
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            layers.Where(l => l is FusedAdder or FusedConvolution or FusedSequence or FusedBlock).ToList().ForEach(l => l.Dispose());
        }

        base.Dispose(disposing);
    }
}
