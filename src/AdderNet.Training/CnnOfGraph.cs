using AdderNet.Checkpoints;
using AdderNet.Graph;
using AdderNet.Inference;
using AdderNet.Models;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace AdderNet.Training;

/// <summary>
/// Makes one of our CNNs of a convolutional network's graph, such as an ONNX file has, whatever its layers are called: they are found by order
/// and shape. Where a BatchNorm has been folded into its convolution, it is unfolded again.
/// </summary>
/// <remarks>
/// A layer of the graph gives a W x + b, channel by channel, with a = 1 where BatchNorm was folded. Any mean m and variance v make a BatchNorm of
/// it, (W x - m) / sqrt(v) with weight a sqrt(v) and bias b + a m; those of W x over training images are what training would have left, and
/// tell the size of the channel's outputs.
/// </remarks>
internal static class CnnOfGraph
{
    /// <summary>A layer of the graph: weights with the factor and the summand of each channel.</summary>
    private sealed record Found(LayerNode Node, float[] Factors, float[] Summands, bool Folded);

    /// <summary>A layer of our model.</summary>
    /// <param name="Node">The layer.</param>
    /// <param name="Norm">The name of the BatchNorm behind it; null for none.</param>
    private sealed record Place(LayerNode Node, string? Norm);

    /// <summary>Makes the CNN.</summary>
    /// <param name="graph">The network.</param>
    /// <param name="name">The model's name.</param>
    /// <param name="images">Batches of training images [N, C, H, W], as the network sees them.</param>
    /// <returns>The CNN in evaluation mode. It gives what the graph gives.</returns>
    /// <exception cref="CheckpointException">The graph is not one of such a model.</exception>
    public static nn.Module<Tensor, Tensor> Create(NetworkGraph graph, string name, IEnumerable<Tensor> images)
    {
        ModelInfo info = AdderNetModels.Find(name);
        Found[] layers = [.. Layers(graph)];
        if (layers.Length == 0)
        {
            throw new CheckpointException("It has no convolution.");
        }

        nn.Module<Tensor, Tensor> cnn = AdderNetModels.Create(name, LayerKind.Conv, (int)layers[^1].Node.Weights.Shape[0], graph.Inputs[0].Shape.Channels);
        try
        {
            using var guard = no_grad();
            cnn.eval();
            (Place Place, Found Found)[] pairs = [.. Pairs(Places(cnn, graph.Inputs[0].Shape, info.Title), layers, info.Title)];
            StateDict.LoadInto(cnn, Weights(cnn, pairs), source: "It");
            Normalize(cnn, graph, [.. pairs.Where(p => p.Place.Norm is not null)], images, info.Title);
            return cnn;
        }
        catch
        {
            cnn.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Makes the weights of all channels of one size, which BatchNorm makes up for: folding has multiplied each by a factor that is lost, and
    /// filters that have learned in front of a BatchNorm differ little in size.
    /// </summary>
    private static void Unscale(Tensor weight, BatchNorm norm)
    {
        using var scope = NewDisposeScope();
        Tensor size = weight.flatten(1).Squared().mean([1L]).sqrt().AtLeast(1e-12f), ratio = size / size.mean();
        weight.div_(ratio.view([-1, .. Enumerable.Repeat(1L, (int)weight.dim() - 1)]));
        norm.running_mean!.div_(ratio);
        // As exact as it can be with an epsilon beside the variance.
        norm.running_var!.Add(norm.eps).div_(ratio.Squared()).Add(-norm.eps).Clamp(0, float.PositiveInfinity);
    }

    private static IEnumerable<Found> Layers(NetworkGraph graph)
    {
        ILookup<string, GraphNode> readers = graph.Nodes.SelectMany(node => node.Inputs.Select(input => (input, node))).ToLookup(r => r.input, r => r.node);
        foreach (LayerNode layer in graph.Nodes.OfType<LayerNode>())
        {
            if (layer is not (ConvolutionNode or LinearNode))
            {
                throw new CheckpointException($"Its layer '{layer.Name}' is no ordinary convolution.");
            }

            int channels = (int)layer.Weights.Shape[0];
            float[] factors = [.. Enumerable.Repeat(1f, channels)], summands = layer.Bias?.ToFloats() ?? new float[channels];
            bool folded = true;
            if (layer.Epilogue is { } done)
            {
                Then(done);
            }

            for (string last = layer.Name; readers[last].ToArray() is [BatchNormNode norm]; last = norm.Name)
            {
                Then(norm.ToEpilogue());
            }

            yield return new Found(layer, factors, summands, folded);

            void Then(Epilogue affine)
            {
                float[]? mean = affine.Mean?.ToFloats(), scale = affine.Scale?.ToFloats(), shift = affine.Shift?.ToFloats();
                for (int c = 0; c < channels; c++)
                {
                    summands[c] = (summands[c] - (mean?[c] ?? 0)) * (scale?[c] ?? 1) + (shift?[c] ?? 0);
                    factors[c] *= scale?[c] ?? 1;
                }

                folded &= scale is null;
            }
        }
    }

    private static Place[] Places(nn.Module<Tensor, Tensor> cnn, FeatureShape image, string title)
    {
        try
        {
            NetworkGraph own = cnn.ToGraph(image);
            return [.. own.Nodes.OfType<LayerNode>().Select(layer => new Place(
                layer, own.Nodes.OfType<BatchNormNode>().FirstOrDefault(norm => norm.Inputs[0] == layer.Name)?.Name))];
        }
        catch (GraphException e)
        {
            throw new CheckpointException($"Its images of {image} are none for {title}: {e.Message}", e);
        }
    }

    private static IEnumerable<(Place, Found)> Pairs(Place[] places, Found[] layers, string title)
    {
        List<Found> left = [.. layers];
        foreach (Place place in places)
        {
            Found found = left.FirstOrDefault(f => Fits(f.Node, place.Node)) ?? throw new CheckpointException(
                $"It has no layer for '{place.Node.Name}' of {title}, with weights of {place.Node.Weights.ShapeText}"
                + $"{(place.Node is FilterNode { Window.StrideH: > 1 } filter ? $" and a stride of {filter.Window.StrideH}" : "")}"
                + $"{(left.Count == 0 ? "" : $", among those that are left: {Listed(left)}")}.");
            left.Remove(found);
            yield return (place, found);
        }

        if (left.Count > 0)
        {
            throw new CheckpointException($"It has more layers than {title}: {Listed(left)}.");
        }

        static string Listed(List<Found> left) =>
            string.Join(", ", left.Take(3).Select(f => $"{CheckpointText.Shown(f.Node.Name)} {f.Node.Weights.ShapeText}")) + (left.Count > 3 ? $" and {left.Count - 3} more" : "");
    }

    /// <summary>Whether two layers are of the same shape; a fully connected one is a window as large as its input.</summary>
    private static bool Fits(LayerNode found, LayerNode place) =>
        found.Weights.Shape[0] == place.Weights.Shape[0] && found.SumLength == place.SumLength
        && (found is not FilterNode theirs || place is not FilterNode ours
            || (theirs.Window, theirs.Groups) == (ours.Window, ours.Groups) && theirs.Filters.Shape.SequenceEqual(ours.Filters.Shape));

    /// <summary>The model's state with the graph's weights: BatchNorms as the graph's factors and summands, of mean 0 and variance 1.</summary>
    private static Dictionary<string, TensorData> Weights(nn.Module<Tensor, Tensor> cnn, (Place, Found)[] pairs)
    {
        Dictionary<string, TensorData> state = new(StateDict.FromModule(cnn));
        foreach ((Place place, Found found) in pairs)
        {
            float[] weights = found.Node.Weights.ToFloats();
            if (place.Norm is null)
            {
                int length = found.Node.SumLength;
                weights = [.. weights.Select((w, i) => w * found.Factors[i / length])];
                if (place.Node.Bias is not null)
                {
                    state[$"{place.Node.Name}.bias"] = TensorData.FromFloats(found.Summands, found.Summands.Length);
                }
                else if (found.Summands.Any(s => s != 0))
                {
                    throw new CheckpointException($"Its layer '{CheckpointText.Shown(found.Node.Name)}' adds something, and '{place.Node.Name}' cannot.");
                }
            }

            state[$"{place.Node.Name}.weight"] = TensorData.FromFloats(weights, place.Node.Weights.Shape.ToArray());
        }

        return state;
    }

    /// <summary>Measures what the layers give for images, and gives the BatchNorms behind them these statistics.</summary>
    private static void Normalize(
        nn.Module<Tensor, Tensor> cnn, NetworkGraph graph, (Place Place, Found Found)[] pairs, IEnumerable<Tensor> images, string title)
    {
        Dictionary<string, nn.Module> modules = cnn.named_modules().ToDictionary(m => m.name, m => m.module);
        using var scope = NewDisposeScope();
        using EngineModel same = new(new Engine(graph, get_num_threads()));
        (BatchNorm Norm, Tensor Factors, Tensor Summands, Tensor Mean, Tensor Square)[] norms = [.. pairs.Select(p =>
        {
            BatchNorm norm = (BatchNorm)modules[p.Place.Norm!];
            Tensor factors = tensor(p.Found.Factors), summands = tensor(p.Found.Summands);
            norm.running_mean!.zero_();
            norm.running_var!.zero_().Add(1 - norm.eps);
            norm.weight!.copy_(factors);
            norm.bias!.copy_(summands);
            return (norm, factors, summands, zeros(factors.shape, ScalarType.Float64), zeros(factors.shape, ScalarType.Float64));
        })];
        Action[] removers = [.. norms.Select(n => (Action)n.Norm.register_forward_pre_hook((_, input) =>
        {
            using var inner = NewDisposeScope();
            Tensor channels = input.transpose(0, 1).flatten(1).to_type(ScalarType.Float64);
            n.Mean.Add(channels.mean([1L]));
            n.Square.Add(channels.Squared().mean([1L]));
            return input;
        }).remove)];
        int batches = 0;
        try
        {
            foreach (Tensor batch in images)
            {
                using var inner = NewDisposeScope();
                Tensor mine = cnn.call(batch), theirs = same.call(batch);
                if (batches++ == 0 && !(mine - theirs).abs().max().le(theirs.abs().max().Times(1e-3)).item<bool>())
                {
                    throw new CheckpointException($"Its layers have the shapes of {title}'s, but another network is made of them: it gives other scores.");
                }
            }
        }
        finally
        {
            Array.ForEach(removers, remove => remove());
        }

        foreach (((Place place, Found found), var n) in pairs.Zip(norms))
        {
            Tensor mean = n.Mean.Over(batches), variance = (n.Square.Over(batches) - mean.Squared()).AtLeast(1e-12);
            Tensor deviation = variance.Plus(n.Norm.eps).sqrt();
            n.Norm.weight!.copy_(n.Factors * deviation);
            n.Norm.bias!.copy_(n.Summands.Plus(n.Factors * mean));
            n.Norm.running_mean!.copy_(mean);
            n.Norm.running_var!.copy_(variance);
            if (found.Folded)
            {
                Unscale(modules[place.Node.Name].get_parameter("weight")!, n.Norm);
            }
        }
    }
}
