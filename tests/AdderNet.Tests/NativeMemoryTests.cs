using TorchSharp;
using static TorchSharp.torch;

namespace AdderNet.Tests;

/// <summary>Counts live tensors of the whole process, so nothing else may run beside it.</summary>
[CollectionDefinition(nameof(NativeMemoryTests), DisableParallelization = true)]
[Collection(nameof(NativeMemoryTests))]
public class NativeMemoryTests
{
    public static TheoryData<string, Func<nn.Module<Tensor, Tensor>>> EveryLayer => new()
    {
        { "adder", () => Layers.Adder2d(4, 4, 3, padding: 1) },
        { "binary", () => new BinaryConv2d(4, 4, 3, 1, 1, Binarization.XnorNet) },
        { "DoReFa", () => new BinaryConv2d(4, 4, 3, 1, 1, Binarization.DoReFa) },
    };

    [Theory]
    [MemberData(nameof(EveryLayer), DisableDiscoveryEnumeration = true)]
    public void Training_steps_leave_no_tensors_behind(string name, Func<nn.Module<Tensor, Tensor>> make)
    {
        Assert.NotEmpty(name);
        using nn.Module<Tensor, Tensor> layer = make();
        Step(layer);
        long before = Tensor.TotalCount;
        for (int i = 0; i < 20; i++)
        {
            Step(layer);
        }

        Assert.Equal(before, Tensor.TotalCount);
    }

    private static void Step(nn.Module<Tensor, Tensor> layer)
    {
        using var scope = NewDisposeScope();
        layer.forward(layer.forward(randn(2, 4, 6, 6))).square().mean().backward();
        layer.zero_grad();
    }
}
