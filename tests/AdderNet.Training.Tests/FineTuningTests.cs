using AdderNet.Checkpoints;
using AdderNet.Data;
using AdderNet.Graph;
using AdderNet.Inference;
using AdderNet.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace AdderNet.Training.Tests;

public class FineTuningTests
{
    private static readonly Dataset Train = StripedNetwork.Train, Test = StripedNetwork.Test;

    private static readonly Recipe Recipe = StripedNetwork.Recipe;

    [Fact]
    public void A_network_in_four_bits_regains_accuracy_in_a_few_epochs_and_the_engine_gives_its_integers()
    {
        using nn.Module<Tensor, Tensor> model = StripedNetwork.Model();
        float[] images = StripedNetwork.Floats(Train, 128);
        QuantizedNetwork before = Quantizer.Quantize(model.ToGraph(new FeatureShape(1, Small.Side, Small.Side)), images, 4);
        List<FineTuningProgress> reports = [];

        QuantizedNetwork after = FineTuning.Run(
            model, before, ContinuedTraining.RecipeFor(Recipe, 4), Train, images, new Reports(reports.Add), TestContext.Current.CancellationToken);

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
        using nn.Module<Tensor, Tensor> model = StripedNetwork.Model();
        float[] images = StripedNetwork.Floats(Train, 128);
        QuantizedNetwork before = Quantizer.Quantize(model.ToGraph(new FeatureShape(1, Small.Side, Small.Side)), images, 4);

        QuantizedNetwork after = FineTuning.Run(
            model, before, ContinuedTraining.RecipeFor(Recipe, 1), Train, images, cancel: TestContext.Current.CancellationToken);

        // The module as it computed while it learned, and the integers: what is off is the rounding of other layers to 8 bits.
        FineTuning.SetGrids(model, before.Graph.Nodes.OfType<QuantizedAdderNode>().ToDictionary(node => node.Name, node => node.InputGrid));
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        float[] test = StripedNetwork.Floats(Test, 200), expected = model.forward(tensor(test).view(-1, 1, Small.Side, Small.Side)).data<float>().ToArray();
        using Engine engine = new(after.Graph);
        float[] actual = new float[expected.Length];
        engine.Run(test, actual);
        double spread = expected.Max() - expected.Min(), missed = Math.Sqrt(expected.Zip(actual, (e, a) => (e - a) * (double)(e - a)).Average());
        Assert.InRange(missed / spread, 0, 0.02);
    }

    [Fact]
    public void Cancelled_fine_tuning_gives_nothing_and_leaves_the_layers_without_grids()
    {
        using nn.Module<Tensor, Tensor> model = StripedNetwork.Model();
        float[] images = StripedNetwork.Floats(Train, 64);
        QuantizedNetwork before = Quantizer.Quantize(model.ToGraph(new FeatureShape(1, Small.Side, Small.Side)), images, 5);
        using CancellationTokenSource cancel = new();

        Assert.ThrowsAny<OperationCanceledException>(() => FineTuning.Run(
            model, before, ContinuedTraining.RecipeFor(Recipe, 100), Train, images, new Reports(_ => cancel.Cancel()), cancel.Token));

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
        using nn.Module<Tensor, Tensor> model = StripedNetwork.Model();
        float[] images = StripedNetwork.Floats(Train, 64);
        QuantizedNetwork before = Quantizer.Quantize(model.ToGraph(new FeatureShape(1, Small.Side, Small.Side)), images, 5);

        string message = Assert.Throws<TrainingException>(() => FineTuning.Run(
            model, before, Recipe with { LearningRate = 1e30 }, Train, images, cancel: TestContext.Current.CancellationToken)).Message;

        Assert.Contains("fine-tuning", message);
    }

    private static EvaluationResult Measure(QuantizedNetwork network) => StripedNetwork.Measure(network.Graph);

    private sealed class Reports(Action<FineTuningProgress> action) : IProgress<FineTuningProgress>
    {
        public void Report(FineTuningProgress value) => action(value);
    }
}
