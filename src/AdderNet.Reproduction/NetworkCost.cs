using AdderNet.Graph;
using AdderNet.Models;
using AdderNet.Training;

namespace AdderNet.Reproduction;

/// <summary>What one picture costs a version of a model.</summary>
/// <param name="Model">The model.</param>
/// <param name="Layers">The version.</param>
/// <param name="Nodes">All of its layers.</param>
/// <param name="Ordinary">Those that are ordinary in every version: the first convolution, the classifier and what embeds for it.</param>
internal sealed record NetworkCost(ModelInfo Model, LayerKind Layers, IReadOnlyList<GraphNode> Nodes, IReadOnlyList<GraphNode> Ordinary)
{
    /// <summary>The operations of a trained AdderNet's layers with taps that need no work not counted; null where no run is at hand.</summary>
    public OperationCounts? Left { get; init; }

    /// <summary>The run that <see cref="Left"/> is of.</summary>
    public string? Run { get; init; }

    /// <summary>The versions of a model that the paper compares.</summary>
    public static IReadOnlyList<NetworkCost> Of(ModelInfo model)
    {
        var versions = ((LayerKind[])[LayerKind.Adder, LayerKind.Conv, LayerKind.Binary])
            .Select(kind => (Kind: kind, AdderNetModels.Graph(model.Name, kind).Nodes)).ToArray();
        // Those that multiply in the AdderNet are no adder layers.
        HashSet<string> ordinary = [.. versions[0].Nodes.Where(n => OperationCounts.Of(n).Multiplications > 0).Select(n => n.Name)];
        return [.. versions.Select(v => new NetworkCost(model, v.Kind, v.Nodes, [.. v.Nodes.Where(n => ordinary.Contains(n.Name))]))];
    }

    /// <summary>The operations of all layers.</summary>
    public OperationCounts Operations => OperationCounts.Of(Nodes);

    /// <summary>Energy a picture, in microjoules.</summary>
    public double Microjoules(OperationEnergy energy) => energy.Microjoules(Operations);

    /// <summary>The part of it that the ordinary layers take, from 0 to 1.</summary>
    public double OrdinaryShare(OperationEnergy energy) => energy.Of(OperationCounts.Of(Ordinary)) / energy.Of(Operations);

    /// <summary>The same with what is left in a trained run, where there is one of this version.</summary>
    /// <param name="store">The runs at hand.</param>
    public NetworkCost WithRun(RunStore store)
    {
        if (Layers != LayerKind.Adder)
        {
            return this;
        }

        foreach ((string run, TrainedModel trained) in store.TrainedSiblings())
        {
            if ((trained.Recipe.Model, trained.Recipe.Layers) == (Model.Name, Layers)
                && (trained.InputChannels, trained.ClassNames.Count) == (Model.InputChannels, Model.Classes))
            {
                NetworkGraph graph = trained.Model.ToGraph(new FeatureShape(Model.InputChannels, Model.InputSize, Model.InputSize));
                return this with { Left = new TapWork(graph).Operations, Run = run };
            }
        }

        return this;
    }
}
