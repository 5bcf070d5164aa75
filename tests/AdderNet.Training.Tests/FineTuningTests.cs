using AdderNet.Checkpoints;
using AdderNet.Data;
using AdderNet.Graph;
using AdderNet.Inference;
using AdderNet.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace AdderNet.Training.Tests;

public class FineTuningTests(FineTuningTests.TrainedWeights trained) : IClassFixture<FineTuningTests.TrainedWeights>
{
    // Stripes that are much fainter than the noise: what four bits lose shows.
    private static readonly Dataset Train = Images(400, seed: 1), Test = Images(400, seed: 2);

    private static readonly Recipe Recipe = Small.Recipe with { Epochs = 8, BatchSize = 25 };

    [Fact]
    public void A_network_in_four_bits_regains_accuracy_in_a_few_epochs_and_the_engine_gives_its_integers()
    {
        using nn.Module<Tensor, Tensor> model = trained.Model();
        float[] images = Floats(Train, 128);
        QuantizedNetwork before = Quantizer.Quantize(model.ToGraph(new FeatureShape(1, Small.Side, Small.Side)), images, 4);
        List<FineTuningProgress> reports = [];

        QuantizedNetwork after = FineTuning.Run(
            model, before, FineTuning.RecipeFor(Recipe, 4), Train, images, new Reports(reports.Add), TestContext.Current.CancellationToken);

        EvaluationResult was = Measure(before), now = Measure(after);
        Assert.True(now.Top1 > was.Top1 && now.Loss < was.Loss, $"accuracy from {was.Top1} to {now.Top1}, loss from {was.Loss} to {now.Loss}");
        Assert.Equal(64, reports.Count);
        Assert.Equal((4, 4, 16, 16), (reports[^1].Epoch, reports[^1].Epochs, reports[^1].Batch, reports[^1].Batches));
        QuantizedLayer layer = after.Layers.Single(l => l.Name == "adder2");
        Assert.Equal((4, "training"), (layer.Bits, layer.Rule));
        Assert.Equal(before.Layers.Single(l => l.Name == "adder2").Range, layer.Range, 0.01 * layer.Range);
        using Engine engine = new(after.Graph);
        float[] scores = new float[4];
        float[] image = images[..64];
        engine.Run(image, scores);
        Assert.Equal(ReferenceInterpreter.Run(after.Graph, image), scores);
    }

    [Fact]
    public void What_was_trained_is_what_is_written()
    {
        using nn.Module<Tensor, Tensor> model = trained.Model();
        float[] images = Floats(Train, 128);
        QuantizedNetwork before = Quantizer.Quantize(model.ToGraph(new FeatureShape(1, Small.Side, Small.Side)), images, 4);

        QuantizedNetwork after = FineTuning.Run(
            model, before, FineTuning.RecipeFor(Recipe, 1), Train, images, cancel: TestContext.Current.CancellationToken);

        // The module as it computed while it learned, and the integers: what is off is the rounding of other layers to 8 bits.
        FineTuning.SetGrids(model, before.Graph.Nodes.OfType<QuantizedAdderNode>().ToDictionary(node => node.Name, node => node.InputGrid));
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        float[] test = Floats(Test, 200), expected = model.forward(tensor(test).view(-1, 1, Small.Side, Small.Side)).data<float>().ToArray();
        using Engine engine = new(after.Graph);
        float[] actual = new float[expected.Length];
        engine.Run(test, actual);
        double spread = expected.Max() - expected.Min(), missed = Math.Sqrt(expected.Zip(actual, (e, a) => (e - a) * (double)(e - a)).Average());
        Assert.InRange(missed / spread, 0, 0.02);
    }

    [Fact]
    public void Cancelled_fine_tuning_gives_nothing_and_leaves_the_layers_without_grids()
    {
        using nn.Module<Tensor, Tensor> model = trained.Model();
        float[] images = Floats(Train, 64);
        QuantizedNetwork before = Quantizer.Quantize(model.ToGraph(new FeatureShape(1, Small.Side, Small.Side)), images, 5);
        using CancellationTokenSource cancel = new();

        Assert.ThrowsAny<OperationCanceledException>(() => FineTuning.Run(
            model, before, FineTuning.RecipeFor(Recipe, 100), Train, images, new Reports(_ => cancel.Cancel()), cancel.Token));

        // The engine knows of no grids.
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        using EngineModel engine = new(model);
        Tensor x = randn(5, 1, Small.Side, Small.Side);
        Assert.True(allclose(model.forward(x), engine.forward(x), 1e-3, 1e-3));
        Assert.False(model.training);
    }

