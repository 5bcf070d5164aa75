using AdderNet.Data;
using AdderNet.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace AdderNet.Training.Tests;

public class TrainerTests
{
    [Fact]
    public void A_users_model_with_an_adder_layer_learns()
    {
        using TempFolder folder = new();
        TrainingResult result = Small.Run(folder["run"], Small.Recipe with { Epochs = 12 });
        Assert.False(result.Interrupted);
        Assert.Equal(12, result.History.Count);
        Assert.True(result.Last!.TrainLoss < 0.5 * result.History[0].TrainLoss, $"{result.History[0].TrainLoss} fell only to {result.Last!.TrainLoss}");
        Assert.True(result.Best!.TestTop1 > 0.8, $"test accuracy {result.Best!.TestTop1}");
        Assert.All(result.History, e => Assert.InRange(e.TestTop5, e.TestTop1, 1.0));
    }

    [Fact]
    public void A_model_of_the_paper_learns_from_its_name()
    {
        using TempFolder folder = new();
        Recipe recipe = Small.Recipe with { Model = "lenet5-bn", Epochs = 3, TrainAugmentation = Small.Plain with { Resize = 32 }, TestAugmentation = Small.Plain with { Resize = 32 } };
        using RunFolder run = RunFolder.Create(folder["run"], recipe);
        using Trainer trainer = new(run, Small.Train, Small.Test);
        TrainingResult result = trainer.Run(cancel: TestContext.Current.CancellationToken);
        Assert.True(result.Last!.TrainLoss < 0.8 * result.History[0].TrainLoss);

        using TrainedModel model = TrainedModel.Load(folder["run"], CheckpointChoice.Last);
        using DataLoader loader = new(Small.Test, model.Preparation, 16, shuffle: false, seed: 0);
        EvaluationResult measured = Evaluation.Run(model.Model, loader, cancel: TestContext.Current.CancellationToken);
        Assert.Equal((result.Last!.TestLoss, result.Last!.TestTop1, 40), (measured.Loss, measured.Top1, measured.Count));
        Assert.Equal(Small.Test.ClassNames, model.ClassNames);
        Assert.Equal(result.Last, model.Metrics);
    }

    [Fact]
    public void A_run_of_a_mixed_network_is_loaded_without_its_layer_factory()
    {
        using TempFolder folder = new();
        Augmentation larger = Small.Plain with { Resize = 32 };
        Recipe recipe = Small.Recipe with { Model = "lenet5-bn", Epochs = 1, TrainAugmentation = larger, TestAugmentation = larger };
        LayerFactory mixed = LayerFactory.Inner(slot => slot.Name == "conv3" ? LayerKind.Conv : LayerKind.Adder);
        using RunFolder run = RunFolder.Create(folder["run"], recipe);
        using Trainer trainer = new(run, Small.Train, Small.Test, () => AdderNetModels.Create("lenet5-bn", mixed, Small.Classes, 1));
        trainer.Run(cancel: TestContext.Current.CancellationToken);

        using TrainedModel loaded = TrainedModel.Load(folder["run"]);

        using DataLoader loader = new(Small.Test, loaded.Preparation, 16, shuffle: false, seed: 0);
        Assert.Equal(loaded.Metrics.TestLoss, Evaluation.Run(loaded.Model, loader, cancel: TestContext.Current.CancellationToken).Loss);
    }

