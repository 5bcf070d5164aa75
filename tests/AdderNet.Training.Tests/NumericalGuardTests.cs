using TorchSharp;
using static TorchSharp.torch;

namespace AdderNet.Training.Tests;

public class NumericalGuardTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_run_that_diverges_stops_with_its_place_and_keeps_the_last_good_checkpoint(bool detectAnomaly)
    {
        using TempFolder folder = new();
        Small.Run(folder["run"], stop: p => p is { Epoch: 2, Batch: 1 });
        SortedDictionary<string, string> saved = Small.State(folder["run"]);
        // The same run goes on at a learning rate that no weight survives.
        File.WriteAllText(folder["run/recipe.json"], (Small.Recipe with { LearningRate = 1e30 }).ToJson());
        TrainingException e = Assert.Throws<TrainingException>(() => Small.Run(folder["run"], options: new RunOptions { Threads = 1, DetectAnomaly = detectAnomaly }));
        Assert.Matches(@"^In epoch 2, batch \d of 6, (the loss|activations|the gradient) .* at learning rate \d\.?\d*E\+2\d; the output of the layer '\w+' \(\w+\) was the first to hold NaN or infinity; .*\. The checkpoint of epoch 1 in .* is whole\.$", e.Message);
        Assert.Equal(saved, Small.State(folder["run"]));
    }

    [Theory]
    [InlineData("adder.adder", "the layer 'adder' (Adder2d)")]
    [InlineData("bn2.weight", "the layer 'bn2' (BatchNorm2d)")]
    [InlineData("fc.bias", "the layer 'fc' (Linear)")]
    public void A_NaN_planted_in_a_layers_weights_names_that_layer(string parameter, string layer)
    {
        using TempFolder folder = new();
        using RunFolder run = RunFolder.Create(folder["run"], Small.Recipe);
        using Trainer trainer = Small.Trainer(run);
        using (no_grad())
        {
            trainer.Model.get_parameter(parameter)!.view(-1)[0] = float.NaN;
        }

        TrainingException e = Assert.Throws<TrainingException>(() => trainer.Run(cancel: TestContext.Current.CancellationToken));
        Assert.StartsWith("In epoch 1, batch 1 of 6, the loss is NaN at learning rate 0.1; the output of " + layer, e.Message, StringComparison.Ordinal);
        Assert.Contains($"its parameter '{parameter.Split('.')[1]}' already holds NaN or infinity", e.Message, StringComparison.Ordinal);
        Assert.Contains("No epoch of", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Anomaly_detection_finds_a_broken_activation_that_the_loss_hides()
    {
        using TempFolder folder = new();
        using RunFolder run = RunFolder.Create(folder["run"], Small.Recipe, new RunOptions { DetectAnomaly = true });
        using Trainer trainer = new(run, Small.Train, Small.Test, () => nn.Sequential(
            ("flat", nn.Flatten()), ("overflow", new Scale(1e38f)), ("squash", nn.Tanh()), ("fc", nn.Linear(64, 4))));
        TrainingException e = Assert.Throws<TrainingException>(() => trainer.Run(cancel: TestContext.Current.CancellationToken));
        Assert.Contains("activations are no longer numbers at learning rate 0.1; the output of the layer 'overflow' (Scale) was the first", e.Message, StringComparison.Ordinal);
        Assert.Contains("though its input and its parameters are finite", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Anomaly_detection_finds_a_broken_gradient_before_the_step()
    {
        using TempFolder folder = new();
        using RunFolder run = RunFolder.Create(folder["run"], Small.Recipe, new RunOptions { DetectAnomaly = true });
        // The root of 0 is finite, its derivative is not.
        using Trainer trainer = new(run, Small.Train, Small.Test, () => nn.Sequential(
            ("flat", nn.Flatten()), ("fc0", nn.Linear(64, 8)), ("root", new Root()), ("fc", nn.Linear(8, 4))));
        TrainingException e = Assert.Throws<TrainingException>(() => trainer.Run(cancel: TestContext.Current.CancellationToken));
        Assert.StartsWith("In epoch 1, batch 1 of 6, the gradient of 'fc0.bias' holds NaN or infinity at learning rate 0.1", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_model_that_breaks_only_in_evaluation_mode_is_not_saved()
    {
        using TempFolder folder = new();
        using RunFolder run = RunFolder.Create(folder["run"], Small.Recipe);
        using Trainer trainer = Small.Trainer(run);
        // Training uses the batch's statistics, evaluation the running ones.
        trainer.Model.named_buffers().First(b => b.name == "bn2.running_mean").buffer.fill_(float.NaN);
        TrainingException e = Assert.Throws<TrainingException>(() => trainer.Run(cancel: TestContext.Current.CancellationToken));
        Assert.StartsWith("Tested after epoch 1, the loss is NaN at learning rate 0.1; the output of the layer 'bn2' (BatchNorm2d)", e.Message, StringComparison.Ordinal);
        Assert.Null(new CheckpointStore(folder["run"]).Index);
    }

    private sealed class Scale(float factor) : nn.Module<Tensor, Tensor>("Scale")
    {
        public override Tensor forward(Tensor input) => input * factor * 10;
    }

    private sealed class Root() : nn.Module<Tensor, Tensor>("Root")
    {
        public override Tensor forward(Tensor input) => input + (input - input).sqrt();
    }
}
