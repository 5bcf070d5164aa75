using System.Text.Json;
using System.Text.Json.Serialization;

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
    public LayerKind Layers { get; init; } = LayerKind.Adder;

    /// <summary>The data set's name, one of <c>Datasets.All</c>.</summary>
    public string Dataset { get; init; } = "fashion-mnist";

    /// <summary>Passes over the training images.</summary>
    public int Epochs { get; init; } = 6;

    /// <summary>Images between two optimizer steps.</summary>
    public int BatchSize { get; init; } = 256;

    /// <summary>Pieces in which a batch goes through the model, their gradients summed: more pieces take less memory.</summary>
    public int MicroBatches { get; init; } = 1;

    /// <summary>The learning rate at the start of the cosine (gamma of the paper).</summary>
    public double LearningRate { get; init; } = 0.1;

    /// <summary>First epochs over which the learning rate rises in a line from nearly nothing.</summary>
    public int WarmupEpochs { get; init; }

    /// <summary>SGD's momentum.</summary>
    public double Momentum { get; init; } = 0.9;

    /// <summary>Whether the momentum is Nesterov's.</summary>
    public bool Nesterov { get; init; }

    /// <summary>SGD's weight decay (L2 penalty).</summary>
    public double WeightDecay { get; init; } = 5e-4;

    /// <summary>The gradient of adder filters.</summary>
    public WeightGradient WeightGradient { get; init; } = WeightGradient.FullPrecision;

    /// <summary>How the gradients of adder layers are scaled.</summary>
    public GradientScaling Scaling { get; init; } = GradientScaling.Adaptive;

    /// <summary>Size of the scaled gradients when <see cref="Scaling"/> is adaptive.</summary>
    public double Eta { get; init; } = 0.2;

    /// <summary>The factor when <see cref="Scaling"/> is increased.</summary>
    public double ScalingFactor { get; init; } = 100;

    /// <summary>Decides the initial weights, the order of the images and their augmentation.</summary>
    public long Seed { get; init; } = 1;

    /// <summary>The paper's recipe for a model on a data set; for a pair the paper doesn't have, that of the nearest one.</summary>
    /// <param name="model">The model's name.</param>
    /// <param name="dataset">The data set's name.</param>
    /// <exception cref="ArgumentException">There is no such model or data set.</exception>
    public static Recipe For(string model, string dataset) => throw new NotImplementedException();

    /// <summary>Reads a recipe; fields that are left out have their defaults.</summary>
    /// <param name="json">The text.</param>
    /// <param name="source">What messages call it.</param>
    /// <exception cref="TrainingException">The text is no JSON, has a field no recipe has, or a value out of range.</exception>
    public static Recipe Parse(string json, string source = "the recipe") => throw new NotImplementedException();

    /// <summary>Reads a recipe file.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="TrainingException">As for <see cref="Parse"/>, or the file can't be read.</exception>
    public static Recipe Read(string path) => throw new NotImplementedException();

    /// <summary>The recipe as indented JSON, every field spelled out; <see cref="Parse"/> gives back the same recipe.</summary>
    public string ToJson() => throw new NotImplementedException();
}