    [Fact]
    public void A_loaded_run_learns_on_with_the_gradients_it_was_trained_with()
    {
        using TempFolder folder = new();
        Augmentation larger = Small.Plain with { Resize = 32 };
        Recipe recipe = Small.Recipe with
        {
            Model = "lenet5-bn",
            Epochs = 1,
            TrainAugmentation = larger,
            TestAugmentation = larger,
            WeightGradient = WeightGradient.Sign,
            InputGradient = InputGradient.Sign,
        };
        using (RunFolder run = RunFolder.Create(folder["run"], recipe))
        using (Trainer trainer = new(run, Small.Train, Small.Test))
        {
            trainer.Run(cancel: TestContext.Current.CancellationToken);
        }

        using TrainedModel loaded = TrainedModel.Load(folder["run"]);

        Adder2d[] layers = [.. loaded.Model.modules().OfType<Adder2d>()];
        Assert.NotEmpty(layers);
        Assert.All(layers, layer => Assert.Equal((WeightGradient.Sign, InputGradient.Sign), (layer.Gradient, layer.InputGradient)));
    }

    [Fact]
    public void Two_epochs_and_two_more_after_resuming_equal_four_straight_to_the_bit()
    {
        using TempFolder folder = new();
        TrainingResult straight = Small.Run(folder["straight"]);
        TrainingResult first = Small.Run(folder["resumed"], stop: p => p is { Epoch: 3, Phase: TrainingPhase.Train, Batch: 2 });
        Assert.True(first.Interrupted);
        Assert.Equal(2, first.History.Count);
        TrainingResult second = Small.Run(folder["resumed"]);
        Assert.False(second.Interrupted);
        Assert.Equal(Small.WithoutTimes(straight.History), Small.WithoutTimes(second.History));
        Assert.Equal(Small.State(folder["straight"]), Small.State(folder["resumed"]));
        Assert.Equal(first.History, second.History.Take(2));
    }

    [Fact]
    public void With_several_threads_resuming_is_exact_too()
    {
        using TempFolder folder = new();
        RunOptions options = new() { Threads = 3 };
        Small.Run(folder["straight"], options: options);
        Small.Run(folder["resumed"], options: options, stop: p => p is { Epoch: 2, Phase: TrainingPhase.Test });
        Small.Run(folder["resumed"]);
        Assert.Equal(Small.State(folder["straight"]), Small.State(folder["resumed"]));
    }

