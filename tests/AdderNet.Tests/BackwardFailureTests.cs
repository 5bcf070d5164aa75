using System.Runtime.InteropServices;
using TorchSharp;
using static TorchSharp.torch;

namespace AdderNet.Tests;

public class BackwardFailureTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_tensor_changed_in_place_before_backward_is_an_exception_of_the_caller(bool inputNeedsGradient)
    {
        using var scope = NewDisposeScope();
        using Adder2d layer = Layers.Adder2d(2, 3, 3);
        Tensor x = randn(1, 2, 5, 5).requires_grad_(inputNeedsGradient), h = x * 2;
        Tensor y = layer.forward(h);
        using (no_grad())
        {
            h.add_(1);
        }

        Assert.Throws<ExternalException>(() => y.sum().backward());
        Assert.Contains("modified by an inplace operation", Adder2d.BackwardFailure!.Message, StringComparison.Ordinal);

        layer.forward(x).sum().backward();
        Assert.Null(Adder2d.BackwardFailure);
        Assert.NotNull(layer.Filters.grad);
    }
}
