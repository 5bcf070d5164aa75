using AdderNet.Data;
using AdderNet.Data.Detection;
using AdderNet.Models;
using AdderNet.Training.Detection;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace AdderNet.Training.Tests.Detection;

/// <summary>Detectors learn, are saved, resumed and used.</summary>
public class DetectionTaskTests
{
    internal static readonly DetectionSplits Scenes = Discs();

    internal static readonly Recipe Recipe = new()
    {
        Model = "fcos-resnet20",
        Dataset = "digits",
        Epochs = 6,
        BatchSize = 8,
        LearningRate = 0.05,
        WarmupEpochs = 1,
        WeightDecay = 1e-4,
        BatchNormBatches = 4,
        TrainAugmentation = new() { ScaleJitter = new(64), HorizontalFlip = true, Mean = [0.3f], Std = [0.3f] },
        TestAugmentation = new() { ScaleJitter = new(64), Mean = [0.3f], Std = [0.3f] },
    };

    [Theory]
    [InlineData(LayerKind.Adder)]
    [InlineData(LayerKind.Conv)]
    public void A_detector_learns_where_things_are(LayerKind layers)
    {
        using TempFolder folder = new();
        TrainingResult result = Run(folder["run"], Recipe with { Layers = layers });
        Assert.True(
            result.Last!.Train["loss"] < 0.6 * result.History[0].Train["loss"],
            $"{result.History[0].Train} fell to {result.Last.Train}");
        Assert.True(result.Best!.Validation![DetectionMetrics.Map50Name] > 0.3, $"{result.Best.Validation}");
        using TrainedModel trained = TrainedModel.Load(folder["run"]);
        using DetectionLoader loader = new(Scenes.Validation!, trained.Preparation, 4, shuffle: false, seed: 0);
        DetectionEvaluationResult measured = DetectionEvaluation.Run(
            trained.Model, DetectionModels.Find("fcos-resnet20").Levels, loader, cancel: TestContext.Current.CancellationToken);
        Assert.Equal(result.Best.Validation[DetectionMetrics.MapName], measured.Scores.All.Map!.Value, 1e-9);
        // One image at a time finds the same.
        Detector detector = new(trained.Model, DetectionModels.Find("fcos-resnet20").Levels, 2);
        IReadOnlyList<FoundBox> found = detector.Find(Scenes.Validation!.Read(3), trained.Preparation);
        Assert.NotEmpty(found);
        Assert.Equal(measured.Found[3].Count, found.Count);
        Assert.All(
            measured.Found[3].Zip(found),
            pair => Assert.True(pair.First.Class == pair.Second.Class && pair.First.Box.IoU(pair.Second.Box) > 0.99f));
    }

    [Fact]
    public void A_run_that_was_stopped_goes_on_with_the_same_bits()
    {
        using TempFolder folder = new();
        Recipe recipe = Recipe with { Epochs = 3 };
        TrainingResult straight = Run(folder["straight"], recipe);
        Run(folder["resumed"], recipe, stop: p => p.Epoch == 2);
        TrainingResult resumed = Run(folder["resumed"], recipe);
        Assert.Equal(Small.WithoutTimes(straight.History), Small.WithoutTimes(resumed.History));
        Assert.Equal(Small.State(folder["straight"]), Small.State(folder["resumed"]));
    }

    [Fact]
    public void A_backbone_starts_with_a_classifiers_weights_and_its_BatchNorms_can_be_frozen()
    {
        using TempFolder folder = new();
        Recipe classify = Small.Recipe with { Model = "resnet20", Epochs = 1, BatchSize = 32, BatchNormBatches = 0 };
        using (RunFolder run = RunFolder.Create(folder["classes"], classify, new RunOptions { Threads = 1 }))
        {
            using Trainer trainer = new(run, Small.Train, Small.Test);
            trainer.Run(null, TestContext.Current.CancellationToken);
        }

        Recipe recipe = Recipe with { Detection = new() { Backbone = folder["classes"], FreezeBatchNorm = true, Neck = Neck.Fpn } };
        using DetectionTask task = new(recipe, Scenes.Train, Scenes.Validation!);
        Dictionary<string, Checkpoints.TensorData> learned = TrainedModel.ReadWeights(folder["classes"]).Tensors.ToDictionary();
        using var scope = NewDisposeScope();
        foreach (var (name, value) in task.Model.state_dict().Where(e =>
            e.Key.StartsWith("backbone.", StringComparison.Ordinal) && !e.Key.EndsWith("tracked", StringComparison.Ordinal)))
        {
            Assert.Equal(learned[name["backbone.".Length..]].ToFloats(), value.contiguous().data<float>().ToArray());
        }

        Assert.All(Norms("backbone"), n => Assert.False(n.training));
        Assert.All(Norms("neck"), n => Assert.True(n.training));
        // A run that goes on has weights of its own.
        using DetectionTask other = new(
            recipe with { Detection = new() { Backbone = folder["gone"] } }, Scenes.Train, Scenes.Validation!, loadBackbone: false);
        Assert.Contains("gone", Assert.Throws<TrainingException>(() => new DetectionTask(
            recipe with { Detection = new() { Backbone = folder["gone"] } }, Scenes.Train, Scenes.Validation!)).Message);
        // The classifier's inner layers are adders, which convolutions can't start from.
        Recipe convolutions = recipe with { Layers = LayerKind.Conv };
        Assert.Contains(
            "layer1.0.conv1.weight",
            Assert.Throws<TrainingException>(() => new DetectionTask(convolutions, Scenes.Train, Scenes.Validation!)).Message);

        IEnumerable<BatchNorm> Norms(string part) =>
            task.Model.named_modules().Where(m => m.name.StartsWith(part, StringComparison.Ordinal))
                .Select(m => m.module).OfType<BatchNorm>();
    }

