using AdderNet.Checkpoints;

namespace AdderNet.Graph;

/// <summary>A frequency of a filter's rows and columns: half waves that fit into it.</summary>
/// <param name="Rows">Half waves from the first row to the last.</param>
/// <param name="Columns">Half waves from the first column to the last.</param>
public readonly record struct Frequency(int Rows, int Columns);

/// <summary>A convolution that was replaced by the frequencies of its filters.</summary>
/// <param name="Layer">Its name.</param>
/// <param name="Full">The frequencies that its filters had.</param>
/// <param name="Kept">Those that they have, the strongest first.</param>
/// <param name="Energy">The share of the sum of squared weights that is left, 0 to 1.</param>
/// <param name="Before">Weights that it had; times the pixels of its output, its multiplications.</param>
/// <param name="After">Weights of the two layers in its place, and likewise.</param>
public sealed record FrequencyLayer(string Layer, int Full, IReadOnlyList<Frequency> Kept, double Energy, long Before, long After);

/// <summary>A network some of whose convolutions have lost frequencies.</summary>
/// <param name="Graph">The network.</param>
/// <param name="Layers">The layers that were replaced, in order.</param>
public sealed record FrequencyNetwork(NetworkGraph Graph, IReadOnlyList<FrequencyLayer> Layers);

