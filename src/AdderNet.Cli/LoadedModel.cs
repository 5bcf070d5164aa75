using AdderNet.Data;
using AdderNet.Graph;
using AdderNet.Models;
using AdderNet.Reproduction;
using AdderNet.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace AdderNet.Cli;

/// <summary>A model with what is needed to feed it: from a run, or from a file of weights such as the official code saves.</summary>
/// <param name="Model">From [N, C, H, W] to [N, classes], in evaluation mode.</param>
/// <param name="Name">The model's name.</param>
/// <param name="Layers">What its inner layers are.</param>
/// <param name="Dataset">The data set it was trained on.</param>
/// <param name="Preparation">How a stored image becomes its input.</param>
/// <param name="ClassNames">Names of its outputs; empty where they are not known.</param>
/// <param name="Channels">Channels of its input.</param>
/// <param name="Source">The file of its weights.</param>
internal sealed record LoadedModel(
    nn.Module<Tensor, Tensor> Model, string Name, LayerKind Layers, string Dataset, Augmentation Preparation,
    IReadOnlyList<string> ClassNames, int Channels, string Source) : IDisposable
{
    /// <summary>A second model, to be held against a first: of a run, of a graph, or of a file of weights, which is of the first's shape.</summary>
    /// <param name="path">The folder or the file.</param>
    /// <param name="first">The first model, on whose data set a graph and a file of weights were trained, too.</param>
    /// <param name="note">Is told what the user should know of a file of weights.</param>
    public static LoadedModel Beside(string path, LoadedModel first, Action<string> note) =>
        GraphFiles.IsGraph(path) ? GraphModels.Load(path, first.Dataset)
        : first.Known is { } model && CnnStart.RecipeOf(path) is null ? OfWeights(path, model.Name, first.Dataset, null, note)
        : OfRun(path, CheckpointChoice.Best);

    /// <summary>The model of a run folder, or of one of the weight files it writes.</summary>
    public static LoadedModel OfRun(string path, CheckpointChoice choice)
    {
        TrainedModel trained = EmbeddingNetwork.Load(path, choice);
        Recipe recipe = trained.Recipe;
        return new LoadedModel(
            trained.Model, recipe.Model, recipe.Layers, recipe.Dataset, trained.Preparation, trained.ClassNames, trained.InputChannels, trained.WeightsPath)
        {
            Recipe = recipe,
        };
    }

    /// <summary>A model of ours with the weights of a .pth or .safetensors file, which tell its layers, classes and channels.</summary>
    public static LoadedModel OfWeights(string path, string modelName, string? dataset, LayerKind? kind, Action<string> note)
    {
        ModelInfo info = Names.Model(modelName);
        DatasetInfo data = Datasets.Find(
            dataset ?? throw CliException.Usage($"Say with --data what {path} was trained on, for example --data cifar10."));
        if (info.FindsBoxes)
        {
            throw new CliException($"{info.Title} is not read from a bare file of weights; name the run, or a file of weights that a run has written.");
        }

        Names.CheckLayers(info, kind ?? LayerKind.Adder);
        nn.Module<Tensor, Tensor> model = AdderNetModels.Load(path, info.Name, kind, note);
        LayerKind layers = kind ?? (model.modules().OfType<Adder2d>().Any() ? LayerKind.Adder : LayerKind.Conv);
        return new LoadedModel(
            model, info.Name, layers, data.Name, Augmentation.For(data.Name, train: false), data.ClassNames,
            AdderNetModels.InputChannels(model), path);
    }

    /// <summary>How it was trained; null where the file doesn't tell.</summary>
    public Recipe? Recipe { get; init; }

    /// <summary>How people call it.</summary>
    public string Title => Known is null ? Name : Names.Network(Layers, Name);

    /// <summary>The maps on which it finds objects; none for a model that tells images apart.</summary>
    public IReadOnlyList<DetectionLevel> Levels { get => field ?? Known?.Levels ?? []; init; }

    /// <summary>Whether it finds objects rather than tells images apart.</summary>
    public bool FindsBoxes => Levels.Count > 0;

    /// <summary>The model of the zoo that it is; null for another.</summary>
    private ModelInfo? Known => Names.FindModel(Name);

    /// <summary>Refuses a detector, for what only models that tell images apart can do yet.</summary>
    /// <param name="done">What would be done to it, such as "pruned".</param>
    /// <exception cref="CliException">It is a detector.</exception>
    public void RefuseDetector(string done)
    {
        if (FindsBoxes)
        {
            throw new CliException($"{Source} is a detector; it can't be {done} yet.");
        }
    }

    /// <summary>Refuses images with boxes for a model that tells images apart, and images without for a detector.</summary>
    /// <exception cref="CliException">The data are for the other task.</exception>
    public void RefuseOtherTask(DatasetInfo data)
    {
        if (FindsBoxes != data.HasBoxes)
        {
            throw CliException.Usage(FindsBoxes
                ? $"{Source} finds objects, and {data.Title} has no boxes; name other data."
                : $"{Source} tells images apart, and {data.Title} has images with boxes; name other data.");
        }
    }

    /// <summary>Refuses images of other channels than the model takes.</summary>
    /// <exception cref="CliException">They differ.</exception>
    public void RefuseOtherChannels(DatasetInfo data)
    {
        if (data.Channels != Channels)
        {
            throw new CliException($"{Source} is for images of {Channels} channel(s); those of {data.Title} have {data.Channels}.");
        }
    }

    /// <summary>The network as data, with all that is needed to feed it and to read its answers.</summary>
    /// <exception cref="GraphException">A module of it cannot be described in a graph.</exception>
    public NetworkGraph ToGraph()
    {
        DatasetInfo data = Datasets.Find(Dataset);
        int usual = Names.Model(Name).InputSize;
        (int storedHeight, int storedWidth) = data.Height > 0 ? (data.Height, data.Width) : (usual, usual);
        // What the preparation makes of an image tells the network's input.
        (_, int height, int width) = Preparation.Apply(
            new RawImage(storedHeight, storedWidth, Channels, new byte[storedHeight * storedWidth * Channels]));
        return this.ToGraph(height, width, []);
    }

    /// <inheritdoc/>
    public void Dispose() => Model.Dispose();
}
