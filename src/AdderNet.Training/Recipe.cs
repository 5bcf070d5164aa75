using System.Text.Json;
using System.Text.Json.Serialization;
using AdderNet.Data;
using AdderNet.Models;

namespace AdderNet.Training;

/// <summary>How the gradients of the adder layers are brought to a common size before the optimizer sees them.</summary>
public enum GradientScaling
{
    /// <summary>Adaptive: gradient * eta * sqrt(k) / ||gradient||, layer by layer (equation 12 of the paper).</summary>
    Adaptive,

    /// <summary>Increased learning rate: gradient * a fixed factor, the paper's ILR.</summary>
    Increased,

    /// <summary>The gradients as they are.</summary>
    None,
}

/// <summary>
/// All that decides what a training run computes, as data: print it, change it, pass it back. Together with the data and the number
/// of threads it determines every bit of the result.
/// </summary>
public sealed record Recipe
{
    /// <summary>The model's name, one of <c>AdderNetModels.All</c>.</summary>
    public string Model { get; init; } = "lenet5-bn";

    /// <summary>What the inner layers are made of.</summary>
    [JsonConverter(typeof(LayerKindConverter))]
    public LayerKind Layers { get; init; } = LayerKind.Adder;

    /// <summary>The data set's name, one of <c>Datasets.All</c>.</summary>
    public string Dataset { get; init; } = "mnist";

    /// <summary>Passes over the training images.</summary>
    public int Epochs { get; init; } = 50;

    /// <summary>Images between two optimizer steps. Where one single image is left at the end of an epoch, the last batch takes it, too.</summary>
    public int BatchSize { get; init; } = 256;

    /// <summary>Pieces in which a batch goes through the model, their gradients summed: more pieces take less memory. A small last batch has fewer.</summary>
    public int MicroBatches { get; init; } = 1;

    /// <summary>The learning rate at the start of the cosine (the paper's gamma).</summary>
    public double LearningRate { get; init; } = 0.1;

    /// <summary>First epochs over which the learning rate rises in a straight line from nearly nothing.</summary>
    public int WarmupEpochs { get; init; }

    /// <summary>SGD's momentum.</summary>
    public double Momentum { get; init; } = 0.9;

    /// <summary>Whether the momentum is Nesterov's.</summary>
    public bool Nesterov { get; init; }

    /// <summary>SGD's weight decay (L2 penalty).</summary>
    public double WeightDecay { get; init; } = 5e-4;

    /// <summary>
    /// Whether the mean is taken from the gradient of each filter, in layers of every kind and before the scaling (Yong et al.,
    /// "Gradient Centralization", ECCV 2020).
    /// </summary>
    public bool GradientCentralization { get; init; }

    /// <summary>The gradient of adder filters.</summary>
    public WeightGradient WeightGradient { get; init; } = WeightGradient.FullPrecision;

    /// <summary>How the gradients of adder layers are scaled.</summary>
    public GradientScaling Scaling { get; init; } = GradientScaling.Adaptive;

    /// <summary>Size of the scaled gradients when <see cref="Scaling"/> is adaptive (the paper's eta).</summary>
    public double Eta { get; init; } = 0.2;

    /// <summary>The factor when <see cref="Scaling"/> is increased.</summary>
    public double ScalingFactor { get; init; } = 100;

    /// <summary>Decides the initial weights, the order of the images and their augmentation.</summary>
    public long Seed { get; init; } = 1;

    /// <summary>How training images are prepared; null for the paper's way with the data set.</summary>
    public Augmentation? TrainAugmentation { get; init; }

    /// <summary>How test images are prepared; null for the paper's way with the data set.</summary>
    public Augmentation? TestAugmentation { get; init; }

    /// <summary>The paper's recipe for a model on a data set; for a pair the paper doesn't have, that of the data set's kind.</summary>
    /// <param name="model">The model's name.</param>
    /// <param name="dataset">The data set's name.</param>
    /// <exception cref="DataException">There is no such data set.</exception>
    public static Recipe For(string model, string dataset)
    {
        string name = Datasets.Find(dataset).Name;
        Recipe paper = name switch
        {
            "mnist" or "fashion-mnist" => Recipes.Find("mnist").Recipe,
            "cifar10" or "cifar100" => Recipes.Find("cifar").Recipe,
            _ => Recipes.Find("imagenet").Recipe,
        };
        return (paper.WithDataset(name) with { Model = model }).WithAugmentation();
    }

    /// <summary>Reads a recipe; fields that are left out have their defaults.</summary>
    /// <param name="json">The text.</param>
    /// <param name="source">What messages call it.</param>
    /// <exception cref="TrainingException">The text is no JSON, has a field no recipe has, or a value out of range.</exception>
    public static Recipe Parse(string json, string source = "the recipe")
    {
        Recipe recipe = TrainingJson.Parse<Recipe>(json, source);
        recipe.Validate(source);
        return recipe;
    }

