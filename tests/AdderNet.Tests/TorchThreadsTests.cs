using AdderNet.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace AdderNet.Tests;

/// <summary>Changes the number of threads of the whole process, so nothing else may run beside it.</summary>
[CollectionDefinition(nameof(TorchThreadsTests), DisableParallelization = true)]
[Collection(nameof(TorchThreadsTests))]
public sealed class TorchThreadsTests : IDisposable
{
    private readonly int before = get_num_threads();

    public void Dispose() => set_num_threads(before);

    [Fact]
    public void Kernels_use_as_many_threads_as_libtorch_is_told()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "libtorch has libgomp on Linux only.");
        Step(set: 1);
        Assert.Equal(1, KernelThreads.Count);
        Step(set: 3);
        Assert.Equal(3, KernelThreads.Count);
    }

    [Fact]
    public void Libtorchs_threads_and_own_ones_give_the_same_bits()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "libtorch has libgomp on Linux only.");
        float[] shared = Step(set: 3);
        OpenMPTeam team = WorkerPool.Team!;
        try
        {
            WorkerPool.Team = null;
            Assert.Equal(shared, Step(set: 3));
        }
        finally
        {
            WorkerPool.Team = team;
        }
    }

    [Fact]
    public async Task Layers_compute_on_several_users_threads_at_once()
    {
        float[] alone = Step(set: 2);
        float[][] together = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(() =>
        {
            float[] last = [];
            for (int i = 0; i < 20; i++)
            {
                last = Step(set: 2);
            }

            return last;
        })));
        Assert.All(together, values => Assert.Equal(alone, values));
    }

    /// <summary>A forward and a backward pass that are cut into many tasks; the outputs and all gradients.</summary>
    private static float[] Step(int set)
    {
        set_num_threads(set);
        using var scope = NewDisposeScope();
        using Adder2d layer = Layers.Adder2d(16, 32, 3, padding: 1);
        Tensor x = arange(4 * 16 * 12 * 12).to(float32).sin().reshape(4, 16, 12, 12).requires_grad_();
        using (no_grad())
        {
            layer.Filters.copy_(arange(layer.Filters.numel()).to(float32).cos().reshape(layer.Filters.shape));
        }

        Tensor y = layer.forward(x);
        y.square().mean().backward();
        return [.. y.contiguous().data<float>(), .. x.grad!.contiguous().data<float>(), .. layer.Filters.grad!.contiguous().data<float>()];
    }
}
