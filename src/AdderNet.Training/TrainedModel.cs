using TorchSharp;
using static TorchSharp.torch;

namespace AdderNet.Training;

/// <summary>Which of a run's checkpoints.</summary>
public enum CheckpointChoice
{
    /// <summary>The epoch with the best test accuracy.</summary>
    Best,

    /// <summary>The last completed epoch.</summary>
    Last,
}

/// <summary>A model as a run saved it, with all that is needed to use it.</summary>
public sealed class TrainedModel : IDisposable
{
    /// <summary>Loads from a run folder or from one of the weight files (.safetensors) a run writes, which are self-contained.</summary>
    /// <param name="path">The folder or the file.</param>
    /// <param name="choice">Which checkpoint of a folder.</param>
    /// <exception cref="TrainingException">There is none, or it is damaged.</exception>
    public static TrainedModel Load(string path, CheckpointChoice choice = CheckpointChoice.Best) => throw new NotImplementedException();

    /// <summary>The model, in evaluation mode.</summary>
    public nn.Module<Tensor, Tensor> Model => throw new NotImplementedException();

    /// <summary>How it was trained.</summary>
    public Recipe Recipe => throw new NotImplementedException();

    /// <summary>What it reached; its test accuracy is among it.</summary>
    public EpochMetrics Metrics => throw new NotImplementedException();

    /// <summary>The classes' names, in the order of the model's outputs.</summary>
    public IReadOnlyList<string> ClassNames => throw new NotImplementedException();

    /// <summary>The file of its weights.</summary>
    public string WeightsPath => throw new NotImplementedException();

    /// <summary>Frees the model's memory.</summary>
    public void Dispose() => throw new NotImplementedException();
}
