using AdderNet.Models;

namespace AdderNet.Reproduction;

/// <summary>What one image costs a version of a model.</summary>
/// <param name="Model">The model.</param>
/// <param name="Layers">The version.</param>
/// <param name="Operations">All of its layers.</param>
/// <param name="Ordinary">Those that are ordinary in every version: the first convolution, the classifier and what embeds for it.</param>
internal sealed record NetworkCost(ModelInfo Model, LayerKind Layers, ModelSummary Operations, IReadOnlyList<LayerSummary> Ordinary)
{
    /// <summary>The versions of a model that the paper compares.</summary>
    public static IReadOnlyList<NetworkCost> Of(ModelInfo model)
    {
        var versions = ((LayerKind[])[LayerKind.Adder, LayerKind.Conv, LayerKind.Binary]).Select(kind => (Kind: kind, Operations: ModelSummary.Of(model.Name, kind))).ToArray();
        // Those that multiply in the AdderNet are no adder layers.
        HashSet<string> ordinary = [.. versions[0].Operations.Layers.Where(l => l.Multiplications > 0).Select(l => l.Name)];
        return [.. versions.Select(v => new NetworkCost(model, v.Kind, v.Operations, [.. v.Operations.Layers.Where(l => ordinary.Contains(l.Name))]))];
    }

    /// <summary>Energy for an image, in microjoules.</summary>
    public double Microjoules(OperationEnergy energy) => energy.Of(Operations.Layers) / 1e6;

    /// <summary>The part of it that the ordinary layers take, from 0 to 1.</summary>
    public double OrdinaryShare(OperationEnergy energy) => energy.Of(Ordinary) / energy.Of(Operations.Layers);
}
