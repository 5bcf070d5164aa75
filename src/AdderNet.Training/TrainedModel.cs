using AdderNet.Checkpoints;
using AdderNet.Data;
using AdderNet.Distributed;
using AdderNet.Models;
using AdderNet.Training.DataParallel;
using TorchSharp;
using static TorchSharp.torch;

namespace AdderNet.Training;

/// <summary>Which of a run's checkpoints.</summary>
public enum CheckpointChoice
{
    /// <summary>The best epoch by the task's deciding metric: a classification's accuracy.</summary>
    Best,

    /// <summary>The last completed epoch.</summary>
    Last,
}

/// <summary>A model as a run saved it, with all that is needed to use it.</summary>
public sealed class TrainedModel : IDisposable
{
    private readonly ModelCard card;

    private TrainedModel(nn.Module<Tensor, Tensor> model, ModelCard card, Recipe recipe, EpochMetrics metrics, string weightsPath)
    {
        Model = model;
        this.card = card;
        (Recipe, Metrics, WeightsPath) = (recipe, metrics, weightsPath);
    }

    /// <summary>The model, in evaluation mode.</summary>
    public nn.Module<Tensor, Tensor> Model { get; }

    /// <summary>How it was trained, augmentation included.</summary>
    public Recipe Recipe { get; }

    /// <summary>What it reached; its test accuracy is among it.</summary>
    public EpochMetrics Metrics { get; }

    /// <summary>The classes' names, in the order of the model's outputs.</summary>
    public IReadOnlyList<string> ClassNames => card.ClassNames;

    /// <summary>Channels of its input.</summary>
    public int InputChannels => card.InputChannels;

    /// <summary>How an image is prepared for it.</summary>
    public Augmentation Preparation => Recipe.WithAugmentation().TestAugmentation!;

    /// <summary>The file of its weights.</summary>
    public string WeightsPath { get; }

    /// <summary>Loads from a run folder or from one of the weight files (.safetensors) a run writes, which are self-contained.</summary>
    /// <param name="path">The folder or the file.</param>
    /// <param name="choice">Which checkpoint of a folder.</param>
    /// <param name="model">Makes your own module where the run trained one; null makes the recipe's model.</param>
    /// <exception cref="TrainingException">There is none, it is damaged, or it is of another model.</exception>
    public static TrainedModel Load(string path, CheckpointChoice choice = CheckpointChoice.Best, Func<nn.Module<Tensor, Tensor>>? model = null) =>
        Load(path, choice, (_, _, _, _) => model?.Invoke());

    /// <summary>Loads the best epoch of an open run: what its first process has saved, in each of its processes, which all call it.</summary>
    /// <param name="folder">The run.</param>
    /// <exception cref="TrainingException">There is no checkpoint, it is damaged, or it is of another model.</exception>
    /// <exception cref="PeerException">Another process failed.</exception>
    public static TrainedModel Load(RunFolder folder)
    {
        ArgumentNullException.ThrowIfNull(folder);
        Communicator ranks = folder.Ranks;
        (TensorFile? own, string path) = ranks.Agree(() => ranks.Rank == 0 ? Plainly(() => OfFolder(folder.Path, CheckpointChoice.Best)) : (null, ""));
        TensorFile file = ranks.Broadcast(own);
        path = ranks.FromFirst(() => path);
        return ranks.Agree(() => Plainly(() => Build(file, path, (_, _, _, _) => null)));
    }

