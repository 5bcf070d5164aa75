using System.Runtime.ExceptionServices;
using CsCheck;

namespace AdderNet.Kernels.Tests;

/// <summary>These change the number of threads of the whole process, so they run on their own.</summary>
[CollectionDefinition(nameof(ThreadTests), DisableParallelization = true)]
[Collection(nameof(ThreadTests))]
public sealed class ThreadTests : IDisposable
{
    private readonly int before = KernelThreads.Count;

    public void Dispose() => KernelThreads.Count = before;

    [Fact]
    public void Results_are_the_same_bit_for_bit_whatever_the_number_of_threads()
    {
        Gen.Select(Layers.Shapes, Gen.Int).Sample(Same, iter: 150, threads: 1);
        Same(new AdderShape(2, 100, 9, 9, 130, 3, 3) { PaddingH = 1, PaddingW = 1 }, 1);
        Same(new AdderShape(9, 16, 17, 17, 20, 3, 3) { PaddingH = 1, PaddingW = 1, StrideH = 2, StrideW = 2 }, 2);
        Same(new AdderShape(1, 600, 2, 2, 70, 1, 1), 3);

        static void Same(AdderShape shape, int seed)
        {
            // Some inputs are large and some not finite, so that the slow paths are part of it.
            float[] x = Layers.Random(shape.XLength, seed, 20), filters = Layers.Random(shape.FiltersLength, ~seed);
            float[] gradY = Layers.Random(shape.YLength, seed + 1);
            x[0] = float.PositiveInfinity;
            float[][] one = Results(1);
            foreach (int threads in new[] { 2, 3, 7 })
            {
                Assert.Equal(one.SelectMany(r => r).Select(BitConverter.SingleToInt32Bits), Results(threads).SelectMany(r => r).Select(BitConverter.SingleToInt32Bits));
            }

            float[][] Results(int threads)
            {
                KernelThreads.Count = threads;
                float[] y = new float[shape.YLength], gradX = new float[shape.XLength];
                float[] gradFilters = new float[shape.FiltersLength], signs = new float[shape.FiltersLength];
                AdderKernel.Forward(shape, x, filters, y);
                AdderKernel.InputGradient(shape, x, filters, gradY, gradX);
                AdderKernel.WeightGradient(shape, x, filters, gradY, gradFilters);
                AdderKernel.SignWeightGradient(shape, x, filters, gradY, signs);
                return [y, gradX, gradFilters, signs];
            }
        }
    }

    [Fact]
    public void Calls_from_many_threads_at_once_do_not_disturb_each_other()
    {
        KernelThreads.Count = 3;
        AdderShape shape = new(3, 16, 12, 12, 24, 3, 3) { PaddingH = 1, PaddingW = 1 };
        float[] x = Layers.Random(shape.XLength, 1), filters = Layers.Random(shape.FiltersLength, 2);
        float[] expected = new float[shape.YLength];
        AdderKernel.Forward(shape, x, filters, expected);
        Thread[] users = [.. Enumerable.Range(0, 6).Select(_ => new Thread(() =>
        {
            float[] y = new float[shape.YLength];
            for (int i = 0; i < 50; i++)
            {
                Array.Clear(y);
                AdderKernel.Forward(shape, x, filters, y);
                if (!y.SequenceEqual(expected))
                {
                    Volatile.Write(ref wrong, true);
                }
            }
        }))];
        Array.ForEach(users, u => u.Start());
        Array.ForEach(users, u => u.Join());
        Assert.False(wrong);
    }

    private bool wrong;

    [Fact]
    public unsafe void Every_task_runs_once()
    {
        KernelThreads.Count = 4;
        int[] counts = new int[1000];
        fixed (int* at = counts)
        {
            for (int round = 1; round <= 200; round++)
            {
                WorkerPool.Run(counts.Length, &Count, at);
                Assert.All(counts, c => Assert.Equal(round, c));
            }
        }

        static void Count(void* context, int task) => Interlocked.Increment(ref ((int*)context)[task]);
    }

