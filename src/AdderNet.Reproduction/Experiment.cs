using AdderNet.Models;
using AdderNet.Training;
using static TorchSharp.torch;

namespace AdderNet.Reproduction;

/// <summary>How an experiment is to be made.</summary>
/// <param name="Epochs">Epochs of each run.</param>
/// <param name="Seeds">Each run is made with the seeds 1 to this.</param>
/// <param name="DataDir">Where the data lies, as a full path; null for the default place.</param>
/// <param name="Threads">Threads to compute with.</param>
/// <param name="Out">The experiment's folder.</param>
internal sealed record ReproduceOptions(int Epochs, int Seeds, string? DataDir, int Threads, string Out);

/// <summary>A recipe to train, in the experiment's folder under runs/NAME.</summary>
/// <param name="Name">Model, version and seed: resnet20-adder-seed1.</param>
/// <param name="Label">What tables and legends call it; runs that differ only in their seed share it.</param>
/// <param name="Recipe">What is trained.</param>
/// <param name="Model">Makes a module of one's own for a number of classes and input channels; null makes the recipe's model.</param>
internal sealed record PlannedRun(string Name, string Label, Recipe Recipe, Func<int, int, nn.Module<Tensor, Tensor>>? Model = null)
{
    /// <summary>A run of one of the paper's models, named as all of them are.</summary>
    /// <param name="recipe">What is trained.</param>
    /// <param name="label">What tables and legends call it.</param>
    /// <param name="variant">What else its name has to tell, beginning with a hyphen.</param>
    public static PlannedRun Of(Recipe recipe, string label, string variant = "") =>
        new($"{recipe.Model}-{recipe.Layers.Name()}{variant}-seed{recipe.Seed}", label, recipe);

    /// <summary>What a version of a model is called in tables: CNN ResNet-20.</summary>
    public static string Title(LayerKind layers, string model) => $"{layers.Title()} {AdderNetModels.Find(model).Title}";

    /// <summary>What makes the run's own module, as the trainer takes it; null for the recipe's model.</summary>
    public Func<nn.Module<Tensor, Tensor>>? ModuleFor(int classes, int channels) => Model is { } make ? () => make(classes, channels) : null;
}

/// <summary>A table or a figure of the paper: what is trained for it, and what is written from that.</summary>
/// <param name="Name">What the command line calls it.</param>
/// <param name="Title">One line that says what it shows.</param>
/// <param name="PaperSource">Where it stands in the paper.</param>
/// <param name="DefaultEpochs">The paper's epochs; 0 where nothing is trained.</param>
/// <param name="Plan">The runs, in the order they are made; their names tell them apart.</param>
/// <param name="Write">Writes the report from the runs there are: all, some, or none.</param>
internal sealed record Experiment(
    string Name,
    string Title,
    string PaperSource,
    int DefaultEpochs,
    Func<ReproduceOptions, IReadOnlyList<PlannedRun>> Plan,
    Action<Findings, Report> Write)
{
    /// <summary>The paper that it is of.</summary>
    public string Paper { get; init; } = "“AdderNet: Do We Really Need Multiplications in Deep Learning?” (Chen et al., CVPR 2020)";

    /// <summary>Where it stands, and in which paper.</summary>
    public string Place => $"{char.ToUpperInvariant(PaperSource[0])}{PaperSource[1..]} of {Paper}";

    /// <summary>What to say of the time it takes before it starts, where there is more to say than that.</summary>
    public Func<TimeEstimate, IReadOnlyList<PlannedRun>, IEnumerable<string>>? Preface { get; init; }
}
