using AdderNet.Data;
using AdderNet.Models;

namespace AdderNet.Training.Tests;

public sealed class CnnStartTests(CnnStartTests.TrainedCnn cnn) : IClassFixture<CnnStartTests.TrainedCnn>
{
    private const int Side = 32;

    private static readonly Dataset Train = Stripes(96, seed: 1), Test = Stripes(40, seed: 2);

    private static readonly Recipe Cnn = Small.Recipe with
    {
        Model = "lenet5-bn",
        Layers = LayerKind.Conv,
        BatchNormBatches = 0,
        TrainAugmentation = Small.Plain,
        TestAugmentation = Small.Plain,
        LearningRate = 0.05,
    };

    [Fact]
    public void An_AdderNet_that_starts_from_a_CNN_learns_in_one_epoch_what_a_fresh_one_has_not_in_two()
    {
        using TempFolder folder = new();
        TrainingResult from = Run(folder["from"], Cnn.StartingFrom(cnn.Path) with { Epochs = 2 });
        TrainingResult fresh = Run(folder["fresh"], Cnn with { Layers = LayerKind.Adder, Epochs = 2, LearningRate = 0.1, BatchNormBatches = 16 });
        Assert.True(from.History[0].Train["loss"] < 0.7 * fresh.History[1].Train["loss"], $"{from.History[0].Train} against {fresh.History[1].Train}");
        Assert.True(from.Last!.TestTop1 > 0.9, $"{from.History[1].Test}");
        using TrainedModel trained = TrainedModel.Load(folder["from"]);
        Assert.Equal(cnn.Path, trained.Recipe.From!.Cnn);
        Assert.Equal(3, trained.Model.modules().OfType<Adder2d>().Count());
    }

    [Fact]
    public void A_file_of_weights_gives_the_same_start_and_the_run_goes_on_without_it_bit_for_bit()
    {
        using TempFolder folder = new();
        string file = folder["cnn.safetensors"];
        File.Copy(Directory.GetFiles(System.IO.Path.Combine(cnn.Path, "checkpoints"), "epoch-0004.safetensors").Single(), file);
        TrainingResult straight = Run(folder["straight"], Cnn.StartingFrom(file) with { Epochs = 2 });
        TrainingResult ofRun = Run(folder["of run"], Cnn.StartingFrom(cnn.LastOnly(folder["last"])) with { Epochs = 2 });
        Assert.Equal(Small.WithoutTimes(straight.History), Small.WithoutTimes(ofRun.History));

        Run(folder["resumed"], Cnn.StartingFrom(file) with { Epochs = 2 }, stop: p => p is { Epoch: 2, Batch: 2 });
        File.Delete(file);
        TrainingResult resumed = Run(folder["resumed"], Cnn);
        Assert.Equal(Small.WithoutTimes(straight.History), Small.WithoutTimes(resumed.History));
        Assert.Equal(Small.State(folder["straight"]), Small.State(folder["resumed"]));
    }

    [Fact]
    public void What_is_no_CNN_of_the_model_is_told_in_a_sentence_and_leaves_no_folder()
    {
        using TempFolder folder = new();
        Run(folder["adder"], Cnn.StartingFrom(cnn.Path) with { Epochs = 1 });
        Assert.Contains(
            "LeNet-5-BN cannot start from", Refused(Cnn.StartingFrom(folder["adder"])), StringComparison.Ordinal);
        Assert.Contains("Its layer 'conv2' is no ordinary convolution", Refused(Cnn.StartingFrom(folder["adder"])), StringComparison.Ordinal);
        Assert.Contains("It is a run of the model lenet5-bn.", Refused(Cnn.StartingFrom(cnn.Path) with { Model = "resnet20" }), StringComparison.Ordinal);
        Assert.Contains("nowhere.pth", Refused(Cnn.StartingFrom(folder["nowhere.pth"])), StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => new ClassificationTask(Cnn.StartingFrom(cnn.Path), Train, Test, Small.Model));

        string Refused(Recipe recipe)
        {
            string message = Assert.Throws<TrainingException>(() => Run(folder["refused"], recipe)).Message;
            Assert.False(Directory.Exists(folder["refused"]));
            return message;
        }
    }

