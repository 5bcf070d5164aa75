using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace AdderNet.Training.Tests;

public class BatchNormTests
{
    [Theory]
    [InlineData(3, 1)]
    [InlineData(1000, 1)]
    [InlineData(3, 2)]
    public void The_saved_statistics_are_those_of_the_epochs_batches_under_the_saved_filters(int batches, int pieces)
    {
        using TempFolder folder = new();
        Recipe recipe = Small.Recipe with { Epochs = 2, BatchNormBatches = batches, MicroBatches = pieces };
        TrainingResult result = Small.Run(folder["run"], recipe);
        using TrainedModel saved = TrainedModel.Load(folder["run"], CheckpointChoice.Last, Small.Model);
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        var conv = (nn.Module<Tensor, Tensor>)saved.Model.named_children().Single(c => c.name == "conv").module;
        var norm = (BatchNorm2d)saved.Model.named_children().Single(c => c.name == "bn1").module;
        using Data.DataLoader loader = new(Small.Train, recipe.TrainAugmentation!, recipe.BatchSize, shuffle: true, seed: 1);
        List<(Tensor Mean, Tensor Variance)> parts = [];
        foreach (Data.Batch batch in loader.Epoch(2, TestContext.Current.CancellationToken).Take(batches))
        {
            using (batch)
            {
                foreach (Tensor piece in batch.ImageTensor().chunk(pieces))
                {
                    Tensor values = conv.call(piece).transpose(0, 1).flatten(1).to_type(ScalarType.Float64);
                    parts.Add((values.mean([1]), values.var(1, unbiased: true)));
                }
            }
        }

        Tensor mean = stack(parts.Select(p => p.Mean)).mean([0]), square = stack(parts.Select(p => p.Variance + p.Mean.square())).mean([0]);
        Assert.True(allclose(mean.to_type(ScalarType.Float32), norm.running_mean!, 1e-4, 1e-5));
        Assert.True(allclose((square - mean.square()).to_type(ScalarType.Float32), norm.running_var!, 1e-4, 1e-5));
        Assert.Equal(12 * pieces, norm.num_batches_tracked!.item<long>());

        // What was measured is what was saved.
        using Data.DataLoader test = new(Small.Test, Small.Plain, 16, shuffle: false, seed: 0);
        Assert.Equal(result.Last!.TestLoss, Evaluation.Run(saved.Model, test, cancel: TestContext.Current.CancellationToken).Loss);
    }

    [Fact]
    public void Filters_learn_the_same_whatever_the_statistics_and_at_a_high_rate_the_new_ones_are_better()
    {
        using TempFolder folder = new();
        Recipe recipe = Small.Recipe with { Epochs = 6, LearningRate = 0.5, GradientTransforms = [new AdaptiveScaling(1)], TrainAugmentation = Small.Plain };
        TrainingResult running = Small.Run(folder["running"], recipe with { BatchNormBatches = 0 }), anew = Small.Run(folder["anew"], recipe);
        Assert.Equal(running.History.Select(e => e.TrainLoss), anew.History.Select(e => e.TrainLoss));
        Assert.True(anew.History.Average(e => e.TestLoss) < running.History.Average(e => e.TestLoss), $"{anew.History.Average(e => e.TestLoss)} against {running.History.Average(e => e.TestLoss)}");
        static bool Filters(KeyValuePair<string, string> s) => !s.Key.Contains("running", StringComparison.Ordinal);
        Assert.Equal(Small.State(folder["running"]).Where(Filters), Small.State(folder["anew"]).Where(Filters));
    }
}
