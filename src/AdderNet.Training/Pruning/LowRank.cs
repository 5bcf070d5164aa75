using AdderNet.Checkpoints;
using AdderNet.Graph;
using TorchSharp;
using static TorchSharp.torch;

namespace AdderNet.Training;

/// <summary>A layer that was replaced by two of a lower rank.</summary>
/// <param name="Layer">Its name.</param>
/// <param name="Full">The rank that it could have.</param>
/// <param name="Rank">The rank that it has.</param>
/// <param name="Energy">The share of the sum of squared singular values that is left, 0 to 1.</param>
/// <param name="Before">Weights that it had.</param>
/// <param name="After">Weights that both have.</param>
public sealed record LowRankLayer(string Layer, int Full, int Rank, double Energy, long Before, long After);

/// <summary>A network in which some layers are products of two.</summary>
/// <param name="Graph">The network.</param>
/// <param name="Layers">The layers that were replaced, in order.</param>
public sealed record LowRankNetwork(NetworkGraph Graph, IReadOnlyList<LowRankLayer> Layers);

/// <summary>
/// Puts two smaller layers in the place of a fully connected or an ordinary 1x1 layer, W = U S V: by the singular value decomposition, the
/// product nearest to W of all that have its rank. An adder layer has no such product, since distances to two filters do not add up to one.
/// </summary>
public static class LowRank
{
    /// <summary>Replaces the layers that have fewer weights so, each at the lowest rank that keeps a share of the energy.</summary>
    /// <param name="graph">A float32 network as it was trained.</param>
    /// <param name="energy">The share of the sum of squared singular values that is to be left, above 0 to 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">The energy is not above 0 and at most 1.</exception>
    public static LowRankNetwork ToEnergy(NetworkGraph graph, double energy)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(energy);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(energy, 1);
        return Run(graph, squares =>
        {
            double goal = energy * squares.Sum(), sum = 0;
            int rank = squares.TakeWhile(square => (sum += square) < goal * (1 - 1e-12)).Count() + 1;
            return Math.Min(rank, squares.Length);
        });
    }

    /// <summary>Replaces the layers that have fewer weights so, each at one rank.</summary>
    /// <param name="graph">A float32 network as it was trained.</param>
    /// <param name="rank">The rank, at least 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">The rank is below 1.</exception>
    public static LowRankNetwork ToRank(NetworkGraph graph, int rank)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(rank, 1);
        return Run(graph, squares => Math.Min(rank, squares.Length));
    }

    private static LowRankNetwork Run(NetworkGraph graph, Func<double[], int> choose)
    {
        ArgumentNullException.ThrowIfNull(graph);
        List<GraphNode> nodes = [];
        List<LowRankLayer> replaced = [];
        foreach (GraphNode node in graph.Nodes)
        {
            nodes.AddRange(node is LinearNode or ConvolutionNode { Groups: 1, Window: { KernelH: 1, KernelW: 1 } }
                && Replaced((LayerNode)node, choose) is { } pair && !graph.Nodes.Any(other => other.Name == pair.First.Name)
                    ? Both(pair)
                    : [node]);
        }

        return new LowRankNetwork(new NetworkGraph(nodes, graph.Outputs, graph.Metadata), replaced);

        GraphNode[] Both((LayerNode First, LayerNode Second, LowRankLayer Layer) pair)
        {
            replaced.Add(pair.Layer);
            return [pair.First, pair.Second];
        }
    }

    private static (LayerNode First, LayerNode Second, LowRankLayer Layer)? Replaced(LayerNode node, Func<double[], int> choose)
    {
        using var scope = NewDisposeScope();
        int outputs = (int)node.Weights.Shape[0], inputs = node.SumLength;
        Tensor weights = tensor(node.Weights.ToFloats(), [outputs, inputs], ScalarType.Float64);
        (Tensor u, Tensor s, Tensor v) = linalg.svd(weights, fullMatrices: false);
        double[] squares = [.. s.data<double>().Select(value => value * value)];
        int rank = choose(squares);
        long before = (long)outputs * inputs, after = (long)rank * (outputs + inputs);
        if (after >= before)
        {
            return null;
        }

        // Each half takes the root of the singular values, so that both have weights of one size, which trains best.
        Tensor root = s.narrow(0, 0, rank).sqrt();
        TensorData second = Floats(u.narrow(1, 0, rank) * root, outputs, rank), first = Floats(v.narrow(0, 0, rank) * root.unsqueeze(1), rank, inputs);
        string name = $"{node.Name}_rank{rank}";
        (LayerNode, LayerNode) pair = node switch
        {
            LinearNode layer => (
                layer with { Name = name, Weight = first, Bias = null, Epilogue = null, Inputs = [node.Inputs[0]], Shape = default },
                layer with { Weight = second, Inputs = [name, .. node.Inputs.Skip(1)] }),
            ConvolutionNode layer => (
                layer with { Name = name, Filters = Map(first), Bias = null, Epilogue = null, Inputs = [node.Inputs[0]], Shape = default },
                layer with { Filters = Map(second), Window = new WindowGeometry(1, 1), Inputs = [name, .. node.Inputs.Skip(1)] }),
            _ => throw new ArgumentException($"A {node.GetType().Name} is no product of two layers.", nameof(node)),
        };
        double energy = squares.Take(rank).Sum() / Math.Max(squares.Sum(), double.Epsilon);
        return (pair.Item1, pair.Item2, new LowRankLayer(node.Name, Math.Min(outputs, inputs), rank, energy, before, after));
    }

    private static TensorData Floats(Tensor tensor, params long[] shape) =>
        TensorData.FromFloats(tensor.to_type(ScalarType.Float32).contiguous().data<float>().ToArray(), shape);

    private static TensorData Map(TensorData matrix) => new(matrix.Dtype, [.. matrix.Shape, 1, 1], matrix.Data);
}