    [Fact]
    public void A_rate_that_breaks_the_network_is_told_in_a_sentence()
    {
        using nn.Module<Tensor, Tensor> model = trained.Model();
        float[] images = Floats(Train, 64);
        QuantizedNetwork before = Quantizer.Quantize(model.ToGraph(new FeatureShape(1, Small.Side, Small.Side)), images, 5);

        string message = Assert.Throws<TrainingException>(() => FineTuning.Run(
            model, before, Recipe with { LearningRate = 1e30 }, Train, images, cancel: TestContext.Current.CancellationToken)).Message;

        Assert.Contains("fine-tuning", message);
    }

    private static nn.Module<Tensor, Tensor> Network() => nn.Sequential(
        ("conv", nn.Conv2d(1, 8, 3, padding: 1, bias: false)), ("bn1", nn.BatchNorm2d(8)), ("relu1", nn.ReLU()),
        ("adder1", Layers.Adder2d(8, 12, 3, stride: 2, padding: 1)), ("bn2", nn.BatchNorm2d(12)), ("relu2", nn.ReLU()),
        ("adder2", Layers.Adder2d(12, 16, 3, padding: 1)), ("bn3", nn.BatchNorm2d(16)), ("relu3", nn.ReLU()),
        ("pool", nn.AdaptiveAvgPool2d(1)), ("fc", nn.Conv2d(16, Small.Classes, 1)), ("flat", nn.Flatten()));

    private static EvaluationResult Measure(QuantizedNetwork network)
    {
        using EngineModel model = new(new Engine(network.Graph, 1));
        using DataLoader loader = new(Test, Small.Plain, 100, shuffle: false, seed: 0);
        return Evaluation.Run(model, loader, cancel: TestContext.Current.CancellationToken);
    }

    private static float[] Floats(Dataset data, int count)
    {
        using DataLoader loader = new(data, Small.Plain, count, shuffle: false, seed: 0, threads: 0);
        using Batch batch = loader.Epoch(0, TestContext.Current.CancellationToken).First();
        return batch.Images.ToArray();
    }

    private static Dataset Images(int count, int seed)
    {
        Random random = new(seed);
        byte[] pixels = new byte[count * Small.Side * Small.Side];
        int[] labels = new int[count];
        for (int i = 0; i < count; i++)
        {
            labels[i] = random.Next(Small.Classes);
            for (int p = 0; p < Small.Side * Small.Side; p++)
            {
                (int y, int x) = (p / Small.Side, p % Small.Side);
                int phase = labels[i] switch { 0 => y, 1 => x, 2 => x + y, _ => x - y + Small.Side };
                pixels[i * Small.Side * Small.Side + p] = (byte)(random.Next(200) + (phase % 4 < 2 ? 35 : 0));
            }
        }

        DatasetInfo info = new("generated", "Generated", 1, Small.Side, Small.Side, ["rows", "columns", "down", "up"], 0, 0, false, "");
        return Dataset.FromMemory(info, pixels, labels);
    }

    /// <summary>A small network of two adder layers behind each other, trained for a moment.</summary>
    public sealed class TrainedWeights
    {
        private readonly TensorFile weights;

        public TrainedWeights()
        {
            using TempFolder folder = new();
            using (RunFolder run = RunFolder.Create(folder["run"], Recipe, new RunOptions { Threads = 1 }))
            using (Trainer trainer = new(run, Train, Test, Network))
            {
                trainer.Run();
            }

            weights = TrainedModel.ReadWeights(folder["run"], CheckpointChoice.Last);
        }

        public nn.Module<Tensor, Tensor> Model()
        {
            nn.Module<Tensor, Tensor> model = Network();
            StateDict.LoadInto(model, weights.Tensors);
            model.eval();
            return model;
        }
    }

    private sealed class Reports(Action<FineTuningProgress> action) : IProgress<FineTuningProgress>
    {
        public void Report(FineTuningProgress value) => action(value);
    }
}
