using System.Numerics;
using AdderNet.Data;
using AdderNet.Models;
using AdderNet.Training;
using TorchSharp;
using static TorchSharp.torch;
using Module = TorchSharp.torch.nn.Module<TorchSharp.torch.Tensor, TorchSharp.torch.Tensor>;

namespace AdderNet.Reproduction;

/// <summary>LeNet++ with an embedding in the plane, as the picture of features needs it.</summary>
internal static class EmbeddingNetwork
{
    private const string Embedding = "embedding";

    /// <summary>
    /// LeNet++ whose last two layers, too, are of the network's kind: the embedding with a BatchNorm, and a classifier without bias. So the
    /// score of a class is minus the L1 distance from the embedding to the class's filter in the AdderNet, and their inner product in the CNN.
    /// </summary>
    /// <remarks>
    /// For its picture the paper replaces "the last fully connected layers" with adder filters; with a linear classifier the embedding of
    /// an AdderNet would fall into sectors, too. The BatchNorm keeps the points among the filters: away from all of them, differences of L1
    /// distances are the same everywhere and no gradient leads back. A bias would let the CNN put a class at the origin, which has no angle.
    /// </remarks>
    public static Module Create(LayerKind kind, int classes, int channels)
    {
        Module ordinary = AdderNetModels.Create("lenet++", kind, classes, channels);
        (string Name, nn.Module Layer)[] layers = [.. ordinary.named_children()];
        int shared = Array.FindIndex(layers, l => l.Name == "flatten");
        foreach (var (_, layer) in layers[shared..])
        {
            layer.Dispose();
        }

        return nn.Sequential(
        [
            .. layers[..shared].Select(l => (l.Name, (Module)l.Layer)),
            ("conv7", Last(128, 2, 4)), (Embedding, new SynchronizableBatchNorm(2)),
            ("fc", Last(2, classes, 1)), ("flatten", nn.Flatten()),
        ]);

        Module Last(long from, long to, long size) =>
            kind == LayerKind.Adder ? Layers.Adder2d(from, to, size) : nn.Conv2d(from, to, size, bias: false);
    }

    /// <summary>Loads a run or one of its weight files: of this network, which no recipe can name, or of the model that its recipe names.</summary>
    /// <param name="path">The folder or the file.</param>
    /// <param name="choice">Which checkpoint of a folder.</param>
    /// <exception cref="TrainingException">There is none, it is damaged, or it is of another model.</exception>
    public static TrainedModel Load(string path, CheckpointChoice choice) => TrainedModel.Load(path, choice, (recipe, classes, channels, tensors) =>
        tensors.ContainsKey($"{Embedding}.running_mean") ? Create(recipe.Layers, classes, channels) : null);

    /// <summary>The embeddings of images, [N] points, and their labels.</summary>
    /// <param name="model">Any module that has a submodule named <c>embedding</c> with two outputs an image; left in evaluation mode.</param>
    /// <param name="loader">The images, not shuffled.</param>
    /// <param name="batches">How many batches of them.</param>
    /// <param name="cancel">Stops after the batch in flight.</param>
    public static Embeddings Embed(Module model, DataLoader loader, int batches = int.MaxValue, CancellationToken cancel = default)
    {
        var layer = (Module)model.named_modules().First(m => m.name == Embedding).module;
        model.eval();
        using var guard = no_grad();
        List<float> coordinates = [];
        List<int> labels = [];
        using ForwardHook hook = new(layer, (_, y) => coordinates.AddRange(y.contiguous().data<float>().ToArray()));
        foreach (Batch batch in loader.Epoch(0, cancel).Take(batches))
        {
            using (batch)
            {
                using var scope = NewDisposeScope();
                model.call(batch.ImageTensor());
                labels.AddRange(batch.Labels.Select(l => (int)l));
            }
        }

        return new Embeddings([.. Enumerable.Range(0, labels.Count).Select(i => new Vector2(coordinates[2 * i], coordinates[2 * i + 1]))], [.. labels]);
    }
}
