using TorchSharp;
using static TorchSharp.torch;

namespace AdderNet.Training;

/// <summary>
/// Taps of a model's adder layers that are pulled to where they cost nothing. Behind a ReLU no input is below 0, so that a tap w &lt;= 0 needs
/// no work; the lowest above 0 are pulled down to it, since min(x, w) changes least there, in units of the layer's largest input. The layers
/// compute with what is pulled, and go on learning the weights behind it: a tap that rises comes back, and another goes in its place.
/// </summary>
internal sealed class PulledTaps : IDisposable
{
    private readonly Layer[] layers;

    /// <param name="model">The model, whose layers compute so until this is disposed.</param>
    /// <param name="largest">The largest input of each layer whose inputs are never negative, by its name.</param>
    public PulledTaps(nn.Module model, IReadOnlyDictionary<string, double> largest)
    {
        layers =
        [
            .. from m in model.named_modules()
               where m.module is Adder2d && largest.ContainsKey(m.name)
               select new Layer((Adder2d)m.module, Math.Max(largest[m.name], 1e-6)),
        ];
        foreach (Layer layer in layers)
        {
            layer.Adder.Constraint = layer.Pulled;
        }
    }

    /// <summary>Taps that can be pulled.</summary>
    public long Count => layers.Sum(l => l.Adder.Filters.numel());

    /// <summary>Taps that cost nothing by themselves.</summary>
    public long Free
    {
        get
        {
            using var scope = NewDisposeScope();
            using Scalar zero = Arithmetic.Number(0L);
            return layers.Sum(l => l.Adder.Filters.detach().le(zero).sum().item<long>());
        }
    }

    /// <summary>Pulls so many taps in place of those before: the lowest of all layers together.</summary>
    public void Choose(long count)
    {
        if (count <= 0)
        {
            return;
        }

        using var scope = NewDisposeScope();
        using var guard = no_grad();
        // The same division as of each weight below, so that the one at the limit is not missed by rounding.
        float limit = cat([.. layers.Select(l => l.Heights(l.Adder.Filters).flatten())]).kthvalue(Math.Min(count, Count), 0).values.item<float>();
        foreach (Layer layer in layers)
        {
            layer.Limit = limit;
        }
    }

    /// <summary>Makes what the layers compute with their weights.</summary>
    public void Settle()
    {
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        foreach (Layer layer in layers)
        {
            layer.Adder.Filters.copy_(layer.Pulled(layer.Adder.Filters.detach()));
        }
    }

    public void Dispose()
    {
        foreach (Layer layer in layers)
        {
            layer.Adder.Constraint = null;
        }
    }

    private sealed class Layer(Adder2d adder, double largest)
    {
        public Adder2d Adder => adder;

        /// <summary>The height up to which taps are pulled.</summary>
        public float Limit { get; set; } = float.NegativeInfinity;

        public Tensor Heights(Tensor filters) => filters.detach().Over(largest);

        public Tensor Pulled(Tensor filters)
        {
            using Scalar limit = Arithmetic.Number(Limit), zero = Arithmetic.Number(0L);
            return where(Heights(filters).le(limit), filters.clamp_max(zero), filters);
        }
    }
}
