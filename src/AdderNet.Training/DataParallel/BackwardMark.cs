using TorchSharp;
using static TorchSharp.torch;

namespace AdderNet.Training.DataParallel;

/// <summary>
/// Does nothing to a tensor and its gradient, and says when the backward pass comes by: the gradients of all that was computed with the
/// tensor are then complete.
/// </summary>
internal sealed class BackwardMark : autograd.SingleTensorFunction<BackwardMark>
{
    /// <summary>TorchSharp hands autograd a bare handle of what backward returns, which must outlive the call.</summary>
    [ThreadStatic]
    private static Tensor? handedOver;

    public override string Name => nameof(BackwardMark);

    /// <summary>The tensor, marked; as it is where it has no gradient.</summary>
    /// <param name="tensor">Any tensor.</param>
    /// <param name="passed">Is told; it must not throw, since libtorch's frames stand between it and whoever called backward.</param>
    public static Tensor On(Tensor tensor, Action passed) => is_grad_enabled() && tensor.requires_grad ? apply(tensor, passed) : tensor;

    public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
    {
        ctx.save_data("passed", vars[1]);
        return (Tensor)vars[0];
    }

    public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output)
    {
        handedOver?.Dispose();
        handedOver = grad_output.DetachFromDisposeScope();
        ((Action)ctx.get_data("passed"))();
        return [grad_output, null!];
    }
}
