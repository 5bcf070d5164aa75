using AdderNet.Models;

namespace AdderNet.Cli.Reproduce;

/// <summary>What one picture costs a version of a model.</summary>
/// <param name="Model">The model.</param>
/// <param name="Layers">The version.</param>
/// <param name="Operations">All of its layers.</param>
/// <param name="Ordinary">Those that are ordinary in every version: the first convolution, the classifier and what embeds for it.</param>
internal sealed record NetworkCost(ModelInfo Model, LayerKind Layers, ModelSummary Operations, IReadOnlyList<LayerSummary> Ordinary)
{
    /// <summary>The versions of a model that the paper compares.</summary>
    public static IReadOnlyList<NetworkCost> Of(ModelInfo model)
    {
        // Those that multiply in the AdderNet are no adder layers.
        HashSet<string> ordinary = [.. ModelSummary.Of(model.Name).Layers.Where(l => l.Multiplications > 0).Select(l => l.Name)];
        return [.. ((LayerKind[])[LayerKind.Adder, LayerKind.Conv, LayerKind.Binary]).Select(kind =>
        {
            ModelSummary operations = ModelSummary.Of(model.Name, kind);
            return new NetworkCost(model, kind, operations, [.. operations.Layers.Where(l => ordinary.Contains(l.Name))]);
        })];
    }

    /// <summary>Energy a picture, in microjoules.</summary>
    public double Microjoules(OperationEnergy energy) => energy.Of(Operations.Layers) / 1e6;

    /// <summary>The part of it that the ordinary layers take, from 0 to 1.</summary>
    public double OrdinaryShare(OperationEnergy energy) => energy.Of(Ordinary) / energy.Of(Operations.Layers);
}