    [Fact]
    public void What_does_not_fit_a_detector_is_told()
    {
        Assert.Contains("multiples of 32", Assert.Throws<TrainingException>(() => new DetectionTask(
            Recipe with { TrainAugmentation = Recipe.TrainAugmentation! with { ScaleJitter = new(72) } },
            Scenes.Train, Scenes.Validation!)).Message);
        Assert.Contains("finds no boxes", Assert.Throws<TrainingException>(() => new DetectionTask(
            Recipe with { Model = "resnet20" }, Scenes.Train, Scenes.Validation!)).Message);
        DetectionDataset stars = new(
            Scenes.Train.Info with { ClassNames = ["star"] }, [new("a", 64, 64, [new(0, new(0, 0, 9, 9))])], (_, _) => default);
        Assert.Throws<DataException>(() => new DetectionTask(Recipe, Scenes.Train.WithClasses(["square", "disc", "x"]), stars));
    }

    [Fact]
    public void A_recipe_of_a_detector_survives_JSON_and_others_do_not_mention_it()
    {
        DetectionRecipe detection = new() { Neck = Neck.Fpn, NeckLayers = LayerKind.Conv, Backbone = "x" };
        Recipe recipe = Recipe with { InputGradient = InputGradient.Sign, Detection = detection };
        Assert.Equal(recipe, Recipe.Parse(recipe.ToJson()));
        Assert.Contains("\"neck\": \"fpn\"", recipe.ToJson());
        Assert.Contains("\"neckLayers\": \"cnn\"", recipe.ToJson());
        Assert.DoesNotContain("detection", Small.Recipe.ToJson());
        Assert.Equal(Neck.RPafpn, Recipe.Parse("{\"detection\": {}}").Detection!.Neck);
    }

    private static TrainingResult Run(string path, Recipe recipe, Func<TrainingProgress, bool>? stop = null)
    {
        using RunFolder folder = RunFolder.HoldsRun(path)
            ? RunFolder.Open(path)
            : RunFolder.Create(path, recipe, new RunOptions { Threads = 1 });
        using Trainer trainer = new(folder, r => new DetectionTask(r, Scenes.Train, Scenes.Validation!, measuresValidation: true));
        using CancellationTokenSource cancel = new();
        return trainer.Run(new Reporter(p =>
        {
            if (stop?.Invoke(p) == true)
            {
                cancel.Cancel();
            }
        }), cancel.Token);
    }

    /// <summary>Bright discs and squares on dark noise.</summary>
    private static DetectionSplits Discs()
    {
        DatasetInfo info = new("shapes", "Shapes", 1, 64, 64, ["disc", "square"], 0, 0, false, "") { HasBoxes = true };
        return new DetectionSplits(Split(96, 1), Split(16, 2), null, []);

        DetectionDataset Split(int count, int seed)
        {
            Random random = new(seed);
            LabelledImage[] images = [.. Enumerable.Range(0, count).Select(i =>
                new LabelledImage($"{i}", 64, 64, [.. Enumerable.Range(0, 1 + i % 2).Select(Shape)]))];
            return new DetectionDataset(info, images, (i, _) =>
            {
                byte[] pixels = new byte[64 * 64];
                new Random(i).NextBytes(pixels);
                for (int p = 0; p < pixels.Length; p++)
                {
                    (float x, float y) = (p % 64 + .5f, p / 64 + .5f);
                    bool lit = images[i].Objects.Any(o => o.Class == 1
                        ? x > o.Box.X0 && x < o.Box.X1 && y > o.Box.Y0 && y < o.Box.Y1
                        : Math.Pow(x - (o.Box.X0 + o.Box.X1) / 2, 2) + Math.Pow(y - (o.Box.Y0 + o.Box.Y1) / 2, 2)
                            < o.Box.Width * o.Box.Width / 4);
                    pixels[p] = (byte)(pixels[p] / 8 + (lit ? 200 : 0));
                }

                return new RawImage(64, 64, 1, pixels);
            });

            LabelledBox Shape(int half)
            {
                int size = 14 + random.Next(14), x = half * 32 + random.Next(32 - size), y = random.Next(64 - size);
                return new LabelledBox(random.Next(2), new Box(x, y, x + size, y + size));
            }
        }
    }
}
