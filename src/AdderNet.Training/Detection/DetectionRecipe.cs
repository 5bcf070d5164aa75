using System.Text.Json.Serialization;
using AdderNet.Models;

namespace AdderNet.Training.Detection;

/// <summary>What a recipe says of a detection beyond what all recipes say.</summary>
public sealed record DetectionRecipe
{
    /// <summary>How features of several sizes are brought together.</summary>
    public Neck Neck { get; init; }

    /// <summary>What the neck's layers are; null for the same as the backbone's.</summary>
    [JsonConverter(typeof(LayerKindConverter))]
    public LayerKind? NeckLayers { get; init; }

    /// <summary>What the layers of the head's towers are.</summary>
    [JsonConverter(typeof(LayerKindConverter))]
    public LayerKind HeadLayers { get; init; } = LayerKind.Conv;

    /// <summary>
    /// Whether the backbone's BatchNorms keep the statistics that they start with, as detectors of convolutions have it. The paper finds
    /// that AdderNets then do not converge.
    /// </summary>
    public bool FreezeBatchNorm { get; init; }

    /// <summary>A classification run, or a file of weights, from which the backbone starts; null for fresh weights.</summary>
    public string? Backbone { get; init; }

    internal DetectorOptions Options => new() { Neck = Neck, NeckLayers = NeckLayers, HeadLayers = HeadLayers };
}
