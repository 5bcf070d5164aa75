using AdderNet.Data;

namespace AdderNet.Training;

/// <summary>A recipe with a name.</summary>
/// <param name="Name">What the command line calls it.</param>
/// <param name="Title">One line that says what it is for.</param>
/// <param name="Recipe">The recipe.</param>
public sealed record NamedRecipe(string Name, string Title, Recipe Recipe);

/// <summary>The recipes that come with the project: the paper's, and a short one to start with.</summary>
public static class Recipes
{
    /// <summary>All of them; the first is the default run.</summary>
    public static IReadOnlyList<NamedRecipe> All { get; } =
    [
        new("mnist-short", "LeNet-5-BN on MNIST in about a minute on two cores",
            new Recipe { Model = "lenet5-bn", Dataset = "mnist", Epochs = 4, BatchSize = 128, Nesterov = true }),
        new("mnist", "the paper's LeNet-5-BN on MNIST: 50 epochs with Nesterov momentum",
            new Recipe { Model = "lenet5-bn", Dataset = "mnist", Epochs = 50, Nesterov = true }),
        new("cifar", "the paper's ResNet-20 on CIFAR-10: 400 epochs, crops and flips",
            new Recipe { Model = "resnet20", Dataset = "cifar10", Epochs = 400 }),
        // What a run forgets goes with the sum of rate * decay over its steps, and a short run has few: hence the decay and the batches.
        // It is also too short to overfit, so crops move images half as far. Centralized gradients leave out the one direction that
        // all inputs, being positive, have in common.
        new("cifar-short", "ResNet-20 on CIFAR-10 in 25 epochs: smaller batches and crops, a larger weight decay, centralized gradients",
            new Recipe
            {
                Model = "resnet20",
                Dataset = "cifar10",
                Epochs = 25,
                BatchSize = 128,
                WeightDecay = 2e-3,
                GradientTransforms = [new GradientCentralization(), new AdaptiveScaling(0.3)],
                TrainAugmentation = Augmentation.For("cifar10", train: true) with { Pad = 2 },
            }),
        new("detection", "FCOS-ResNet-20 on MNIST digits on canvases, or with --data voc or coco on your own images with boxes",
            new Recipe { Model = "fcos-resnet20", Dataset = "digits", Epochs = 20, BatchSize = 16, LearningRate = 0.05, WarmupEpochs = 1, WeightDecay = 1e-4 }),
        // A learning rate for batches of 4, in which every place of an image is an example.
        new("detection-short", "FCOS-ResNet-20 on a few hundred images with boxes, scaled into 256x256: 30 epochs, name them with --data-dir",
            new Recipe
            {
                Model = "fcos-resnet20",
                Dataset = "voc",
                Epochs = 30,
                BatchSize = 4,
                LearningRate = 0.05,
                WarmupEpochs = 1,
                WeightDecay = 1e-4,
                TrainAugmentation = Augmentation.For("voc", train: true) with { ScaleJitter = new(256) { MinScale = 0.8, MaxScale = 1.25 } },
                TestAugmentation = Augmentation.For("voc", train: false) with { ScaleJitter = new(256) },
            }),
        new("imagenet", "the paper's ResNet-18 on an image folder such as ImageNet: 150 epochs",
            new Recipe { Model = "resnet18", Dataset = "imagefolder", Epochs = 150, WeightDecay = 1e-4 }),
    ];

    /// <summary>The recipe of that name.</summary>
    /// <param name="name">One of <see cref="All"/>.</param>
    /// <exception cref="TrainingException">There is none; the message lists them.</exception>
    public static NamedRecipe Find(string name) =>
        All.FirstOrDefault(r => string.Equals(r.Name, name, StringComparison.OrdinalIgnoreCase))
        ?? throw new TrainingException($"There is no recipe '{name}'; the recipes are {string.Join(", ", All.Select(r => r.Name))}.");
}
