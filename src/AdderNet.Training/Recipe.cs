using System.Text.Json;
using System.Text.Json.Serialization;
using AdderNet.Data;
using AdderNet.Models;
using AdderNet.Training.Detection;
using AdderNet.Training.Distillation;

namespace AdderNet.Training;

/// <summary>
/// All that decides what a training run computes, as data: print it, change it, pass it back. Together with the data and the number
/// of threads it determines every bit of the result.
/// </summary>
public sealed record Recipe : IJsonOnDeserialized
{
    private const int AdderBatches = 16;

    private static readonly IReadOnlyList<GradientTransform> PaperTransforms = [new AdaptiveScaling()];

    private IReadOnlyList<GradientTransform>? transforms;
    private int? batchNormBatches;
    private OldGradientFields? old;
    private bool saysItTwice;

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

    /// <summary>The gradient of adder filters.</summary>
    public WeightGradient WeightGradient { get; init; } = WeightGradient.FullPrecision;

    /// <summary>The gradient that adder layers hand on.</summary>
    public InputGradient InputGradient { get; init; } = InputGradient.Clipped;

    /// <summary>What is done to the gradients between backward and the optimizer's step, in this order; the paper's adaptive scaling by default.</summary>
    public IReadOnlyList<GradientTransform> GradientTransforms
    {
        get => transforms ?? PaperTransforms;
        init => transforms = value;
    }

    /// <summary>
    /// Training batches over which BatchNorm's statistics are averaged anew after each epoch, before the model is measured and saved; an
    /// epoch's own batches where it has fewer. 0 keeps the running averages, which lag behind adder filters while the rate is high; 16 for
    /// AdderNets and 0 for other networks by default.
    /// </summary>
    public int BatchNormBatches
    {
        get => batchNormBatches ?? (Layers == LayerKind.Adder ? AdderBatches : 0);
        init => batchNormBatches = value;
    }

    /// <summary>
    /// Whether BatchNorms normalize by the statistics of the whole batch where several processes share it out (PyTorch's SyncBatchNorm); else
    /// each process normalizes its part by itself. It changes nothing for one process.
    /// </summary>
    public bool SynchronizedBatchNorm { get; init; }

    /// <summary>Decides the initial weights, the order of the images and their augmentation.</summary>
    public long Seed { get; init; } = 1;

    /// <summary>How training images are prepared; null for the paper's way with the data set.</summary>
    public Augmentation? TrainAugmentation { get; init; }

    /// <summary>How test images are prepared; null for the paper's way with the data set.</summary>
    public Augmentation? TestAugmentation { get; init; }

    /// <summary>What a detector is and starts from; null for its defaults, and for other tasks.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public DetectionRecipe? Detection { get; init; }

    /// <summary>The trained CNN that the AdderNet starts from; null for fresh weights.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public CnnStart? From { get; init; }

    /// <summary>The teachers that a classification learns from beside its labels; null for none.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public DistillationRecipe? Distillation { get; init; }

    // The fields that recipes had before GradientTransforms: read for ever, never written.
    [JsonInclude]
    internal bool? GradientCentralization { init => old = (old ?? new()) with { Centralization = value }; }

    [JsonInclude]
    internal OldGradientFields.Kind? Scaling { init => old = (old ?? new()) with { Scaling = value }; }

    [JsonInclude]
    internal double? Eta { init => old = (old ?? new()) with { Eta = value }; }

    [JsonInclude]
    internal double? ScalingFactor { init => old = (old ?? new()) with { Factor = value }; }

