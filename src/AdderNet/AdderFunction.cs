using AdderNet.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace AdderNet;

/// <summary>One call of an adder layer.</summary>
/// <param name="Shape">Its sizes.</param>
/// <param name="Gradient">The gradient that the filters get.</param>
/// <param name="InputGradient">The gradient that goes on to the input.</param>
/// <param name="Rounded">Filters that the output is computed with, where these are not the ones that learn.</param>
internal sealed record AdderCall(AdderShape Shape, WeightGradient Gradient, InputGradient InputGradient, Tensor? Rounded = null);

/// <summary>The adder layer in autograd: the paper's update rules take the place of the derivative.</summary>
internal sealed class AdderFunction : autograd.SingleTensorFunction<AdderFunction>
{
    public override string Name => nameof(AdderFunction);

    public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
    {
        var (input, filters, call) = ((Tensor)vars[0], (Tensor)vars[1], (AdderCall)vars[2]);
        ctx.set_materialize_grads(false);
        ctx.save_for_backward([input, filters]);
        ctx.save_data("call", call);
        ctx.save_data("needs", (input.requires_grad, filters.requires_grad));
        return AdderTensors.Forward(call.Shape, input, call.Rounded ?? filters);
    }

    public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output)
    {
        var needs = ((bool Input, bool Filters))ctx.get_data("needs");
        return BackwardCall.Run(inputs: 3, needed: needs.Input ? 0 : 1, () => Gradients(ctx, grad_output, needs));
    }

    private static Tensor?[] Gradients(autograd.AutogradContext ctx, Tensor? gradOutput, (bool Input, bool Filters) needs)
    {
        if (gradOutput is null || gradOutput.IsInvalid)
        {
            return [null, null, null];
        }

        using (gradOutput)
        {
            List<Tensor> saved = ctx.get_saved_variables();
            var (input, filters) = (saved[0], saved[1]);
            (AdderShape shape, WeightGradient gradient, InputGradient inputGradient, _) = (AdderCall)ctx.get_data("call");
            Tensor? gradInput = needs.Input ? AdderTensors.InputGradient(shape, input, filters, gradOutput, inputGradient) : null;
            Tensor? gradFilters = !needs.Filters ? null
                : gradient == WeightGradient.Sign ? AdderTensors.SignWeightGradient(shape, input, filters, gradOutput)
                : FullPrecisionGradient.Compute(shape, input, filters, gradOutput);
            return [gradInput, gradFilters, null];
        }
    }
}
