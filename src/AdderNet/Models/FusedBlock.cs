using static TorchSharp.torch;
using Module = TorchSharp.torch.nn.Module<TorchSharp.torch.Tensor, TorchSharp.torch.Tensor>;

namespace AdderNet.Models;

/// <summary>A residual block: its last layer adds the shortcut and takes the ReLU while it writes.</summary>
internal sealed class FusedBlock : Module
{
    private readonly FusedSequence start;
    private readonly IFusedLayer end;
    private readonly Module? shortcut;

    public FusedBlock(FusedSequence start, IFusedLayer end, Module? shortcut)
        : base(nameof(FusedBlock))
    {
        (this.start, this.end, this.shortcut) = (start, end, shortcut);
        RegisterComponents();
        eval();
    }

    public override Tensor forward(Tensor input)
    {
        using var scope = NewDisposeScope();
        return end.Run(start.call(input), shortcut?.call(input) ?? input).MoveToOuterDisposeScope();
    }
}
