using AdderNet.Data;
using TorchSharp;
using static TorchSharp.torch;

namespace AdderNet.Training.Tests;

/// <summary>Tasks of other kinds than the library's pass through its loop, run folders and displays.</summary>
public class TaskTests
{
    [Fact]
    public void A_task_with_other_targets_outputs_and_metrics_is_trained_saved_and_resumed()
    {
        using TempFolder folder = new();
        TrainingResult straight = Run(folder["straight"], () => new BoxTask(), epochs: 8);
        Assert.True(straight.Last!.Train["loss"] < 0.5 * straight.History[0].Train["loss"], $"{straight.History[0].Train} fell to {straight.Last.Train}");
        Assert.True(straight.Best!.Validation!["meanIoU"] > 1.5 * straight.History[0].Validation!["meanIoU"], $"{straight.Best}");
        Assert.Equal(straight.History.Max(e => e.Validation!["meanIoU"]), straight.Best.Validation["meanIoU"]);
        Assert.All(straight.History, e => Assert.Null(e.Test));

        Run(folder["resumed"], () => new BoxTask(), epochs: 8, stop: p => p.Epoch == 3);
        TrainingResult resumed = Run(folder["resumed"], () => new BoxTask(), epochs: 8);
        Assert.Equal(Small.WithoutTimes(straight.History), Small.WithoutTimes(resumed.History));
        Assert.Equal(Small.State(folder["straight"]), Small.State(folder["resumed"]));
        Assert.Equal("epoch,learningRate,trainLoss,trainBoxLoss,validationMeanIoU,trainSeconds,testSeconds,imagesPerSecond,finished", File.ReadAllLines(folder["resumed/metrics.csv"])[0]);
        Assert.Equal("boxes", Checkpoints.Safetensors.Read(Directory.GetFiles(folder["resumed/checkpoints"], "epoch-0008.safetensors").Single()).Metadata["task"]);
    }

    [Fact]
    public void What_is_trained_beside_the_model_learns_is_resumed_and_stays_out_of_the_weights()
    {
        using TempFolder folder = new();
        TrainingResult straight = Run(folder["straight"], () => new TaughtTask(Small.Recipe with { Epochs = 4 }));
        Run(folder["resumed"], () => new TaughtTask(Small.Recipe with { Epochs = 4 }), stop: p => p is { Epoch: 3, Phase: TrainingPhase.Train, Batch: 2 });
        TrainingResult resumed = Run(folder["resumed"], () => new TaughtTask(Small.Recipe with { Epochs = 4 }));
        Assert.Equal(Small.WithoutTimes(straight.History), Small.WithoutTimes(resumed.History));
        SortedDictionary<string, string> state = Small.State(folder["straight"]);
        Assert.Equal(state, Small.State(folder["resumed"]));
        Assert.Contains("momentum teacher/fc.weight", state.Keys);
        Assert.Contains("momentum teacher/state/bn1.running_mean", state.Keys);
        Assert.Contains("momentum map/weight", state.Keys);
        Assert.DoesNotContain(state.Keys, k => k.StartsWith("weights", StringComparison.Ordinal) && (k.Contains("teacher", StringComparison.Ordinal) || k.Contains("map", StringComparison.Ordinal)));
        using TrainedModel student = TrainedModel.Load(folder["straight"], CheckpointChoice.Last, Small.Model);
        Assert.Equal(straight.Last, student.Metrics);
    }

    [Theory] // the first would tell 81 classes apart, the second multiply matrices that do not fit
    [InlineData("lenet5-bn", "LeNet-5-BN takes images of 32x32 pixels, but the recipe makes them 64x64")]
    [InlineData("vgg-small", "VGG-small takes images of 32x32 pixels, but the recipe makes them 64x64")]
    public void A_model_that_takes_no_images_of_their_size_is_refused(string model, string says)
    {
        using ClassificationTask any = new(Sized("resnet20", 64), Small.Train, Small.Test);
        using ClassificationTask right = new(Sized(model, 32), Small.Train, Small.Test);
        Assert.Contains(
            says, Assert.Throws<TrainingException>(() => new ClassificationTask(Sized(model, 64), Small.Train, Small.Test)).Message,
            StringComparison.Ordinal);

        static Recipe Sized(string model, int side)
        {
            Augmentation padded = Small.Plain with { Pad = (side - Small.Side) / 2 };
            return Small.Recipe with { Model = model, TrainAugmentation = padded, TestAugmentation = padded };
        }
    }

