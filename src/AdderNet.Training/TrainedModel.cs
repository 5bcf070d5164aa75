using AdderNet.Checkpoints;
using AdderNet.Data;
using AdderNet.Models;
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

    private TrainedModel(nn.Module<Tensor, Tensor> model, ModelCard card, string weightsPath)
    {
        Model = model;
        this.card = card;
        WeightsPath = weightsPath;
    }

    /// <summary>The model, in evaluation mode.</summary>
    public nn.Module<Tensor, Tensor> Model { get; }

    /// <summary>How it was trained, augmentation included.</summary>
    public Recipe Recipe => card.Recipe;

    /// <summary>What it reached; its test accuracy is among it.</summary>
    public EpochMetrics Metrics => card.Metrics;

    /// <summary>The classes' names, in the order of the model's outputs.</summary>
    public IReadOnlyList<string> ClassNames => card.ClassNames;

    /// <summary>Channels of its input.</summary>
    public int InputChannels => card.InputChannels;

    /// <summary>How an image is prepared for it.</summary>
    public Augmentation Preparation => card.Recipe.WithAugmentation().TestAugmentation!;

    /// <summary>The file of its weights.</summary>
    public string WeightsPath { get; }

    /// <summary>Loads from a run folder or from one of the weight files (.safetensors) a run writes, which are self-contained.</summary>
    /// <param name="path">The folder or the file.</param>
    /// <param name="choice">Which checkpoint of a folder.</param>
    /// <param name="model">Makes your own module where the run trained one; null makes the recipe's model.</param>
    /// <exception cref="TrainingException">There is none, it is damaged, or it is of another model.</exception>
    public static TrainedModel Load(string path, CheckpointChoice choice = CheckpointChoice.Best, Func<nn.Module<Tensor, Tensor>>? model = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        string weights = Directory.Exists(path) ? InFolder(path, choice) : path;
        try
        {
            TensorFile file = Safetensors.Read(weights);
            ModelCard card = ModelCard.Read(file.Metadata, weights);
            nn.Module<Tensor, Tensor> built = model?.Invoke() ?? AdderNetModels.Create(
                card.Recipe.Model, card.Recipe.Layers, card.ClassNames.Count, card.InputChannels, card.Recipe.WeightGradient);
            TrainedModel trained = new(built, card, weights);
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
        catch (Exception e) when (e is CheckpointException or ArgumentException)
        {
            throw new TrainingException(e.Message, e);
        }
    }

    /// <summary>Frees the model's memory.</summary>
    public void Dispose() => Model.Dispose();

    private static string InFolder(string path, CheckpointChoice choice)
    {
        CheckpointStore store = new(path);
        return store.Index is { } index
            ? store.Verified(choice == CheckpointChoice.Best ? index.BestWeights : index.Weights)
            : throw new TrainingException(
                $"The folder {path} holds no checkpoint{(RunFolder.HoldsRun(path) ? " yet: no epoch of its run is complete" : "")}.");
    }
}
