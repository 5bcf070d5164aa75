using AdderNet.Graph;
using AdderNet.Inference;

namespace AdderNet.Export.Tests;

/// <summary>Networks of colour images of 8 x 8 pixels, cut out of the middle of what padding has made of stored images.</summary>
internal static class CroppedNetworks
{
    private const int Side = 8;

    /// <summary>Rows of the stored images, and the padding: a border as large as the padding, smaller, none; a picture that is cut; a border
    /// that is larger, as a crop beyond the image adds black.</summary>
    public static TheoryData<int, int> Preparations => new() { { 4, 2 }, { 6, 3 }, { 8, 4 }, { 12, 1 }, { 4, 1 } };

    /// <summary>A quantized ResNet-20.</summary>
    public static NetworkGraph Quantized(int stored, int pad)
    {
        NetworkGraph graph = Networks.ResNet20(Side);
        graph = graph.With(graph.Metadata with { Preparation = new InputPreparation([0], [1], stored, stored, Pad: pad, CenterCrop: Side) });
        return Quantizer.Quantize(graph, Graphs.Values(new Random(1), 8 * Side * Side * 3), 7).Graph;
    }

    /// <summary>A stored picture, padded, and the middle of that: pixels with the channels of each together.</summary>
    public static byte[] Prepared(byte[] picture, int stored, int pad)
    {
        int padded = stored + 2 * pad, first = (padded - Side) / 2;
        byte[] prepared = new byte[Side * Side * 3];
        for (int i = 0; i < prepared.Length; i++)
        {
            int row = i / 3 / Side + first - pad, column = i / 3 % Side + first - pad;
            if (row >= 0 && row < stored && column >= 0 && column < stored)
            {
                prepared[i] = picture[(row * stored + column) * 3 + i % 3];
            }
        }

        return prepared;
    }
}
