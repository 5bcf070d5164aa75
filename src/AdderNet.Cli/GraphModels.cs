using AdderNet.Data;
using AdderNet.Graph;
using AdderNet.Inference;
using AdderNet.Models;
using AdderNet.Training;
using TorchSharp;

namespace AdderNet.Cli;

/// <summary>Models as graphs with all that is needed to feed them, and back.</summary>
internal static class GraphModels
{
    /// <summary>The graph of a model for images of a size.</summary>
    /// <param name="model">The model.</param>
    /// <param name="height">Rows of an input, as prepared.</param>
    /// <param name="width">Columns of an input.</param>
    /// <param name="classNames">Names of the classes, where the model knows none.</param>
    /// <exception cref="CliException">The model is a graph, which is for images of another size.</exception>
    public static NetworkGraph ToGraph(this LoadedModel model, int height, int width, IReadOnlyList<string> classNames)
    {
        Augmentation preparation = model.Preparation;
        DatasetInfo data = Datasets.Find(model.Dataset);
        bool stored = data.Height > 0 && !model.FindsBoxes;
        FeatureShape input = new(model.Channels, height, width);
        if (model.Model is EngineModel { Graph: { } own })
        {
            return own.Inputs[0].Shape == input
                ? own
                : throw new CliException($"{model.Source} takes images of {own.Inputs[0].Shape}; those of {data.Title} are prepared as {input}.");
        }

        return model.Model.ToGraph(input, new NetworkMetadata(
            model.Name, data.Name, model.ClassNames.Count > 0 ? model.ClassNames : classNames,
            new InputPreparation(
                preparation.Mean, preparation.Std, stored ? data.Height : null, stored ? data.Width : null,
                preparation.Resize, preparation.Pad, preparation.CenterCrop, preparation.ScaleJitter?.Size),
            model.FindsBoxes ? new BoxDecoding(height, width, [.. model.Levels.Select(level => level.Stride)]) : null));
    }

    /// <summary>The network of a file that holds a graph, in the engine.</summary>
    /// <param name="path">The file.</param>
    /// <param name="dataset">The data set, where it isn't the one that the file names.</param>
    public static LoadedModel Load(string path, string? dataset)
    {
        NetworkGraph graph = GraphFiles.Read(path);
        if (graph.Inputs.Count != 1 || graph.Outputs.Count != 1 || graph.Inputs[0].Shape.IsVector)
        {
            throw new CliException(
                $"{path} holds a network of {graph.Inputs.Count} input(s) and {graph.Outputs.Count} output(s); only networks from one image to its scores "
                + "can be used here.");
        }

        NetworkMetadata metadata = graph.Metadata;
        string data = Datasets.Find(dataset ?? metadata.Dataset
            ?? throw CliException.Usage($"{path} does not say what it was trained on; say it with --data, for example --data cifar10.")).Name;
        Augmentation preparation = metadata.Preparation is { } p
            ? new Augmentation
            {
                Mean = p.Mean,
                Std = p.Std,
                Resize = p.Resize,
                Pad = p.Pad,
                CenterCrop = p.CenterCrop,
                ScaleJitter = p.Fit is { } side ? new ScaleJitter(side) : null,
            }
            : Augmentation.For(data, train: false);
#pragma warning disable CA2000 // The model owns the engine, and the caller the model.
        Engine engine = new(graph, torch.get_num_threads());
        LoadedModel model = new(
            new EngineModel(engine), metadata.Model ?? Path.GetFileNameWithoutExtension(path), Kind(graph), data, preparation, metadata.ClassNames ?? [],
            engine.InputShape.Channels, path);
        // On which map an object of which size is to be found matters in training alone.
        return metadata.Boxes is { } boxes
            ? model with { Levels = [.. boxes.Strides.Select(stride => new DetectionLevel(stride, 0, double.PositiveInfinity))] }
            : model;
#pragma warning restore CA2000
    }

    /// <summary>What the inner layers of a network are.</summary>
    public static LayerKind Kind(NetworkGraph graph) =>
        graph.Nodes.Any(node => node is AdderNode or QuantizedAdderNode) ? LayerKind.Adder
        : graph.Nodes.OfType<BinaryConvolutionNode>().FirstOrDefault() is not { } binary ? LayerKind.Conv
        : binary.Rule == BinarizationRule.XnorNet ? LayerKind.Binary : LayerKind.DoReFa;
}