    [Fact]
    public void The_recipe_of_a_start_has_small_steps_and_keeps_what_it_does_not_touch()
    {
        Recipe short25 = Recipes.Find("cifar-short").Recipe, recipe = short25.StartingFrom("runs/cnn");
        Assert.Equal((0.02, 2e-4, 25, 128), (recipe.LearningRate, recipe.WeightDecay, recipe.Epochs, recipe.BatchSize));
        Assert.Equal([new GradientCentralization(), new AdaptiveScaling(0.133)], recipe.GradientTransforms);
        Assert.Equal((2.0, LayerKind.Adder), (recipe.From!.Sigma, recipe.Layers));
        Assert.Equal(16, Cnn.StartingFrom("runs/cnn").BatchNormBatches);
        Assert.Equal(recipe, Recipe.Parse(recipe.ToJson()));
        Recipe own = recipe with { LearningRate = 0.01, From = recipe.From with { Sigma = 4 } };
        Assert.Equal(own with { From = own.From with { Cnn = "other" } }, own.StartingFrom("other"));
        Assert.DoesNotContain("\"from\"", short25.ToJson(), StringComparison.Ordinal);
        Assert.Equal(
            "the recipe: layers is cnn; it must be adder where 'from' names a CNN to start from.",
            Assert.Throws<TrainingException>(() => (recipe with { Layers = LayerKind.Conv }).Validate()).Message);
        Assert.Contains("from.sigma is 0;", Assert.Throws<TrainingException>(() => Recipe.Parse("""{ "from": { "cnn": "x", "sigma": 0 } }""")).Message, StringComparison.Ordinal);
        Assert.Contains("unknown field 'from.rate'", Assert.Throws<TrainingException>(() => Recipe.Parse("""{ "from": { "cnn": "x", "rate": 1 } }""")).Message, StringComparison.Ordinal);
        Assert.Contains("the recipe", Assert.Throws<TrainingException>(() => Recipe.Parse("""{ "from": { } }""")).Message, StringComparison.Ordinal);
    }

    /// <summary>Images of stripes in noise; their direction is the class.</summary>
    private static Dataset Stripes(int count, int seed)
    {
        Random random = new(seed);
        int[] labels = [.. Enumerable.Range(0, count).Select(_ => random.Next(Small.Classes))];
        byte[] pixels = [.. labels.SelectMany(label => Enumerable.Range(0, Side * Side).Select(p =>
        {
            (int y, int x) = (p / Side, p % Side);
            int phase = label switch { 0 => y, 1 => x, 2 => x + y, _ => x - y + Side };
            return (byte)(random.Next(160) + (phase % 8 < 4 ? 80 : 0));
        }))];
        DatasetInfo info = new("generated", "Generated", 1, Side, Side, ["rows", "columns", "down", "up"], 0, 0, false, "");
        return Dataset.FromMemory(info, pixels, labels);
    }

    private static TrainingResult Run(string path, Recipe recipe, Func<TrainingProgress, bool>? stop = null)
    {
        using RunFolder folder = RunFolder.HoldsRun(path) ? RunFolder.Open(path) : RunFolder.Create(path, recipe, new RunOptions { Threads = 1 });
        using Trainer trainer = new(folder, Train, Test);
        using CancellationTokenSource cancel = new();
        return trainer.Run(new Reporter(p =>
        {
            if (stop?.Invoke(p) == true)
            {
                cancel.Cancel();
            }
        }), cancel.Token);
    }

    /// <summary>A CNN that tells the small images apart.</summary>
    public sealed class TrainedCnn : IDisposable
    {
        private readonly TempFolder folder = new();

        public TrainedCnn()
        {
            Path = folder["cnn"];
            Run(Path, Cnn);
        }

        public string Path { get; }

        /// <summary>A copy of the run in which the last epoch is the best.</summary>
        public string LastOnly(string to)
        {
            Directory.CreateDirectory(System.IO.Path.Combine(to, "checkpoints"));
            foreach (string file in Directory.GetFiles(Path, "*", SearchOption.AllDirectories))
            {
                File.Copy(file, System.IO.Path.Combine(to, System.IO.Path.GetRelativePath(Path, file)), overwrite: true);
            }

            CheckpointStore store = new(to);
            CheckpointIndex index = store.Index!;
            File.WriteAllText(
                System.IO.Path.Combine(to, "checkpoint.json"),
                System.Text.Json.JsonSerializer.Serialize(index with { BestWeights = index.Weights, BestEpoch = index.History.Count }, TrainingJson.Indented));
            return to;
        }

        public void Dispose() => folder.Dispose();
    }
}
