using TorchSharp;
using static TorchSharp.torch;

namespace AdderNet.Tests;

/// <summary>Counts live tensors of the whole process, so nothing else may run beside it.</summary>
[CollectionDefinition(nameof(NativeMemoryTests), DisableParallelization = true)]
[Collection(nameof(NativeMemoryTests))]
public class NativeMemoryTests
{
    [Fact]
    public void Training_steps_leave_no_tensors_behind()
    {
        using Adder2d layer = Layers.Adder2d(4, 4, 3, padding: 1);
        Step(layer);
        long before = Tensor.TotalCount;
        for (int i = 0; i < 20; i++)
        {
            Step(layer);
        }

        Assert.Equal(before, Tensor.TotalCount);
    }

    private static void Step(Adder2d layer)
    {
        using var scope = NewDisposeScope();
        layer.forward(layer.forward(randn(2, 4, 6, 6))).square().mean().backward();
        layer.zero_grad();
    }
}