    [Fact]
    public void A_companion_that_breaks_is_named()
    {
        using TempFolder folder = new();
        TrainingException e = Assert.Throws<TrainingException>(() => Run(folder["run"], () =>
        {
            TaughtTask task = new(Small.Recipe);
            using (no_grad())
            {
                task.Companions[0].Module.get_parameter("fc.weight")!.view(-1)[0] = float.NaN;
            }

            return task;
        }));
        Assert.Contains("the output of the layer 'teacher/fc' (Linear) was the first", e.Message, StringComparison.Ordinal);
    }

    private static TrainingResult Run(string path, Func<ITrainingTask> task, int epochs = 4, Func<TrainingProgress, bool>? stop = null)
    {
        Recipe recipe = Small.Recipe with { Epochs = epochs, LearningRate = 0.05 };
        using RunFolder folder = RunFolder.HoldsRun(path) ? RunFolder.Open(path) : RunFolder.Create(path, recipe, new RunOptions { Threads = 1 });
        using Trainer trainer = new(folder, _ => task());
        using CancellationTokenSource cancel = new();
        return trainer.Run(new Reporter(p =>
        {
            if (stop?.Invoke(p) == true)
            {
                cancel.Cancel();
            }
        }), cancel.Token);
    }

    /// <summary>Finds the bright quarter of an image as a box: two outputs a call, targets that are no labels, a metric over all images.</summary>
    private sealed class BoxTask : ITrainingTask
    {
        private readonly BoxModel model = new();
        private readonly DataLoader train = new(Small.Train, Small.Plain, 16, shuffle: true, seed: 1), validation = new(Small.Test, Small.Plain, 16, shuffle: false, seed: 0);

        public nn.Module Model => model;

        public IReadOnlyList<Metric> Metrics { get; } =
            [new("loss", "loss"), new("boxLoss", "box loss"), new("meanIoU", "mean IoU") { IsShare = true, Best = Optimum.Highest }];

        public bool MeasuresValidation => true;

        public int BatchCount(TrainingPhase phase) => (phase == TrainingPhase.Train ? train : validation).BatchCount;

        public ITaskPass Begin(TrainingPhase phase, int epoch, bool inspect, CancellationToken cancel) =>
            new Pass(model, phase == TrainingPhase.Train ? train : validation, epoch, cancel);

        public IReadOnlyDictionary<string, string> Describe(EpochMetrics metrics) => new Dictionary<string, string> { ["task"] = "boxes" };

        public void Dispose()
        {
            model.Dispose();
            train.Dispose();
            validation.Dispose();
        }

        private sealed class Pass(BoxModel model, DataLoader loader, int epoch, CancellationToken cancel) : ITaskPass
        {
            private readonly BoxModel model = model;
            private readonly List<double> overlaps = [];
            private double loss, boxLoss;

            public IEnumerable<ITaskBatch> Batches => loader.Epoch(epoch, cancel).Select(b => new Boxes(this, b));

            public MetricValues Values => overlaps.Count > 0
                ? new(("meanIoU", overlaps.Average()))
                : new(("loss", loss / Count), ("boxLoss", boxLoss / Count));

            public long Count { get; private set; }

            public void Dispose()
            {
            }

            private sealed class Boxes(Pass pass, Batch batch) : ITaskBatch
            {
                public int Count => batch.Count;

                public Tensor Loss(int start, int count)
                {
                    using var scope = NewDisposeScope();
                    var (objectness, boxes) = Model.call(batch.ImageTensor().narrow(0, start, count));
                    Tensor boxLoss = nn.functional.smooth_l1_loss(boxes, Targets().narrow(0, start, count));
                    Tensor loss = boxLoss + 0.1 * nn.functional.binary_cross_entropy_with_logits(objectness, ones_like(objectness));
                    pass.loss += loss.item<float>() * count;
                    pass.boxLoss += boxLoss.item<float>() * count;
                    pass.Count += count;
                    return loss.MoveToOuterDisposeScope();
                }

                public void Measure()
                {
                    using var scope = NewDisposeScope();
                    Tensor boxes = Model.call(batch.ImageTensor()).Boxes, targets = Targets();
                    Tensor both = minimum(boxes.narrow(1, 2, 2), targets.narrow(1, 2, 2)) - maximum(boxes.narrow(1, 0, 2), targets.narrow(1, 0, 2));
                    Tensor overlap = both.clamp(min: 0).prod(1), union = Area(boxes) + Area(targets) - overlap;
                    pass.overlaps.AddRange((overlap / union).data<float>().ToArray().Select(v => (double)v));
                    pass.Count += Count;
                }

