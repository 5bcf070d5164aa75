using AdderNet.Checkpoints;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using Module = TorchSharp.torch.nn.Module<TorchSharp.torch.Tensor, TorchSharp.torch.Tensor>;

namespace AdderNet;

/// <summary>Makes an AdderNet of a trained convolutional network of the same shape, as a place to start training from.</summary>
/// <remarks>
/// A convolution's term w x has the slope w in x; an adder layer's term -|x - f| has the slope sgn(f - x), whose mean over the inputs is 0 where f is
/// their median c. So the filters become F = c + sigma W / std(W): the further f lies from c, the more the mean slope has of the sign and the size
/// of w. The rest of the network, which is ordinary in both, is copied, and training has to do what is missing: take small steps, since
/// large ones forget where they came from. What matters is the step relative to the filters, eta * rate / (1 - momentum) / sigma.
/// </remarks>
public static class CnnConversion
{
    /// <summary>
    /// Gives an AdderNet the filters that a CNN's weights suggest, and copies all else. The statistics of BatchNorms behind adder layers are those
    /// behind the convolutions: average them anew, or train, before the network is used.
    /// </summary>
    /// <param name="cnn">The trained network, in evaluation mode, with a convolution by the name of each adder layer; it is only read.</param>
    /// <param name="adderNet">The network to change.</param>
    /// <param name="images">Batches [N, C, H, W], prepared as in training, over which the medians of the CNN's own activations are measured:
    /// for each input channel the mean of the batches' medians. They stay the caller's.</param>
    /// <param name="sigma">The standard deviation of each layer's filters around the medians.</param>
    /// <exception cref="CheckpointException">The networks differ in shape, or a layer of the CNN has equal weights everywhere.</exception>
    /// <exception cref="ArgumentException">There are no images, or sigma is not above 0.</exception>
    public static void Convert(Module cnn, Module adderNet, IEnumerable<Tensor> images, double sigma = 2)
    {
        ArgumentNullException.ThrowIfNull(cnn);
        ArgumentNullException.ThrowIfNull(adderNet);
        ArgumentNullException.ThrowIfNull(images);
        if (!(double.IsFinite(sigma) && sigma > 0))
        {
            throw new ArgumentException($"Filters need a standard deviation above 0, not {sigma}.", nameof(sigma));
        }

        using var guard = no_grad();
        (string Name, Adder2d Layer)[] layers = [.. adderNet.named_modules().Where(m => m.module is Adder2d).Select(m => (m.name, (Adder2d)m.module))];
        (Adder2d Layer, Conv2d Convolution)[] pairs = [.. Pairs(cnn, layers)];
        Copy(cnn, adderNet, layers);
        Tensor[] medians = Medians(cnn, [.. pairs.Select(p => p.Convolution)], images);
        foreach (((Adder2d layer, _), Tensor centre) in pairs.Zip(medians))
        {
            using var scope = NewDisposeScope();
            Tensor filters = layer.Filters, weights = filters.detach();
            // Each group's filters see the group's own channels.
            Tensor seen = centre.view(layer.Groups, -1).repeat_interleave(filters.shape[0] / layer.Groups, 0).view(filters.shape[0], -1, 1, 1);
            filters.copy_(seen.Plus(weights.Times(sigma / weights.std(unbiased: false).item<float>())));
            centre.Dispose();
        }
    }

    private static IEnumerable<(Adder2d Layer, Conv2d Convolution)> Pairs(Module cnn, IEnumerable<(string Name, Adder2d Layer)> layers)
    {
        Dictionary<string, nn.Module> own = cnn.named_modules().ToDictionary(m => m.name, m => m.module);
        foreach ((string name, Adder2d layer) in layers)
        {
            nn.Module? found = own.GetValueOrDefault(name);
            if (found is not Conv2d convolution)
            {
                throw new CheckpointException(
                    found is null ? $"It has no layer '{name}'." : $"Its layer '{name}' is no ordinary convolution, but of the kind {found.GetType().Name}.");
            }

            using var scope = NewDisposeScope();
            float deviation = convolution.weight!.std(unbiased: false).item<float>();
            yield return float.IsFinite(deviation) && deviation > 0
                ? (layer, convolution)
                : throw new CheckpointException($"The weights of its layer '{name}' have the standard deviation {deviation}, so that they say nothing.");
        }
    }

    /// <summary>Copies all parameters and buffers, the convolutions' weights as filters; whatever does not fit is told by its name.</summary>
    private static void Copy(Module cnn, Module adderNet, IEnumerable<(string Name, Adder2d Layer)> layers)
    {
        HashSet<string> weights = [.. layers.Select(l => $"{l.Name}.weight")];
        StateDict.LoadInto(
            adderNet,
            StateDict.FromModule(cnn).ToDictionary(
                entry => weights.Contains(entry.Key) ? $"{entry.Key[..entry.Key.LastIndexOf('.')]}.adder" : entry.Key, entry => entry.Value),
            source: "It");
    }

    /// <summary>For each layer the medians of its input channels, [C]: means over the batches.</summary>
    private static Tensor[] Medians(Module cnn, Conv2d[] layers, IEnumerable<Tensor> images)
    {
        Tensor[] sums = [.. layers.Select(l => zeros(l.in_channels))];
        Action[] removers = [.. layers.Select((layer, i) => (Action)layer.register_forward_pre_hook((_, input) =>
        {
            using var scope = NewDisposeScope();
            Tensor channels = input.transpose(0, 1).flatten(1);
            sums[i].Add(channels.kthvalue((channels.shape[1] + 1) / 2, 1).values);
            return input;
        }).remove)];
        int batches = 0;
        try
        {
            foreach (Tensor batch in images)
            {
                using Tensor output = cnn.call(batch);
                batches++;
            }
        }
        finally
        {
            Array.ForEach(removers, remove => remove());
        }

        using Scalar count = Arithmetic.Number(batches);
        return batches > 0
            ? Array.ConvertAll(sums, sum => sum.div_(count))
            : throw new ArgumentException("The medians need at least one batch of images.", nameof(images));
    }
}
