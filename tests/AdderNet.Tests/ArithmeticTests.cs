using System.Diagnostics;
using TorchSharp;
using static TorchSharp.torch;

namespace AdderNet.Tests;

/// <summary>Tensors with numbers.</summary>
public class ArithmeticTests
{
    private static readonly (string Name, Func<Tensor, Tensor> Compute, Func<float, float> Expected)[] Operations =
    [
        ("x + x", x => x.Plus(x), x => x + x),
        ("x + 3", x => x.Plus(3), x => x + 3),
        ("x * 3", x => x.Times(3), x => x * 3),
        ("x / 4", x => x.Over(4), x => x / 4),
        ("1 - x", x => x.FromOne(), x => 1 - x),
        ("x^2", x => x.Squared(), x => x * x),
        ("x clamped", x => x.Clamped(-1, 2), x => Math.Clamp(x, -1, 2)),
        ("x at least", x => x.AtLeast(0.5), x => Math.Max(x, 0.5f)),
        ("x += x", x => x.clone().Add(x), x => x + x),
        ("x += 2 x", x => x.clone().Add(x, 2), x => x + 2 * x),
        ("x += 3", x => x.clone().Add(3), x => x + 3),
        ("x *= 3", x => x.clone().Scale(3), x => x * 3),
        ("x clamped in place", x => x.clone().Clamp(-1, 2), x => Math.Clamp(x, -1, 2)),
    ];

    /// <remarks>
    /// With TorchSharp's operators "Expected false to be true" comes some ten times a second here: the collector frees their numbers while libtorch
    /// reads them.
    /// </remarks>
    [Fact]
    public async Task Numbers_are_held_until_libtorch_has_read_them()
    {
        Stopwatch watch = Stopwatch.StartNew();
        bool Goes() => watch.Elapsed.TotalSeconds < 3;
        Task collector = Task.Factory.StartNew(
            () =>
            {
                while (Goes())
                {
                    GC.Collect(0);
                    GC.WaitForPendingFinalizers();
                }
            },
            CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        await Task.WhenAll(Enumerable.Range(0, 6).Select(_ => Task.Factory.StartNew(
            () =>
            {
                using var guard = no_grad();
                float[] values = [-2, 0, 0.75f, 5];
                using Tensor x = tensor(values);
                while (Goes())
                {
                    foreach ((string name, Func<Tensor, Tensor> compute, Func<float, float> expected) in Operations)
                    {
                        using var scope = NewDisposeScope();
                        Assert.True(compute(x).data<float>().SequenceEqual(values.Select(expected)), name);
                    }
                }
            },
            CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default)));
        await collector;
    }
}
