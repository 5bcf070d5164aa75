using AdderNet.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace AdderNet;

/// <summary>The adder layer in autograd: the paper's update rules take the place of the derivative.</summary>
internal sealed class AdderFunction : autograd.SingleTensorFunction<AdderFunction>
{
    /// <summary>
    /// The gradients of the latest backward call on this thread. TorchSharp hands autograd bare handles to them, so they must
    /// outlive that call; by the next one autograd holds references of its own.
    /// </summary>
    [ThreadStatic]
    private static List<Tensor>? handedOver;

    public override string Name => nameof(AdderFunction);

    public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
    {
        var (input, filters, shape) = ((Tensor)vars[0], (Tensor)vars[1], (AdderShape)vars[2]);
        ctx.set_materialize_grads(false);
        ctx.save_for_backward([input, filters]);
        ctx.save_data("shape", shape);
        ctx.save_data("gradient", vars[3]);
        ctx.save_data("needs", (input.requires_grad, filters.requires_grad));
        return AdderTensors.Forward(shape, input, filters);
    }

    public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output)
    {
        handedOver?.ForEach(t => t?.Dispose());
        handedOver = null;

        // The tensors made here would otherwise wait for the end of the user's scope: a whole batch's gradients at once.
        using var scope = NewDisposeScope();
        using (grad_output)
        using (no_grad())
        {
            List<Tensor> saved = ctx.get_saved_variables();
            var (input, filters) = (saved[0], saved[1]);
            var shape = (AdderShape)ctx.get_data("shape");
            var (inputNeeds, filtersNeed) = ((bool, bool))ctx.get_data("needs");
            Tensor? gradInput = inputNeeds ? AdderTensors.InputGradient(shape, input, filters, grad_output) : null;
            Tensor? gradFilters = !filtersNeed ? null
                : (WeightGradient)ctx.get_data("gradient") == WeightGradient.Sign ? AdderTensors.SignWeightGradient(shape, input, filters, grad_output)
                : FullPrecisionGradient.Compute(shape, input, filters, grad_output);
            handedOver = [Keep(gradInput), Keep(gradFilters), null!, null!];
            return handedOver;
        }
    }

    private static Tensor Keep(Tensor? t) => t?.DetachFromDisposeScope()!;
}