/// <summary>
/// Takes whole frequencies out of ordinary convolutions. By the two-dimensional discrete cosine transform (DCT-II, orthonormal) each kh x kw
/// kernel is a sum of kh kw waves. Where only r of them are left, the same r in all kernels of a layer, the convolution is two: each channel is
/// filtered with the r waves, and a 1x1 convolution weights what they give. That takes C r (kh kw + O) multiplications a pixel for C O kh kw.
/// </summary>
/// <remarks>
/// Convolving with the waves and then weighting follows Wang, Xu, You, Tao and Xu, "CNNpack" (NIPS 2016), which drops single coefficients; here
/// whole frequencies go, so that what is left is a smaller network for any program. An adder layer has no such sum: an L1 distance changes
/// when what it compares is transformed, and distances to waves do not add up to the distance to their sum.
/// </remarks>
public static class FrequencyPruning
{
    /// <summary>Replaces the layers that get cheaper so, each with the fewest frequencies that keep a share of the energy.</summary>
    /// <param name="graph">A float32 network as it was trained.</param>
    /// <param name="energy">The share of the sum of squared weights that is to be left, above 0 to 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">The energy is not above 0 and at most 1.</exception>
    /// <exception cref="GraphException">The network has no ordinary convolution larger than 1x1.</exception>
    public static FrequencyNetwork ToEnergy(NetworkGraph graph, double energy)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(energy);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(energy, 1);
        return Run(graph, energies =>
        {
            double goal = energy * energies.Sum() * (1 - 1e-12), sum = 0;
            return Math.Min(energies.TakeWhile(part => (sum += part) < goal).Count() + 1, energies.Length);
        });
    }

    /// <summary>Replaces the layers that get cheaper so, each with one number of frequencies, the strongest.</summary>
    /// <param name="graph">A float32 network as it was trained.</param>
    /// <param name="count">The frequencies, at least 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">The count is below 1.</exception>
    /// <exception cref="GraphException">The network has no ordinary convolution larger than 1x1.</exception>
    public static FrequencyNetwork ToCount(NetworkGraph graph, int count)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        return Run(graph, energies => Math.Min(count, energies.Length));
    }

    private static FrequencyNetwork Run(NetworkGraph graph, Func<double[], int> choose)
    {
        ArgumentNullException.ThrowIfNull(graph);
        if (!graph.Nodes.Any(HasFrequencies))
        {
            throw new GraphException(
                "The network has no ordinary convolution larger than 1x1, whose filters have frequencies. Adder layers have none to take out: an L1 distance is not kept by a transform.");
        }

        List<GraphNode> nodes = [];
        List<FrequencyLayer> replaced = [];
        foreach (GraphNode node in graph.Nodes)
        {
            if (HasFrequencies(node) && Replaced(graph, (ConvolutionNode)node, choose) is { } pair)
            {
                nodes.AddRange(pair.Waves, pair.Sums);
                replaced.Add(pair.Layer);
            }
            else
            {
                nodes.Add(node);
            }
        }

        return new FrequencyNetwork(new NetworkGraph(nodes, graph.Outputs, graph.Metadata), replaced);
    }

    /// <summary>Whether a node is an ordinary convolution larger than 1x1.</summary>
    /// <param name="node">The node.</param>
    public static bool HasFrequencies(GraphNode node) => node is ConvolutionNode { Groups: 1, Window: not { KernelH: 1, KernelW: 1 } };

    private static (ConvolutionNode Waves, ConvolutionNode Sums, FrequencyLayer Layer)? Replaced(
        NetworkGraph graph, ConvolutionNode layer, Func<double[], int> choose)
    {
        int outputs = (int)layer.Filters.Shape[0], channels = (int)layer.Filters.Shape[1];
        (int kh, int kw) = (layer.Window.KernelH, layer.Window.KernelW);
        int taps = kh * kw;
        float[] filters = layer.Filters.ToFloats();
        (Frequency Frequency, double[] Coefficients, double Energy)[] waves =
        [
            .. from rows in Enumerable.Range(0, kh)
               from columns in Enumerable.Range(0, kw)
               let coefficients = Coefficients(filters, Wave(rows, columns, kh, kw))
               let energy = coefficients.Sum(c => c * c)
               orderby energy descending
               select (new Frequency(rows, columns), coefficients, energy),
        ];
        int left = choose([.. waves.Select(wave => wave.Energy)]);
        long before = (long)outputs * channels * taps, after = (long)left * channels * (taps + outputs);
        string name = $"{layer.Name}_dct{left}";
        if (after >= before || graph.Nodes.Any(other => other.Name == name))
        {
            return null;
        }

        // Channel c's waves lie beside each other: outputs c * left to c * left + left - 1 of the first layer.
        float[] bases = [.. waves.Take(left).SelectMany(wave => Wave(wave.Frequency.Rows, wave.Frequency.Columns, kh, kw)).Select(v => (float)v)];
        float[] first = [.. Enumerable.Repeat(bases, channels).SelectMany(values => values)], second = new float[outputs * channels * left];
        for (int i = 0; i < second.Length; i++)
        {
            second[i] = (float)waves[i % left].Coefficients[i / left];
        }

        double sum = waves.Sum(wave => wave.Energy);
        return (
            layer with
            {
                Name = name,
                Filters = TensorData.FromFloats(first, channels * left, 1, kh, kw),
                Groups = channels,
                Bias = null,
                Epilogue = null,
                Inputs = [layer.Inputs[0]],
                Shape = default,
            },
            layer with
            {
                Filters = TensorData.FromFloats(second, outputs, channels * left, 1, 1),
                Window = new WindowGeometry(1, 1),
                Inputs = [name, .. layer.Inputs.Skip(1)],
            },
            new FrequencyLayer(
                layer.Name, taps, [.. waves.Take(left).Select(wave => wave.Frequency)],
                sum == 0 ? 1 : waves.Take(left).Sum(wave => wave.Energy) / sum, before, after));
    }

    /// <summary>How much of a wave is in each kernel.</summary>
    private static double[] Coefficients(float[] filters, double[] wave)
    {
        double[] coefficients = new double[filters.Length / wave.Length];
        for (int i = 0; i < filters.Length; i++)
        {
            coefficients[i / wave.Length] += filters[i] * wave[i % wave.Length];
        }

        return coefficients;
    }

    private static double[] Wave(int rows, int columns, int kh, int kw) =>
        [.. from i in Enumerable.Range(0, kh) from j in Enumerable.Range(0, kw) select Cosine(rows, i, kh) * Cosine(columns, j, kw)];

    private static double Cosine(int frequency, int at, int size) =>
        Math.Sqrt((frequency == 0 ? 1.0 : 2.0) / size) * Math.Cos(Math.PI * (at + 0.5) * frequency / size);
}