    /// <summary>Reads a recipe file.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="TrainingException">As for <see cref="Parse"/>, or the file can't be read.</exception>
    public static Recipe Read(string path)
    {
        Recipe recipe = TrainingJson.Read<Recipe>(path);
        recipe.Validate(path);
        return recipe;
    }

    /// <summary>The recipe as indented JSON, every field spelled out; <see cref="Parse"/> gives back the same recipe.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, TrainingJson.Indented);

    /// <summary>The recipe with the augmentations it leaves to the data set written out.</summary>
    /// <exception cref="DataException">There is no such data set.</exception>
    public Recipe WithAugmentation() => this with
    {
        TrainAugmentation = TrainAugmentation ?? Augmentation.For(Dataset, train: true),
        TestAugmentation = TestAugmentation ?? Augmentation.For(Dataset, train: false),
    };

    /// <summary>
    /// This recipe for another data set. Images of the same size are still prepared its way, with the new ones' mean and deviation; for
    /// others the augmentation is left to the data set.
    /// </summary>
    /// <param name="dataset">The data set's name.</param>
    /// <exception cref="DataException">There is no such data set.</exception>
    public Recipe WithDataset(string dataset)
    {
        DatasetInfo to = Datasets.Find(dataset);
        bool sameSize = to.Height > 0 && Datasets.All.Any(
            d => d.Name == Dataset && (d.Channels, d.Height, d.Width) == (to.Channels, to.Height, to.Width));
        return to.Name == Dataset ? this : this with
        {
            Dataset = to.Name,
            TrainAugmentation = Renormalized(TrainAugmentation, train: true),
            TestAugmentation = Renormalized(TestAugmentation, train: false),
        };

        Augmentation? Renormalized(Augmentation? old, bool train)
        {
            Augmentation own = Augmentation.For(to.Name, train);
            return sameSize && old is not null ? old with { Mean = own.Mean, Std = own.Std } : null;
        }
    }

    /// <summary>Checks that the values make sense together.</summary>
    /// <param name="source">What messages call the recipe.</param>
    /// <exception cref="TrainingException">One doesn't.</exception>
    public void Validate(string source = "the recipe")
    {
        Check(Model.Length > 0, "model", Model, "a model's name");
        Check(Epochs is >= 1 and <= 1_000_000, "epochs", Epochs, "1 to 1000000");
        Check(BatchSize is >= 1 and <= 1 << 20, "batchSize", BatchSize, "1 to 1048576");
        Check(MicroBatches >= 1 && MicroBatches <= BatchSize, "microBatches", MicroBatches, $"1 to batchSize, {BatchSize}");
        Check(double.IsFinite(LearningRate) && LearningRate > 0, "learningRate", LearningRate, "a number above 0");
        Check(WarmupEpochs >= 0 && WarmupEpochs < Epochs, "warmupEpochs", WarmupEpochs, $"0 to less than epochs, {Epochs}");
        Check(Momentum is >= 0 and < 1, "momentum", Momentum, "0 to less than 1");
        Check(!Nesterov || Momentum > 0, "nesterov", "true", "false where momentum is 0");
        Check(double.IsFinite(WeightDecay) && WeightDecay >= 0, "weightDecay", WeightDecay, "0 or more");
        Check(double.IsFinite(Eta) && Eta > 0, "eta", Eta, "a number above 0");
        Check(double.IsFinite(ScalingFactor) && ScalingFactor > 0, "scalingFactor", ScalingFactor, "a number above 0");

        void Check(bool valid, string name, object value, string range)
        {
            if (!valid)
            {
                throw new TrainingException(FormattableString.Invariant($"{source}: {name} is {value}; it must be {range}."));
            }
        }
    }

    /// <summary>The learning rate of one step: linear warm-up, then half a cosine down to nearly 0, changing with every step.</summary>
    /// <param name="step">The step, from 0, counted over the whole run.</param>
    /// <param name="stepsPerEpoch">Steps in an epoch.</param>
    public double LearningRateAt(long step, int stepsPerEpoch)
    {
        long warmup = (long)WarmupEpochs * stepsPerEpoch, all = (long)Epochs * stepsPerEpoch;
        return step < warmup
            ? LearningRate * (step + 1) / warmup
            : LearningRate * 0.5 * (1 + Math.Cos(Math.PI * (step - warmup) / (all - warmup)));
    }

    internal LearningRateScaling CreateScaling() => Scaling switch
    {
        GradientScaling.Adaptive => LearningRateScaling.Adaptive(Eta),
        GradientScaling.Increased => LearningRateScaling.Increased(ScalingFactor),
        _ => LearningRateScaling.None,
    };
}
