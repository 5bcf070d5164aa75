using AdderNet.Checkpoints;
using AdderNet.Data;
using AdderNet.Models;
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
    /// <summary>The model of a run folder, or of one of the weight files it writes.</summary>
    public static LoadedModel OfRun(string path, CheckpointChoice choice)
    {
        TrainedModel trained = TrainedModel.Load(path, choice);
        Recipe recipe = trained.Recipe;
        return new LoadedModel(
            trained.Model, recipe.Model, recipe.Layers, recipe.Dataset, trained.Preparation, trained.ClassNames, trained.InputChannels, trained.WeightsPath);
    }

    /// <summary>A model of ours with the weights of a .pth or .safetensors file; classes and channels are the file's.</summary>
    public static LoadedModel OfWeights(string path, string modelName, LayerKind layers, string dataset)
    {
        ModelInfo info = Names.Model(modelName);
        DatasetInfo data = Datasets.Find(dataset);
        OrderedDictionary<string, TensorData> tensors = CheckpointFiles.ReadStateDict(path).Tensors;
        int channels = Size("conv1.weight", 1) ?? info.InputChannels;
        nn.Module<Tensor, Tensor> model = AdderNetModels.Create(info.Name, layers, Size("fc.weight", 0) ?? info.Classes, channels);
        StateDict.LoadInto(model, tensors, path);
        model.eval();
        return new LoadedModel(model, info.Name, layers, data.Name, Augmentation.For(data.Name, train: false), data.ClassNames, channels, path);

        int? Size(string name, int dimension) => tensors.TryGetValue(name, out TensorData? t) && t.Shape.Length > dimension ? (int)t.Shape[dimension] : null;
    }

    /// <summary>How people call it.</summary>
    public string Title => $"{(Layers == LayerKind.Adder ? "AdderNet" : "CNN")} {Names.Model(Name).Title}";

    /// <inheritdoc/>
    public void Dispose() => Model.Dispose();
}
