using AdderNet.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace AdderNet.Bench;

/// <summary>Training steps of ResNet-20, AdderNet against CNN, both on TorchSharp.</summary>
internal static class ModelSuite
{
    public const string TrainingStep = "resnet20 training step";

    public static Row MeasureTrainingStep(int batch, int threads, TimeSpan time)
    {
        using var scope = NewDisposeScope();
        Tensor images = Images(batch), labels = randint(10, batch);
        double[] s = Interleaved.Medians(time, 7, [.. ((LayerKind[])[LayerKind.Adder, LayerKind.Conv]).Select(kind => Step(kind, images, labels))]);
        return new Row(TrainingStep, $"batch {batch}", threads, s[0], s[1], "s");
    }

    /// <summary>
    /// What it costs to take BatchNorm's statistics anew after an epoch of CIFAR-10: forward passes over as many batches as the recipe
    /// says, against the training steps of the epoch.
    /// </summary>
    public static Row MeasureReestimation(int batch, int threads, TimeSpan time)
    {
        // What the recipes of AdderNets say, and the training images of CIFAR-10.
        const int batches = 16, trainingImages = 50_000;
        using var scope = NewDisposeScope();
        int steps = trainingImages / batch;
        Tensor images = Images(batch), labels = randint(10, batch);
        nn.Module<Tensor, Tensor> model = AdderNetModels.Create("resnet20", LayerKind.Adder);
        double[] s = Interleaved.Medians(time, 7, Forward, Step(LayerKind.Adder, images, labels));
        string what = $"resnet20, {batches} of {steps} batches of {batch}";
        return new Row("BatchNorm re-estimation of an epoch", what, threads, batches * s[0], steps * s[1], "s");

        void Forward()
        {
            using var step = NewDisposeScope();
            using var guard = no_grad();
            model.forward(images);
        }
    }

    /// <summary>An AdderNet's training step on some images: what the comparison with the official algorithm times.</summary>
    public static Action AdderStep(int batch) => Step(LayerKind.Adder, Images(batch), randint(10, batch));

    private static Action Step(LayerKind kind, Tensor images, Tensor labels)
    {
        nn.Module<Tensor, Tensor> model = AdderNetModels.Create("resnet20", kind);
        var optimizer = optim.SGD(model.parameters(), 0.01, momentum: 0.9, weight_decay: 5e-4);
        var scaling = LearningRateScaling.Adaptive();
        return () =>
        {
            using (NewDisposeScope())
            {
                optimizer.zero_grad();
                nn.functional.cross_entropy(model.forward(images), labels).backward();
                scaling.Apply(model);
                optimizer.step();
            }

            // As the trainer does: what autograd leaves to finalizers would otherwise keep the allocator from reusing memory.
            GC.Collect(0, GCCollectionMode.Forced, blocking: true);
        };
    }

    private static Tensor Images(int batch) => randn(batch, 32, 32, 3).permute(0, 3, 1, 2);
}