    [Fact]
    public unsafe void An_exception_on_a_worker_reaches_the_caller_and_the_workers_live_on()
    {
        KernelThreads.Count = 4;
        for (int round = 0; round < 50; round++)
        {
            Assert.Equal("task 500", Assert.Throws<InvalidOperationException>(() => WorkerPool.Run(1000, &Fail, null)).Message);
        }

        Every_task_runs_once();

        static void Fail(void* context, int task)
        {
            if (task == 500)
            {
                throw new InvalidOperationException($"task {task}");
            }
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void A_call_in_steady_state_allocates_nothing_and_its_memory_does_not_grow_with_the_batch(int threads)
    {
        KernelThreads.Count = threads;
        AdderShape shape = new(2, 32, 20, 20, 48, 3, 3) { PaddingH = 1, PaddingW = 1 };
        AdderShape large = shape with { N = 40 };
        float[] filters = Layers.Random(shape.FiltersLength, 2);
        float[] x = Layers.Random(large.XLength, 1), y = new float[large.YLength], gradX = new float[large.XLength], gradFilters = new float[large.FiltersLength];

        long growth = 0, managed = 0, total = 0, held = 0;
        Scratch.FreeKept();
        long before = Scratch.TotalBytes;
        OnFreshThread(() =>
        {
            // The same task shapes in a small and a large batch: scratch must be the same once all threads have worked.
            for (int i = 0; i < 20; i++)
            {
                Step(shape with { N = 12 });
            }

            (growth, managed, total) = (Scratch.TotalBytes, GC.GetAllocatedBytesForCurrentThread(), GC.GetTotalAllocatedBytes(true));
            for (int i = 0; i < 10; i++)
            {
                Step(large);
            }

            managed = GC.GetAllocatedBytesForCurrentThread() - managed;
            total = GC.GetTotalAllocatedBytes(true) - total;
            growth = Scratch.TotalBytes - growth;
            held = Scratch.TotalBytes - before;
        });

        // Nothing may be allocated, on no thread; the test runner's own threads may allocate a little.
        Assert.Equal(0, managed);
        Assert.InRange(total, 0, 20_000);
        Assert.InRange(growth, long.MinValue, 0);
        Assert.InRange(held, 1, 16L << 20);

        // [O, K, pixels] would take this much.
        Assert.True((long)large.YLength * large.FilterLength * sizeof(float) > 400L << 20);

        void Step(AdderShape s)
        {
            AdderKernel.Forward(s, x.AsSpan(0, s.XLength), filters, y.AsSpan(0, s.YLength));
            AdderKernel.InputGradient(s, x.AsSpan(0, s.XLength), filters, y.AsSpan(0, s.YLength), gradX.AsSpan(0, s.XLength));
            AdderKernel.WeightGradient(s, x.AsSpan(0, s.XLength), filters, y.AsSpan(0, s.YLength), gradFilters);
            AdderKernel.SignWeightGradient(s, x.AsSpan(0, s.XLength), filters, y.AsSpan(0, s.YLength), gradFilters);
        }
    }

    [Theory]
    [MemberData(nameof(Layers.Widths), MemberType = typeof(Layers))]
    public unsafe void What_working_memory_held_before_does_not_show(string width)
    {
        KernelThreads.Count = 1;
        VectorWidth w = Enum.Parse<VectorWidth>(width);
        Gen.Select(Layers.Shapes, Gen.Int).Sample(Same, iter: 40, threads: 1);
        Array.ForEach(Layers.Rare, shape => Same(shape, 1));

        void Same(AdderShape shape, int seed)
        {
            float[] x = Layers.Random(shape.XLength, seed), filters = Layers.Random(shape.FiltersLength, ~seed), gradY = Layers.Random(shape.YLength, seed + 1);
            Assert.Equal(Results(float.NaN), Results(1e30f));

            float[] Results(float before)
            {
                float[] y = new float[shape.YLength], gradX = new float[shape.XLength];
                float[] gradFilters = new float[shape.FiltersLength], signs = new float[shape.FiltersLength];
                Fill();
                AdderKernel.Forward(shape, x, filters, y, w);
                Fill();
                AdderKernel.InputGradient(shape, x, filters, gradY, gradX, w);
                Fill();
                AdderKernel.WeightGradient(shape, x, filters, gradY, gradFilters, false, w);
                Fill();
                AdderKernel.WeightGradient(shape, x, filters, gradY, signs, true, w);
                return [.. y, .. gradX, .. gradFilters, .. signs];

                void Fill()
                {
                    // The next call rents the same.
                    const int Floats = 1 << 20;
                    using Scratch.Lease lease = Scratch.Rent();
                    new Span<float>(Scratch.ForTask(Floats * sizeof(float)), Floats).Fill(before);
                    new Span<float>(Scratch.ForCall(Floats * sizeof(float)), Floats).Fill(before);
                }
            }
        }
    }

    [Theory]
    [InlineData(8, 512, 7, 512, 3, 1)]
    [InlineData(2, 64, 224, 8, 7, 1)]
    [InlineData(1, 256, 65, 16, 3, 12)]
    [InlineData(1, 8, 1000, 8, 3, 1)]
    public void Working_memory_stays_within_a_few_megabytes_beside_a_copy_of_the_filters(int n, int c, int size, int o, int kernel, int dilation)
    {
        Assert.SkipWhen(KernelChoice.Forced.Kernel is LayerKernel.Planes, "Lists of layers that planes are not chosen for take more.");
        KernelThreads.Count = 1;
        AdderShape shape = new(n, c, size, size, o, kernel, kernel)
        {
            PaddingH = kernel / 2 * dilation,
            PaddingW = kernel / 2 * dilation,
            DilationH = dilation,
            DilationW = dilation,
        };
        long used = 0;
        Scratch.FreeKept();
        OnFreshThread(() =>
        {
            float[] x = new float[shape.XLength], filters = new float[shape.FiltersLength], y = new float[shape.YLength];
            long before = Scratch.TotalBytes;
            AdderKernel.Forward(shape, x, filters, y);
            used = Scratch.TotalBytes - before;
        });
        Assert.InRange(used, 1, (4L << 20) + shape.FiltersLength * sizeof(float));
    }

    [Fact]
    public void Memory_of_threads_that_have_called_is_bounded_by_the_processors()
    {
        KernelThreads.Count = 1;
        AdderShape shape = new(1, 16, 12, 12, 24, 3, 3) { PaddingH = 1, PaddingW = 1 };
        float[] x = Layers.Random(shape.XLength, 1), filters = Layers.Random(shape.FiltersLength, 2);
        Scratch.FreeKept();
        long before = Scratch.TotalBytes;
        OnFreshThread(Call);
        long one = Scratch.TotalBytes - before;
        using CountdownEvent called = new(20);
        using ManualResetEventSlim end = new();
        Thread[] callers = [.. Enumerable.Range(0, 20).Select(_ => new Thread(() =>
        {
            Call();
            called.Signal();
            end.Wait(TestContext.Current.CancellationToken);
        }))];
        Array.ForEach(callers, c => c.Start());
        called.Wait(TestContext.Current.CancellationToken);
        long held = Scratch.TotalBytes - before;
        end.Set();
        Array.ForEach(callers, c => c.Join());
        Assert.InRange(held, one, one * Environment.ProcessorCount);

        void Call() => AdderKernel.Forward(shape, x, filters, new float[shape.YLength]);
    }

    /// <summary>Runs where no earlier call has left scratch behind.</summary>
    private static void OnFreshThread(Action action)
    {
        Exception? failure = null;
        Thread thread = new(() =>
        {
            try
            {
                action();
            }
            catch (Exception e)
            {
                failure = e;
            }
        });
        thread.Start();
        thread.Join();
        if (failure is not null)
        {
            ExceptionDispatchInfo.Throw(failure);
        }
    }
}
