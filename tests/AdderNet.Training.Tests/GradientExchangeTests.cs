using AdderNet.Distributed;
using AdderNet.Training.DataParallel;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace AdderNet.Training.Tests;

public class GradientExchangeTests
{
    [Fact]
    public void Of_layers_that_a_pass_uses_several_times_the_whole_gradient_is_sent()
    {
        random.manual_seed(1);
        using TwoHeads model = new();
        using OneModel task = new(model);
        using Tensor images = rand(2, 16, 6, 6);
        Backward();
        float[][] expected = [.. Gradients()];
        using (GradientExchange exchange = new(task, model.parameters(), Communicator.Alone))
        {
            model.zero_grad(true);
            exchange.LastPiece();
            Backward();
            exchange.Complete(null, stop: false);
            Assert.True(exchange is { BucketCount: > 2, Ahead.Ticks: > 0, Steps: 1 });
        }

        Assert.Equal(expected, Gradients());

        IEnumerable<float[]> Gradients() => model.parameters().Select(p => p.grad!.data<float>().ToArray());

        void Backward()
        {
            using var scope = NewDisposeScope();
            model.call(images).square().sum().backward();
        }
    }

    /// <summary>A layer's maps of two sizes go through the same head, as a detector's do.</summary>
    private sealed class TwoHeads : nn.Module<Tensor, Tensor>
    {
        private readonly Conv2d trunk = nn.Conv2d(16, 64, 3, padding: 1), between = nn.Conv2d(64, 64, 3, padding: 1, stride: 2);
        private readonly Adder2d head = Layers.Adder2d(64, 64, 3, padding: 1);
        private readonly Conv2d last = nn.Conv2d(64, 32, 3);

        public TwoHeads()
            : base(nameof(TwoHeads)) => RegisterComponents();

        public override Tensor forward(Tensor input)
        {
            Tensor large = trunk.call(input), small = between.call(large);
            return Found(large).sum() + Found(small).sum() + Found(small * 2).sum();
        }

        private Tensor Found(Tensor map) => last.call(head.call(head.call(map)));
    }

    private sealed class OneModel(nn.Module model) : ITrainingTask
    {
        public nn.Module Model => model;

        public IReadOnlyList<Metric> Metrics => [];

        public int BatchCount(TrainingPhase phase) => 1;

        public ITaskPass Begin(TrainingPhase phase, int epoch, bool inspect, CancellationToken cancel) => throw new NotSupportedException();

        public IReadOnlyDictionary<string, string> Describe(EpochMetrics metrics) => throw new NotSupportedException();

        public void Dispose()
        {
        }
    }
}
