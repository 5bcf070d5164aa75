using AdderNet.Kernels.Bytes;
using CsCheck;

namespace AdderNet.Kernels.Tests.Bytes;

/// <summary>These change the number of threads of the whole process, so they run on their own.</summary>
[Collection(nameof(ThreadTests))]
public sealed class ByteThreadTests : IDisposable
{
    private readonly int before = KernelThreads.Count;

    public void Dispose() => KernelThreads.Count = before;

    [Fact]
    public void Codes_are_the_same_whatever_the_number_of_threads_and_whose_they_are()
    {
        Gen.Select(Layers.Shapes, Gen.Int[4, 8], Gen.Int).Sample(Same, iter: 60, threads: 1);
        Same(new AdderShape(3, 70, 9, 9, 130, 3, 3) { PaddingH = 1, PaddingW = 1 }, 7, 1);
        Same(new AdderShape(2, 64, 6, 6, 64, 3, 3) { PaddingH = 1, PaddingW = 1, Groups = 16 }, 8, 2);

        static void Same(AdderShape shape, int bits, int seed)
        {
            ByteCase c = new(shape, bits, seed, residual: true);
            byte[] expected = c.ExpectedCodes();
            foreach (int threads in new[] { 1, 2, 3, 7 })
            {
                KernelThreads.Count = threads;
                Assert.Equal(expected, c.ActualCodes(null));
            }

            using KernelWorkspace workspace = new(3);
            int[] y = new int[shape.YLength];
            c.Layer().Forward(c.Input(), y, workspace);
            Assert.Equal(c.Sums, y);
        }
    }

    [Fact]
    public void A_call_in_steady_state_allocates_nothing()
    {
        KernelThreads.Count = 1;
        ByteCase c = new(new AdderShape(2, 24, 9, 9, 30, 3, 3) { PaddingH = 1, PaddingW = 1 }, 7, 1);
        ByteLayer layer = c.Layer();
        BytePlanes x = c.Input(), y = BytePlanes.Allocate(2, new ByteLayout(30, 9, 9, 1));
        layer.Forward(x, y);
        long allocated = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 20; i++)
        {
            layer.Forward(x, y);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - allocated);
    }

    [Fact]
    public void Calls_from_many_threads_at_once_do_not_disturb_each_other()
    {
        KernelThreads.Count = 3;
        ByteCase c = new(new AdderShape(3, 16, 12, 12, 24, 3, 3) { PaddingH = 1, PaddingW = 1 }, 7, 1);
        ByteLayer layer = c.Layer();
        Assert.All(ParallelEnumerable.Range(0, 200).WithDegreeOfParallelism(6).Select(_ =>
        {
            int[] y = new int[c.Shape.YLength];
            layer.Forward(c.Input(), y);
            return y.SequenceEqual(c.Sums);
        }), Assert.True);
    }

    [Theory]
    [InlineData(16)]
    [InlineData(32)]
    [InlineData(64)]
    public unsafe void What_working_memory_held_before_does_not_show(int lanes)
    {
        KernelThreads.Count = 1;
        ByteCase.Any(lanes).Sample(
            (shape, bits, seed, choice) =>
            {
                ByteCase c = new(shape, bits, seed);
                foreach (byte before in new byte[] { 0, 255 })
                {
                    new Span<byte>(Scratch.ForTask(1 << 20), 1 << 20).Fill(before);
                    Assert.Equal(c.Sums, c.ActualSums(choice));
                }
            },
            iter: 30,
            threads: 1);
    }
}
