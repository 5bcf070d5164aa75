using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using Module = TorchSharp.torch.nn.Module<TorchSharp.torch.Tensor, TorchSharp.torch.Tensor>;

namespace AdderNet.Models;

/// <summary>Turns a trained model into one that only infers, faster.</summary>
public static class FusedModel
{
    /// <summary>
    /// A copy of a model for inference: BatchNorm is folded into the layer before it, ReLU and the residual sum are done while a layer
    /// writes its output, and adder filters lie ready for the kernel. It gives the same scores up to rounding.
    /// </summary>
    /// <param name="model">A model in eval mode. Sequences and the residual blocks of this library are looked into; other modules are
    /// called as they are, and stay the given model's.</param>
    /// <returns>A module to be disposed apart from the model. It keeps the weights of this moment: fuse again after training on.</returns>
    /// <exception cref="InvalidOperationException">The model is in training mode.</exception>
    public static Module Fuse(Module model)
    {
        ArgumentNullException.ThrowIfNull(model);
        if (model.training)
        {
            throw new InvalidOperationException("Only a model in eval mode can be fused; call model.eval() first.");
        }

        using var guard = no_grad();
        return new FusedSequence(FuseAll([model]));
    }

    private static Module FuseOne(Module module) => module switch
    {
        Sequential sequence => new FusedSequence(FuseAll(sequence.children().OfType<Module>())),
        // A block of binary layers is called as it is: nothing of theirs folds into a kernel's last step.
        Residual { Relu: true, Body: [.., Adder2d or Conv2d, BatchNorm2d] } block => FuseBlock(block),
        _ => module,
    };

    private static FusedBlock FuseBlock(Residual block)
    {
        List<Module> body = FuseAll(block.Body);
        return new FusedBlock(
            new FusedSequence(body[..^1]), (IFusedLayer)body[^1], block.Downsample is null ? null : FuseOne(block.Downsample));
    }

    private static List<Module> FuseAll(IEnumerable<Module> modules)
    {
        Module[] all = [.. modules];
        List<Module> fused = [];
        for (int i = 0; i < all.Length; i++)
        {
            BatchNorm2d? norm = i + 1 < all.Length && all[i + 1] is BatchNorm2d { track_running_stats: true } n ? n : null;
            bool relu = norm is not null && i + 2 < all.Length && all[i + 2] is ReLU;
            Module? folded = (all[i], norm) switch
            {
                (Adder2d adder, not null) => new FusedAdder(adder, norm, relu),
                (Conv2d { padding_type: null, padding_mode: PaddingModes.Zeros } conv, not null) => new FusedConvolution(conv, norm, relu),
                _ => null,
            };
            fused.Add(folded ?? FuseOne(all[i]));
            i += folded is null ? 0 : relu ? 2 : 1;
        }

        return fused;
    }
}
