using AdderNet.Checkpoints;
using AdderNet.Kernels;

namespace AdderNet.Inference.Steps;

/// <summary>Convolutions' weights as kernels read them, once for all layers that share them.</summary>
internal sealed class PackedWeights
{
    private readonly Dictionary<(TensorData Filters, int Groups), PackedConvolution> known = [];

    /// <summary>A layer's weights, and the bytes that they take beside those of the layers before it.</summary>
    /// <param name="filters">The weights; tensors are one where they are the same object.</param>
    /// <param name="shape">The layer's sizes.</param>
    public (PackedConvolution Packed, long Bytes) Of(TensorData filters, AdderShape shape)
    {
        if (known.TryGetValue((filters, shape.Groups), out PackedConvolution? packed))
        {
            return (packed, 0);
        }

        known[(filters, shape.Groups)] = packed = new PackedConvolution(shape, filters.ToFloats());
        return (packed, packed.Bytes);
    }
}
