using AdderNet.Checkpoints;
using AdderNet.Kernels;

namespace AdderNet.Bench;

/// <summary>
/// Filters for single layers, since how many of their elements can be skipped decides the speed: a trained network's where there is one of the
/// layer's shape (the official code's ResNet-20, after MNIST), else drawn so that 58 % lie above 0, as in its ResNet-20 after CIFAR-10.
/// </summary>
internal static class LayerFilters
{
    private const int Period = 65_537;

    private static readonly Lazy<IReadOnlyList<TensorData>> Trained = new(() =>
        [.. PyTorchFile.Read(TrainedPath)
            .Where(t => t.Key.EndsWith("adder", StringComparison.Ordinal)).Select(t => t.Value)]);

    /// <summary>The file of a ResNet-20 that the official code has trained on MNIST.</summary>
    public static string TrainedPath => Path.Combine(AppContext.BaseDirectory, "resnet20_mnist_official.pt");

    /// <summary>A layer's filters, and what to call them in a table.</summary>
    public static (float[] Values, string Kind) Of(LayerCase c)
    {
        AdderShape s = c.Shape;
        TensorData? trained = Trained.Value.FirstOrDefault(t => t.Shape.SequenceEqual([s.O, s.C, s.KernelH, s.KernelW]));
        return trained is null ? (Draw(s.FiltersLength, 2, 4, 0.81), "drawn") : (trained.ToFloats(), "trained");
    }

    /// <summary>The layer as tables name it: how many filter elements inputs behind a ReLU leave to do something for, and whose filters they are.</summary>
    public static string Describe(LayerCase c)
    {
        var (values, kind) = Of(c);
        return $"{c} ({new PackedTaps(c.Shape, values, InputRange.AfterRelu).ShareLeft:P0} of taps left, {kind})";
    }

    /// <summary>Inputs as a ReLU leaves them.</summary>
    public static float[] Inputs(LayerCase c)
    {
        float[] x = Draw(c.Shape.XLength, 1, 1, 0);
        for (int i = 0; i < x.Length; i++)
        {
            x[i] = Math.Max(x[i], 0);
        }

        return x;
    }

    private static float[] Draw(int count, int seed, double deviation, double mean)
    {
        // Normal values take longer to draw than the layers take to compute: some tens of thousands, over and over, at a period that no shape has.
        var random = new Random(seed);
        float[] values = new float[count];
        for (int i = 0; i < count; i++)
        {
            values[i] = i >= Period ? values[i - Period]
                : (float)(mean + deviation * Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble()));
        }

        return values;
    }
}
