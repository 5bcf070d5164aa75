namespace AdderNet.Models;

/// <summary>What the inner layers of a model are made of. The first convolution and the classifier are ordinary in every version.</summary>
public enum LayerKind
{
    /// <summary>Adder layers: AdderNet.</summary>
    Adder,

    /// <summary>Ordinary convolutions: the CNN that the paper compares with.</summary>
    Conv,

    /// <summary>Convolutions of signs, as in XNOR-Net: the binary network (BNN) that the paper compares with.</summary>
    Binary,

    /// <summary>Convolutions of one-bit weights and one-bit activations, as in DoReFa-Net.</summary>
    DoReFa,
}