                public void Dispose() => batch.Dispose();

                private BoxModel Model => pass.model;

                // x0, y0, x1, y1 in quarters of the side's half.
                private Tensor Targets() => stack(batch.Labels.Select(l => tensor(new float[] { l % 2, l / 2, l % 2 + 1, l / 2 + 1 })), 0);

                private static Tensor Area(Tensor boxes) => (boxes.narrow(1, 2, 2) - boxes.narrow(1, 0, 2)).clamp(min: 0).prod(1);
            }
        }
    }

    /// <summary>Gives two tensors for one.</summary>
    private sealed class BoxModel : nn.Module<Tensor, (Tensor Objectness, Tensor Boxes)>
    {
        private readonly nn.Module<Tensor, Tensor> body = nn.Sequential(
            ("conv", nn.Conv2d(1, 4, 3, padding: 1, bias: false)), ("bn1", nn.BatchNorm2d(4)), ("relu1", nn.ReLU()),
            ("adder", Layers.Adder2d(4, 8, 3, stride: 2, padding: 1)), ("bn2", nn.BatchNorm2d(8)), ("relu2", nn.ReLU()), ("flat", nn.Flatten()));

        private readonly nn.Module<Tensor, Tensor> objectness = nn.Linear(128, 1), boxes = nn.Linear(128, 4);

        public BoxModel()
            : base(nameof(BoxModel)) => RegisterComponents();

        public override (Tensor Objectness, Tensor Boxes) forward(Tensor input)
        {
            Tensor features = body.call(input);
            return (objectness.call(features), boxes.call(features));
        }
    }

    /// <summary>A classification whose loss also has a teacher, which learns at the same time, and a map between their features.</summary>
    private sealed class TaughtTask : ITrainingTask
    {
        private readonly ClassificationTask student;
        private readonly nn.Module<Tensor, Tensor> teacher = Small.Model(), map = nn.Linear(Small.Classes, Small.Classes);
        private readonly DataLoader loader;

        public TaughtTask(Recipe recipe)
        {
            student = new(recipe, Small.Train, Small.Test, Small.Model);
            loader = new(Small.Train, recipe.TrainAugmentation!, recipe.BatchSize, shuffle: true, seed: 1);
        }

        public nn.Module Model => student.Model;

        public IReadOnlyList<Companion> Companions => [new("teacher", teacher), new("map", map)];

        public IReadOnlyList<Metric> Metrics => student.Metrics;

        public int BatchCount(TrainingPhase phase) => student.BatchCount(phase);

        public ITaskPass Begin(TrainingPhase phase, int epoch, bool inspect, CancellationToken cancel) =>
            phase == TrainingPhase.Test ? student.Begin(phase, epoch, inspect, cancel) : new Pass(this, epoch, cancel);

        public IReadOnlyDictionary<string, string> Describe(EpochMetrics metrics) => student.Describe(metrics);

        public void Dispose()
        {
            student.Dispose();
            teacher.Dispose();
            map.Dispose();
            loader.Dispose();
        }

        private sealed class Pass(TaughtTask task, int epoch, CancellationToken cancel) : ITaskPass
        {
            private readonly ClassificationMeter meter = new();

            public IEnumerable<ITaskBatch> Batches => task.loader.Epoch(epoch, cancel).Select(b => new Images(task, b, meter));

            public MetricValues Values => meter.Values;

            public long Count => meter.Count;

            public void Dispose()
            {
            }
        }

        private sealed class Images(TaughtTask task, Batch batch, ClassificationMeter meter) : ITaskBatch
        {
            public int Count => batch.Count;

            public Tensor Loss(int start, int count)
            {
                using var scope = NewDisposeScope();
                Tensor images = batch.ImageTensor().narrow(0, start, count), labels = batch.LabelTensor().narrow(0, start, count);
                Tensor told = ((nn.Module<Tensor, Tensor>)task.Model).call(images), taught = task.teacher.call(images);
                Tensor loss = nn.functional.cross_entropy(told, labels) + nn.functional.cross_entropy(taught, labels)
                    + 0.1 * nn.functional.mse_loss(task.map.call(told), taught.detach());
                meter.Add(loss.item<float>(), told, labels);
                return loss.MoveToOuterDisposeScope();
            }

            public void Measure() => throw new NotSupportedException();

            public void Dispose() => batch.Dispose();
        }
    }
}
