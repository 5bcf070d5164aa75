using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace AdderNet.Tests;

/// <summary>BatchNorms that share a batch out are together one BatchNorm over all of it.</summary>
public class SynchronizedBatchNormTests
{
    [Theory]
    [InlineData(0f)]
    [InlineData(-1000f)]
    public void Two_halves_give_what_the_whole_gives(float offset)
    {
        random.manual_seed(1);
        using var scope = NewDisposeScope();
        // Unequal parts, in channels-last memory as an adder layer's outputs, which are large and negative.
        Tensor input = (randn(7, 3, 4, 5) * 100 + offset).permute(0, 3, 1, 2), seen = randn(7, 5, 3, 4);
        Tensor weight = randn(5), bias = randn(5);
        BatchNorm2d whole = nn.BatchNorm2d(5);
        (Tensor output, Tensor gradient) = Pass(whole, input, seen, weight, bias);

        using Meeting meeting = new(2);
        SynchronizableBatchNorm[] halves = [new(5) { Sum = meeting.Sum }, new(5) { Sum = meeting.Sum }];
        (Tensor Output, Tensor Gradient)[] parts = new (Tensor, Tensor)[2];
        Thread[] threads = [.. Enumerable.Range(0, 2).Select(i => new Thread(() =>
        {
            (int start, int count) = i == 0 ? (0, 3) : (3, 4);
            (Tensor o, Tensor g) = Pass(halves[i], input.narrow(0, start, count), seen.narrow(0, start, count), weight, bias);
            parts[i] = (o.DetachFromDisposeScope(), g.DetachFromDisposeScope());
        }))];
        Array.ForEach(threads, t => t.Start());
        Array.ForEach(threads, t => t.Join());

        Near(output, cat([.. parts.Select(p => p.Output)]), 1e-4);
        Near(gradient, cat([.. parts.Select(p => p.Gradient)]), 1e-5);
        Near(whole.weight.grad!, halves[0].weight.grad! + halves[1].weight.grad!, 1e-3);
        Near(whole.bias!.grad!, halves[0].bias!.grad! + halves[1].bias!.grad!, 1e-3);
        Assert.All(halves, half =>
        {
            Near(whole.running_mean!, half.running_mean!, 1e-3);
            Near(whole.running_var! / 1000, half.running_var! / 1000, 1e-3);
            Assert.Equal(1, half.num_batches_tracked!.item<long>());
        });
    }

    [Fact]
    public void On_its_own_it_is_a_BatchNorm2d()
    {
        random.manual_seed(2);
        using var scope = NewDisposeScope();
        Tensor input = randn(4, 3, 2, 2), seen = randn(4, 3, 2, 2), weight = randn(3), bias = randn(3);
        BatchNorm2d ordinary = nn.BatchNorm2d(3);
        SynchronizableBatchNorm own = new(3);
        Assert.Equal(ordinary.state_dict().Keys, own.state_dict().Keys);
        (Tensor output, Tensor gradient) = Pass(ordinary, input, seen, weight, bias);
        (Tensor ownOutput, Tensor ownGradient) = Pass(own, input, seen, weight, bias);
        Same(output, ownOutput);
        Same(gradient, ownGradient);
        ordinary.eval();
        own.eval();
        Same(ordinary.call(input), own.call(input));
        own.Sum = _ => throw new InvalidOperationException("Nobody is waited for in evaluation mode.");
        Same(ordinary.call(input), own.call(input));
    }

    [Theory]
    [InlineData(true, true, true)]
    [InlineData(true, false, false)]
    [InlineData(false, true, false)]
    [InlineData(false, false, true)]
    public void A_failure_within_backward_is_one_whichever_gradient_is_asked_for(bool input, bool weight, bool bias)
    {
        int sums = 0;
        SynchronizableBatchNorm norm = new(3)
        {
            Sum = _ =>
            {
                if (++sums > 1)
                {
                    throw new InvalidDataException("the other has gone");
                }
            },
        };
        norm.weight.requires_grad = weight;
        norm.bias!.requires_grad = bias;
        using var scope = NewDisposeScope();
        Tensor output = norm.call(randn(4, 3, 2, 2).requires_grad_(input));
        Assert.ThrowsAny<Exception>(() => output.sum().backward());
        Assert.Equal("the other has gone", Assert.IsType<InvalidDataException>(BackwardCall.Failure).Message);
    }

    private static (Tensor Output, Tensor Gradient) Pass(BatchNorm norm, Tensor input, Tensor seen, Tensor weight, Tensor bias)
    {
        using (no_grad())
        {
            norm.weight.copy_(weight);
            norm.bias!.copy_(bias);
        }

        Tensor x = input.detach().clone().requires_grad_();
        Tensor y = norm.call(x);
        (y * seen).sum().backward();
        return (y.detach(), x.grad!);
    }

    private static void Same(Tensor expected, Tensor actual) => Assert.Equal(expected.contiguous().data<float>(), actual.contiguous().data<float>());

    private static void Near(Tensor expected, Tensor actual, double tolerance) =>
        Assert.True(expected.allclose(actual, 0, tolerance), $"{(expected - actual).abs().max().item<float>()} apart");

    /// <summary>Threads that sum up numbers.</summary>
    private sealed class Meeting(int members) : IDisposable
    {
        private readonly Barrier barrier = new(members);
        private double[] total = [];

        public void Dispose() => barrier.Dispose();

        public void Sum(double[] numbers)
        {
            lock (barrier)
            {
                total = total.Length == 0 ? (double[])numbers.Clone() : [.. total.Zip(numbers, (a, b) => a + b)];
            }

            barrier.SignalAndWait();
            total.CopyTo(numbers, 0);
            barrier.SignalAndWait();
            total = [];
            barrier.SignalAndWait();
        }
    }
}
