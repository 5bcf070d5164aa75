using AdderNet.Checkpoints;
using AdderNet.Graph;

namespace AdderNet.Native.Tests;

/// <summary>A small network in a file, and images for it.</summary>
internal static class Models
{
    public static readonly string[] ClassNames = ["cat", "dög", "bird"];

    /// <summary>A network for RGB images of 12x12, which are padded from 8x8.</summary>
    public static NetworkGraph Small(InputPreparation? preparation = null)
    {
        Random random = new(3);
        return new NetworkGraph(
            [
                InputNode.Of("image", new FeatureShape(3, 12, 12)),
                Graphs.Convolution(random, "stem", "image", 3, 16, kernel: 3, padding: 1),
                Graphs.Norm(random, "stem.bn", "stem", 16),
                new ReluNode { Name = "relu", Inputs = ["stem.bn"] },
                Graphs.Adder(random, "adder", "relu", 16, 16, kernel: 3, padding: 1),
                Graphs.Norm(random, "adder.bn", "adder", 16),
                new GlobalAveragePoolNode { Name = "pool", Inputs = ["adder.bn"] },
                new FlattenNode { Name = "flatten", Inputs = ["pool"] },
                // Small, so that no class is certain.
                new LinearNode
                {
                    Name = "fc", Inputs = ["flatten"], Weight = TensorData.FromFloats([.. Graphs.Values(random, 48).Select(v => v / 500)], 3, 16),
                },
            ],
            [new GraphOutput("scores", "fc")],
            new NetworkMetadata("small", "noise", ClassNames, preparation));
    }

    public static InputPreparation Padded { get; } = new([.5f, .4f, .3f], [.25f], CoverHeight: 8, CoverWidth: 8, Pad: 2);

    public static float[] Image(int count, int seed = 1)
    {
        Random random = new(seed);
        return [.. Enumerable.Range(0, count).Select(_ => random.NextSingle() * 2 - 1)];
    }

    public static byte[] Bytes(int count, int seed = 1)
    {
        byte[] bytes = new byte[count];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    /// <summary>The bytes of a PPM image, [height, width, 3].</summary>
    public static byte[] Ppm(int height, int width, byte[] pixels) =>
        [.. System.Text.Encoding.ASCII.GetBytes($"P6\n# noise\n{width} {height}\n255\n"), .. pixels];
}