    /// <summary>The paper's recipe for a model on a data set; for a pair the paper doesn't have, that of the data set's kind.</summary>
    /// <param name="model">The model's name.</param>
    /// <param name="dataset">The data set's name.</param>
    /// <exception cref="DataException">There is no such data set.</exception>
    public static Recipe For(string model, string dataset)
    {
        string name = Datasets.Find(dataset).Name;
        Recipe paper = name switch
        {
            "digits" or "voc" or "coco" => Recipes.Find("detection").Recipe,
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

    /// <summary>What is measured in a training by this recipe: its task follows from its data set.</summary>
    /// <exception cref="DataException">There is no such data set.</exception>
    [JsonIgnore]
    public IReadOnlyList<Metric> Metrics => Metric.AllOf(Datasets.Find(Dataset));

    /// <summary>The augmentations of a recipe that has them written out.</summary>
    internal static (Augmentation Train, Augmentation Test) WrittenAugmentations(Recipe recipe) =>
        recipe is { TrainAugmentation: { } train, TestAugmentation: { } test } ? (train, test) : throw new ArgumentException(
            "The recipe leaves its augmentations to the data set; call WithAugmentation first.", nameof(recipe));

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
        Check(!saysItTwice, "gradientTransforms", "given", "left out where one of the older gradientCentralization, scaling, eta and scalingFactor is given");
        Check(GradientTransforms.All(t => t is not null), "gradientTransforms", "a list with null in it", "a list of transforms");
        foreach (var (name, value, range) in GradientTransforms.Select(t => t.Invalid).OfType<(string, double, string)>())
        {
            Check(false, name, value, range);
        }

        if (From is { } start)
        {
            Check(Layers == LayerKind.Adder, "layers", Layers.Name(), "adder where 'from' names a CNN to start from");
            Check(start.Cnn.Length > 0, "from.cnn", "empty", "a run's folder or a file of weights");
            Check(double.IsFinite(start.Sigma) && start.Sigma > 0, "from.sigma", start.Sigma, "a number above 0");
            Check(start.Batches is >= 1 and <= 1_000_000, "from.batches", start.Batches, "1 to 1000000");
        }

        foreach (var (name, value, range) in Distillation?.Invalid(Layers) ?? [])
        {
            Check(false, $"distillation.{name}", value, range);
        }

        Check(BatchNormBatches is >= 0 and <= 1_000_000, "batchNormBatches", BatchNormBatches, "0 to 1000000");

        void Check(bool valid, string name, object value, string range)
        {
            if (!valid)
            {
                throw new TrainingException(FormattableString.Invariant($"{source}: {name} is {value}; it must be {range}."));
            }
        }
    }

    /// <summary>
    /// This recipe for an AdderNet that starts from a trained CNN of its shape. What was copied takes small steps, by the rate, and so do the filters:
    /// eta * rate / (1 - momentum) / sigma is 3 %. In a recipe that has a start already only the CNN is another.
    /// </summary>
    /// <param name="cnn">A run's folder or a file of weights.</param>
    public Recipe StartingFrom(string cnn) => From is { } start ? this with { From = start with { Cnn = cnn } }
        : OfAdders().WithScaling(new AdaptiveScaling(0.3)) with
        {
            From = new CnnStart(cnn),
            LearningRate = 0.02,
            WarmupEpochs = 0,
            WeightDecay = 2e-4,
        };

    /// <summary>This recipe for an AdderNet, where it was one for another network.</summary>
    // The recipe that trained a CNN says 0 batches, which does for a CNN.
    internal Recipe OfAdders() => Layers == LayerKind.Adder ? this : this with { Layers = LayerKind.Adder, BatchNormBatches = AdderBatches };

    /// <summary>The recipe of an AdderNet that a trained network of the same model teaches, of the recipe that trained that one.</summary>
    public Recipe ForStudent() => OfAdders() with { From = null, Distillation = null };

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

    /// <summary>This recipe with other scaling of the adder layers' gradients, where the old one stood or at the end.</summary>
    /// <param name="scaling">The scaling; null for none.</param>
    public Recipe WithScaling(GradientTransform? scaling)
    {
        static bool Scales(GradientTransform t) => t is AdaptiveScaling or IncreasedScaling;
        GradientTransform[] wanted = scaling is null ? [] : [scaling];
        return this with
        {
            GradientTransforms = GradientTransforms.Any(Scales)
                ? [.. GradientTransforms.SelectMany(t => t == GradientTransforms.First(Scales) ? wanted : Scales(t) ? [] : [t])]
                : [.. GradientTransforms, .. wanted],
        };
    }

    /// <summary>Whether two recipes say the same.</summary>
    public bool Equals(Recipe? other) => other is not null && (ReferenceEquals(this, other) || ToJson() == other.ToJson());

    /// <inheritdoc/>
    public override int GetHashCode() => ToJson().GetHashCode(StringComparison.Ordinal);

    void IJsonOnDeserialized.OnDeserialized()
    {
        if (old is null)
        {
            return;
        }

        // A recipe of that time knew no other statistics than the running ones, and means the same as then.
        (saysItTwice, transforms, batchNormBatches, old) = (transforms is not null, transforms ?? old.Transforms, batchNormBatches ?? 0, null);
    }
}
