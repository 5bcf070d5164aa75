using AdderNet.Checkpoints;
using AdderNet.Data;
using AdderNet.Graph;
using AdderNet.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace AdderNet.Training;

/// <summary>What a recipe says of the trained convolutional network that its AdderNet starts from (see <see cref="CnnConversion"/>).</summary>
/// <param name="Cnn">A run's folder, whose best epoch is taken, a file of weights (.pth, .safetensors), or a graph (.onnx, .safetensors).</param>
public sealed record CnnStart(string Cnn)
{
    /// <summary>The standard deviation of each adder layer's filters around the medians of its inputs.</summary>
    public double Sigma { get; init; } = 2;

    /// <summary>Training batches over which these medians are measured, in the CNN.</summary>
    public int Batches { get; init; } = 4;

    /// <summary>The recipe that trained a CNN.</summary>
    /// <param name="path">A run's folder, a file of weights or a graph.</param>
    /// <returns>Null where it does not say.</returns>
    /// <exception cref="TrainingException">It can't be read.</exception>
    public static Recipe? RecipeOf(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        // Of files safetensors alone can say; the others need not be read for it.
        if (!Directory.Exists(path) && FileKinds.Of(path) != FileKind.Safetensors)
        {
            return null;
        }

        try
        {
            return TrainedModel.ReadRecipe(path);
        }
        catch (TrainingException e) when (e.Problem == TrainingProblem.UnknownModel)
        {
            return null;
        }
    }

    /// <summary>Gives a model, fresh as the recipe makes it, the weights to start with.</summary>
    /// <param name="model">The AdderNet.</param>
    /// <param name="name">The model's name.</param>
    /// <param name="train">The training images, as the model will see them.</param>
    /// <exception cref="TrainingException">There is no CNN of this shape at the path.</exception>
    /// <exception cref="DataException">An image can't be read.</exception>
    internal void Apply(nn.Module<Tensor, Tensor> model, string name, DataLoader train)
    {
        try
        {
            using nn.Module<Tensor, Tensor> cnn = Load(name, train);
            CnnConversion.Convert(cnn, model, Images(train), Sigma);
        }
        catch (Exception e) when (e is CheckpointException or GraphException or TrainingException)
        {
            throw new TrainingException($"{AdderNetModels.Find(name).Title} cannot start from {Cnn}: {e.Message}", e);
        }
    }

    private nn.Module<Tensor, Tensor> Load(string name, DataLoader train)
    {
        if (!Directory.Exists(Cnn))
        {
            return GraphFiles.IsGraph(Cnn) ? OfGraph(name, train) : AdderNetModels.Load(Cnn, name);
        }

        TrainedModel trained = TrainedModel.Load(Cnn);
        if (string.Equals(trained.Recipe.Model, name, StringComparison.OrdinalIgnoreCase))
        {
            return trained.Model;
        }

        trained.Dispose();
        throw new TrainingException($"It is a run of the model {trained.Recipe.Model}.");
    }

    private nn.Module<Tensor, Tensor> OfGraph(string name, DataLoader train)
    {
        NetworkGraph graph = GraphFiles.Read(Cnn);
        FeatureShape image = new(train.Channels, train.Height, train.Width);
        return graph is { Inputs: [InputNode input], Outputs.Count: 1 } && input.Shape == image
            ? CnnOfGraph.Create(graph, name, Images(train))
            : throw new CheckpointException($"It is no network from an image of {image} to its scores.");
    }

    private IEnumerable<Tensor> Images(DataLoader train)
    {
        foreach (Batch batch in train.Epoch(1).Take(Batches))
        {
            using (batch)
            {
                using var scope = NewDisposeScope();
                yield return batch.ImageTensor();
            }

            BatchTensors.ReleaseLeftovers();
        }
    }
}