    [Fact]
    public void Without_momentum_and_with_a_last_batch_of_one_image_resuming_is_exact_too()
    {
        using TempFolder folder = new();
        Recipe recipe = Small.Recipe with { Epochs = 2, BatchSize = 19, Momentum = 0, Nesterov = false, WarmupEpochs = 1, GradientTransforms = [new IncreasedScaling()] };
        Small.Run(folder["straight"], recipe);
        Small.Run(folder["resumed"], recipe, stop: p => p.Epoch == 2);
        Small.Run(folder["resumed"]);
        Assert.Equal(Small.State(folder["straight"]), Small.State(folder["resumed"]));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void With_centralized_gradients_filters_of_every_kind_learn_and_keep_their_means(bool scaled)
    {
        using TempFolder folder = new();
        GradientTransform[] scaling = scaled ? [new AdaptiveScaling()] : [];
        Recipe recipe = Small.Recipe with { Epochs = 2, WeightDecay = 0, GradientTransforms = [new GradientCentralization(), .. scaling] };
        Assert.All(Train("with", recipe), f => Assert.InRange(f.Drift, 0, 1e-4 * f.Change));
        Assert.All(Train("without", recipe with { GradientTransforms = scaling }), f => Assert.True(f.Drift > 1e-3 * f.Change, $"{f}"));

        (string Name, float Drift, float Change)[] Train(string name, Recipe recipe)
        {
            using RunFolder run = RunFolder.Create(folder[name], recipe, new RunOptions { Threads = 1 });
            using Trainer trainer = Small.Trainer(run);
            using var scope = NewDisposeScope();
            var before = trainer.Model.named_parameters().Where(p => p.parameter.dim() > 1).ToDictionary(p => p.name, p => p.parameter.detach().clone());
            Assert.Equal(["adder.adder", "conv.weight", "fc.weight"], before.Keys.Order());
            trainer.Run(cancel: TestContext.Current.CancellationToken);
            return [.. trainer.Model.named_parameters().Where(p => before.ContainsKey(p.name)).Select(p =>
            {
                Tensor step = p.parameter.detach() - before[p.name];
                return (p.name, step.flatten(1).mean([1]).abs().max().item<float>(), step.abs().max().item<float>());
            })];
        }
    }

    [Fact]
    public void What_libtorch_refuses_is_told_in_one_line()
    {
        using TempFolder folder = new();
        using RunFolder run = RunFolder.Create(folder["run"], Small.Recipe);
        using Trainer trainer = new(run, Small.Train, Small.Test, () => nn.Sequential(("flat", nn.Flatten()), ("fc", nn.Linear(63, 4))));
        TrainingException e = Assert.Throws<TrainingException>(() => trainer.Run(cancel: TestContext.Current.CancellationToken));
        Assert.StartsWith("libtorch failed: mat1 and mat2 shapes cannot be multiplied", e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', e.Message);
    }

    [Fact]
    public void Another_seed_gives_another_model()
    {
        using TempFolder folder = new();
        Recipe recipe = Small.Recipe with { Epochs = 1 };
        Small.Run(folder["one"], recipe);
        Small.Run(folder["two"], recipe with { Seed = 2 });
        Assert.NotEqual(Small.State(folder["one"]), Small.State(folder["two"]));
    }

    [Fact]
    public void Cancelling_stops_after_the_batch_in_flight()
    {
        using TempFolder folder = new();
        List<TrainingProgress> reports = [];
        TrainingResult result = Small.Run(folder["run"], stop: p =>
        {
            reports.Add(p);
            return p.Batch == 2;
        });
        Assert.True(result.Interrupted);
        Assert.Empty(result.History);
        Assert.Equal(2, reports.Count);
    }

    [Fact]
    public void Progress_tells_of_every_batch_the_time_left_and_the_saved_epoch()
    {
        using TempFolder folder = new();
        List<TrainingProgress> reports = [];
        Small.Run(folder["run"], Small.Recipe with { Epochs = 2 }, stop: p =>
        {
            reports.Add(p);
            return false;
        });
        Assert.Equal(2 * (6 + 3 + 1), reports.Count);
        Assert.Equal(Enumerable.Range(1, 6), reports.Where(p => p is { Epoch: 2, Phase: TrainingPhase.Train }).Select(p => p.Batch));
        Assert.All(reports, p => Assert.True(p.TimeLeft >= TimeSpan.Zero && p.ImagesPerSecond > 0 && p.Values["loss"] > 0));
        Assert.Equal(TimeSpan.Zero, reports[^1].TimeLeft);
        Assert.Equal([1, 2], reports.Where(p => p.Completed is not null).Select(p => p.Completed!.Epoch));
        Assert.True(reports.First(p => p.Completed is not null).IsBest);
    }

    [Fact]
    public void Micro_batches_sum_to_the_gradient_of_the_whole_batch()
    {
        // Without BatchNorm and dropout, whose results depend on the piece, the pieces must add up.
        static nn.Module<Tensor, Tensor> Model() => nn.Sequential(("adder", Layers.Adder2d(1, 4, 3)), ("flat", nn.Flatten()), ("fc", nn.Linear(4 * 36, 4)));
        using TempFolder folder = new();
        float[][] Train(string name, int pieces)
        {
            using RunFolder run = RunFolder.Create(folder[name], Small.Recipe with { Epochs = 1, LearningRate = 0.001, BatchSize = 20, MicroBatches = pieces }, new RunOptions { Threads = 1 });
            using Trainer trainer = new(run, Small.Train, Small.Test, Model);
            trainer.Run(cancel: TestContext.Current.CancellationToken);
            return [.. trainer.Model.parameters().Select(p => p.data<float>().ToArray())];
        }

        foreach ((float[] whole, float[] pieces) in Train("whole", 1).Zip(Train("pieces", 3)))
        {
            for (int i = 0; i < whole.Length; i++)
            {
                Assert.Equal(whole[i], pieces[i], 1e-5f * (1 + Math.Abs(whole[i])));
            }
        }
    }

    [Fact]
    public void A_last_batch_of_few_images_is_cut_into_fewer_pieces_so_that_BatchNorm_has_two_in_each()
    {
        static nn.Module<Tensor, Tensor> Model() => nn.Sequential(("flat", nn.Flatten()), ("fc", nn.Linear(64, 4)), ("bn", nn.BatchNorm1d(4)));
        using TempFolder folder = new();
        // 96 images: three batches of 31, and three that are left.
        using RunFolder run = RunFolder.Create(folder["run"], Small.Recipe with { Epochs = 1, BatchSize = 31, MicroBatches = 8 }, new RunOptions { Threads = 1 });
        using Trainer trainer = new(run, Small.Train, Small.Test, Model);
        Assert.True(double.IsFinite(trainer.Run(cancel: TestContext.Current.CancellationToken).Last!.TestLoss));
    }

    [Fact]
    public void Memory_does_not_grow_over_epochs()
    {
        using TempFolder folder = new();
        List<long> live = [];
        Small.Run(folder["run"], Small.Recipe with { Epochs = 8 }, new RunOptions { Threads = 1, DetectAnomaly = true }, p =>
        {
            if (p.Completed is not null)
            {
                // Tensors that only a finalizer would free count as a leak, so it gets no chance here.
                live.Add(Tensor.TotalCount);
            }

            return false;
        });
        Assert.Equal(8, live.Count);
        Assert.All(live.Skip(2), n => Assert.Equal(live[1], n));
    }

    [Fact]
    public void The_process_does_not_grow_from_batch_to_batch()
    {
        using TempFolder folder = new();
        Recipe recipe = Small.Recipe with { Model = "resnet20", Epochs = 1, BatchSize = 16, TrainAugmentation = Small.Plain with { Resize = 32 }, TestAugmentation = Small.Plain with { Resize = 32 } };
        using RunFolder run = RunFolder.Create(folder["run"], recipe, new RunOptions { Threads = 1 });
        using Trainer trainer = new(run, Small.Data(384, seed: 1), Small.Test);
        List<long> resident = [];
        trainer.Run(new Reporter(p => resident.Add(Environment.WorkingSet)), TestContext.Current.CancellationToken);
        // Left to the finalizers the batches' remains would add some 50 MB here.
        long growth = resident[23] - resident[7];
        Assert.True(growth < 24 << 20, $"grew by {growth >> 20} MB in 16 batches");
    }

    [Fact]
    public void A_model_with_too_few_outputs_is_named_as_the_reason()
    {
        using TempFolder folder = new();
        using RunFolder run = RunFolder.Create(folder["run"], Small.Recipe);
        using Trainer trainer = new(run, Small.Train, Small.Test, () => nn.Sequential(("flat", nn.Flatten()), ("fc", nn.Linear(64, 3))));
        TrainingException e = Assert.Throws<TrainingException>(() => trainer.Run(cancel: TestContext.Current.CancellationToken));
        Assert.StartsWith("There is a label 3, but the model tells only 3 classes apart", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Evaluation_leaves_the_models_mode_and_statistics_alone()
    {
        using nn.Module<Tensor, Tensor> model = Small.Model();
        model.train();
        using DataLoader loader = new(Small.Test, Small.Plain, 16, shuffle: false, seed: 0);
        float[] before = Statistics();
        EvaluationResult result = Evaluation.Run(model, loader, cancel: TestContext.Current.CancellationToken);
        Assert.Equal(40, result.Count);
        Assert.True(model.training);
        Assert.Equal(before, Statistics());

        float[] Statistics() => [.. model.buffers().Where(b => b.dtype == ScalarType.Float32).SelectMany(b => b.data<float>().ToArray())];
    }

    [Fact]
    public void A_BatchNorm_that_a_user_froze_stays_frozen_and_evaluation_leaves_every_modules_mode_alone()
    {
        using TempFolder folder = new();
        using RunFolder run = RunFolder.Create(folder["run"], Small.Recipe with { Epochs = 2 }, new RunOptions { Threads = 1 });
        using Trainer trainer = new(run, Small.Train, Small.Test, () =>
        {
            nn.Module<Tensor, Tensor> model = Small.Model();
            model.named_modules().Single(m => m.name == "bn1").module.eval();
            return model;
        });
        float[] before = Statistics("bn1"), others = Statistics("bn2");
        trainer.Run(cancel: TestContext.Current.CancellationToken);
        Assert.Equal(before, Statistics("bn1"));
        Assert.NotEqual(others, Statistics("bn2"));
        Assert.Equal(["bn1"], trainer.Model.named_modules().Where(m => !m.module.training).Select(m => m.name));

        float[] Statistics(string layer) => trainer.Model.state_dict()[$"{layer}.running_mean"].data<float>().ToArray();
    }

    [Fact]
    public void Disposing_a_trainer_twice_is_harmless_and_gives_the_threads_back()
    {
        using TempFolder folder = new();
        int before = get_num_threads();
        using RunFolder run = RunFolder.Create(folder["run"], Small.Recipe, new RunOptions { Threads = 3 });
        Trainer trainer = Small.Trainer(run);
        Assert.Equal((3, 3), (get_num_threads(), Kernels.KernelThreads.Count));
        trainer.Dispose();
        trainer.Dispose();
        Assert.Equal(before, get_num_threads());
    }

    [Theory]
    [InlineData(17, 16, new[] { 17 })]
    [InlineData(33, 16, new[] { 16, 17 })]
    [InlineData(18, 16, new[] { 16, 2 })]
    [InlineData(3, 1, new[] { 1, 1, 1 })]
    public void No_image_is_lost_where_one_is_left_at_the_end_of_an_epoch(int images, int batchSize, int[] batches)
    {
        using ClassificationTask task = new(Small.Recipe with { BatchSize = batchSize }, Small.Data(images, seed: 1), Small.Test, Small.Model);
        using ITaskPass pass = task.Begin(TrainingPhase.Train, 1, inspect: false, TestContext.Current.CancellationToken);
        Assert.Equal(batches, pass.Batches.Select(b =>
        {
            using (b)
            {
                return b.Count;
            }
        }));
        Assert.Equal(batches.Length, task.BatchCount(TrainingPhase.Train));
    }

    [Fact]
    public void Batches_of_one_image_train_where_BatchNorm_sees_more_than_one_value()
    {
        using TempFolder folder = new();
        TrainingResult result = Small.Run(folder["run"], Small.Recipe with { Epochs = 2, BatchSize = 1, LearningRate = 0.01 });
        Assert.InRange(result.Last!.TrainLoss, 0.01, 0.9 * result.History[0].TrainLoss);
    }

    [Fact]
    public void Batches_of_one_image_are_refused_naming_the_BatchNorm_that_can_not_work()
    {
        using TempFolder folder = new();
        Recipe recipe = Small.Recipe with { Model = "lenet5-bn", BatchSize = 1, TrainAugmentation = Small.Plain with { Resize = 32 }, TestAugmentation = Small.Plain with { Resize = 32 } };
        using RunFolder run = RunFolder.Create(folder["run"], recipe);
        using Trainer trainer = new(run, Small.Train, Small.Test);
        TrainingException e = Assert.Throws<TrainingException>(() => trainer.Run(cancel: TestContext.Current.CancellationToken));
        Assert.Matches(@"^The layer 'bn\d' \(BatchNorm2d\) cannot learn from one image at a time: .*; use batches of at least 2 images\.", e.Message);
    }

    [Fact]
    public void A_training_that_can_not_begin_leaves_its_place_free()
    {
        using TempFolder folder = new();
        Directory.CreateDirectory(folder["mine"]);
        foreach (string place in new[] { "new", "mine" })
        {
            using (RunFolder run = RunFolder.Create(folder[place], Small.Recipe))
            {
                Assert.ThrowsAny<Exception>(() => new Trainer(run, Small.Train, Small.Test, () => throw new InvalidOperationException("no model")));
            }

            Assert.Equal(place == "mine", Directory.Exists(folder[place]));
            using RunFolder again = RunFolder.Create(folder[place], Small.Recipe);
        }

        // One that has begun stays, whatever it then meets.
        using RunFolder begun = RunFolder.Open(folder["new"]);
        Assert.ThrowsAny<Exception>(() => new Trainer(begun, Small.Train, Small.Test, () => throw new InvalidOperationException("no model")));
        using RunFolder trained = RunFolder.Create(folder["trained"], Small.Recipe with { Epochs = 1 });
        using (Trainer trainer = new(trained, Small.Train, Small.Test, Small.Model))
        {
            trainer.Run(cancel: TestContext.Current.CancellationToken);
        }

        Assert.ThrowsAny<Exception>(() => new Trainer(trained, Small.Train, Small.Test, () => throw new InvalidOperationException("no model")));
        Assert.All([folder["new"], folder["trained"]], run => Assert.True(RunFolder.HoldsRun(run)));
    }

    [Fact]
    public void An_adder_layer_without_a_BatchNorm_is_named_once()
    {
        Assert.Equal(["No BatchNorm follows the adder layer 'bare', whose outputs are negative and large; most likely the model will learn nothing. Put a BatchNorm behind each adder layer."], Notices(() => nn.Sequential(
            ("bare", Layers.Adder2d(1, 4, 3)), ("relu", nn.ReLU()), ("adder", Layers.Adder2d(4, 4, 3)), ("pool", nn.MaxPool2d(2)), ("bn", nn.BatchNorm2d(4)),
            ("scores", Layers.Adder2d(4, 4, 2)), ("flat", nn.Flatten()))));
        Assert.Empty(Notices(Small.Model));

        static string[] Notices(Func<nn.Module<Tensor, Tensor>> model)
        {
            using TempFolder folder = new();
            using RunFolder run = RunFolder.Create(folder["run"], Small.Recipe with { Epochs = 2 }, new RunOptions { Threads = 1 });
            using Trainer trainer = new(run, Small.Train, Small.Test, model);
            List<string> notices = [];
            trainer.Run(new Reporter(p => notices.AddRange(p.Notice is { } n ? [n] : [])), TestContext.Current.CancellationToken);
            return [.. notices];
        }
    }

    [Fact]
    public void A_backward_pass_that_fails_tells_what_failed()
    {
        using TempFolder folder = new();
        using RunFolder run = RunFolder.Create(folder["run"], Small.Recipe);
        using Trainer trainer = new(run, Small.Train, Small.Test, () => nn.Sequential(
            ("conv", nn.Conv2d(1, 4, 3)), ("adder", new Spoiled()), ("flat", nn.Flatten()), ("fc", nn.Linear(4 * 36, 4))));
        TrainingException e = Assert.Throws<TrainingException>(() => trainer.Run(cancel: TestContext.Current.CancellationToken));
        Assert.Contains("modified by an inplace operation", e.Message, StringComparison.Ordinal);
    }

    private sealed class Spoiled : nn.Module<Tensor, Tensor>
    {
        private readonly Adder2d adder = Layers.Adder2d(4, 4, 1);

        public Spoiled()
            : base(nameof(Spoiled)) => RegisterComponents();

        public override Tensor forward(Tensor input)
        {
            Tensor copy = input * 1, y = adder.forward(copy);
            using var guard = no_grad();
            copy.add_(1);
            return y;
        }
    }
}