    /// <param name="path">The folder or the file.</param>
    /// <param name="choice">Which checkpoint of a folder.</param>
    /// <param name="build">Makes the module that the weights are of, for some classes and input channels; null from it makes the recipe's model.</param>
    internal static TrainedModel Load(
        string path, CheckpointChoice choice, Func<Recipe, int, int, IReadOnlyDictionary<string, TensorData>, nn.Module<Tensor, Tensor>?> build)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        return Plainly(() =>
        {
            (TensorFile file, string weights) = Find(path, choice);
            return Build(file, weights, build);
        });
    }

    /// <summary>Reads how a run, or one of the weight files that a run writes, was trained, without making a model of it.</summary>
    /// <param name="path">The folder, whose best epoch is read, or the file.</param>
    /// <exception cref="TrainingException">There is none, it is damaged, or it does not say.</exception>
    internal static Recipe ReadRecipe(string path)
    {
        return Plainly(() =>
        {
            (TensorFile file, string weights) = Find(path, CheckpointChoice.Best);
            return Description(file, weights).Recipe;
        });
    }

    /// <summary>Reads the weights of a run without making a model of them.</summary>
    /// <param name="run">The run's folder.</param>
    /// <param name="choice">Which checkpoint.</param>
    /// <returns>The weights, and the metadata that lets <c>Load</c> use them alone.</returns>
    /// <exception cref="TrainingException">There is no checkpoint, or it is damaged.</exception>
    public static TensorFile ReadWeights(string run, CheckpointChoice choice = CheckpointChoice.Best)
    {
        ArgumentException.ThrowIfNullOrEmpty(run);
        return Plainly(() => OfFolder(run, choice).File);
    }

    /// <summary>The file of the weights of a run's best epoch.</summary>
    /// <param name="run">The run's folder.</param>
    /// <exception cref="TrainingException">There is no checkpoint, or it is damaged.</exception>
    internal static string WeightsOf(string run) => Plainly(() => OfFolder(run, CheckpointChoice.Best).Path);

    /// <summary>Frees the model's memory.</summary>
    public void Dispose() => Model.Dispose();

    /// <summary>The content of a run's checkpoint or of a weight file.</summary>
    private static (TensorFile File, string Path) Find(string path, CheckpointChoice choice) =>
        Directory.Exists(path) ? OfFolder(path, choice) : (CheckpointFiles.ReadStateDict(path), path);

    /// <summary>What a file of weights says of itself.</summary>
    private static (ModelCard Card, Recipe Recipe) Description(TensorFile file, string weights)
    {
        ModelCard card = ModelCard.Read(file.Metadata, weights)
            ?? throw new TrainingException($"{weights} does not say what model it holds.") { Problem = TrainingProblem.UnknownModel };
        Recipe recipe = TrainingJson.Parse<Recipe>(card.Recipe.GetRawText(), $"The recipe in {weights}");
        recipe.Validate($"The recipe in {weights}");
        return (card, recipe);
    }

    private static TrainedModel Build(
        TensorFile file, string weights, Func<Recipe, int, int, IReadOnlyDictionary<string, TensorData>, nn.Module<Tensor, Tensor>?> build)
    {
        (ModelCard card, Recipe recipe) = Description(file, weights);
        EpochMetrics metrics = TrainingJson.Parse<EpochMetrics>(card.Metrics.GetRawText(), $"The metrics in {weights}");
        nn.Module<Tensor, Tensor> built = build(recipe, card.ClassNames.Count, card.InputChannels, file.Tensors)
            ?? RecipeModels.Create(
                recipe, card.ClassNames.Count, card.InputChannels,
                LayerFactory.Of(file.Tensors, recipe.Layers, recipe.WeightGradient, recipe.InputGradient));
        TrainedModel trained = new(built, card, recipe, metrics, weights);
        try
        {
            StateDict.LoadInto(built, file.Tensors, source: weights);
            built.eval();
            return trained;
        }
        catch
        {
            trained.Dispose();
            throw;
        }
    }

    /// <summary>What a file makes impossible is a run's or a file's fault, as a sentence.</summary>
    private static T Plainly<T>(Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception e) when (e is CheckpointException or ArgumentException)
        {
            throw new TrainingException(e.Message, e);
        }
    }

    /// <remarks>A training under way removes a checkpoint when the next one is complete: who was about to read the old one takes the new.</remarks>
    private static (TensorFile File, string Path) OfFolder(string run, CheckpointChoice choice)
    {
        const int patience = 100;
        for (int attempt = 1; ; attempt++)
        {
            CheckpointStore store = new(run);
            SavedFile saved = Chosen(store, run, choice);
            try
            {
                string path = store.Verified(saved);
                return (Safetensors.Read(path), path);
            }
            catch (Exception e) when (e is CheckpointException or TrainingException && attempt < patience && Chosen(new CheckpointStore(run), run, choice) != saved)
            {
                // It was replaced meanwhile.
            }
        }
    }

    private static SavedFile Chosen(CheckpointStore store, string run, CheckpointChoice choice) => store.Index is { } index
        ? choice == CheckpointChoice.Best ? index.BestWeights : index.Weights
        : throw new TrainingException(
            $"The folder {run} holds no checkpoint{(RunFolder.HoldsRun(run) ? " yet: no epoch of its run is complete" : "")}.");
}
