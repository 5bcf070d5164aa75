using System.Text.Json.Serialization;

namespace AdderNet.Models;

/// <summary>How a detector brings the features of its backbone together.</summary>
public enum Neck
{
    /// <summary>R-PAFPN of "An Empirical Study of Adder Neural Networks for Object Detection" (NeurIPS 2021): from fine to coarse maps first, then
    /// back, with a shortcut around each 3x3 layer.</summary>
    [JsonStringEnumMemberName("rpafpn")]
    RPafpn,

    /// <summary>The feature pyramid of FCOS: from coarse to fine maps.</summary>
    [JsonStringEnumMemberName("fpn")]
    Fpn,
}

/// <summary>What a detector is made of, beside its backbone.</summary>
public sealed record DetectorOptions
{
    /// <summary>The neck.</summary>
    public Neck Neck { get; init; }

    /// <summary>What the neck's layers are; null for the backbone's kind.</summary>
    public LayerKind? NeckLayers { get; init; }

    /// <summary>What the layers of the head's towers are; its last layers are always convolutions. The paper keeps convolutions: adder layers lose much here.</summary>
    public LayerKind HeadLayers { get; init; } = LayerKind.Conv;
}
