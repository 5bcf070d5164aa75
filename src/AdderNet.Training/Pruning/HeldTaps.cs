using static TorchSharp.torch;

namespace AdderNet.Training;

/// <summary>
/// Taps of a model's adder layers that are held where they cost nothing. Behind a ReLU no input is below 0, so that a tap w &lt;= 0 needs no
/// work; those nearest above are pulled down to 0 first, as it changes min(x, w) least there, in units of the layer's largest input.
/// </summary>
internal sealed class HeldTaps : IDisposable
{
    private readonly (Adder2d Layer, double Largest)[] layers;
    private readonly Tensor[] bounds;

    /// <param name="model">The model.</param>
    /// <param name="largest">The largest input of each layer whose inputs are never negative, by its name.</param>
    public HeldTaps(nn.Module model, IReadOnlyDictionary<string, double> largest)
    {
        layers =
        [
            .. from m in model.named_modules()
               where m.module is Adder2d && largest.ContainsKey(m.name)
               select ((Adder2d)m.module, Math.Max(largest[m.name], 1e-6)),
        ];
        bounds = [.. layers.Select(l => full_like(l.Layer.Filters, float.PositiveInfinity).DetachFromDisposeScope())];
    }

    /// <summary>Taps that can be held.</summary>
    public long Count => layers.Sum(l => l.Layer.Filters.numel());

    /// <summary>Taps that cost nothing now.</summary>
    public long Skipped
    {
        get
        {
            using var scope = NewDisposeScope();
            return layers.Sum(l => l.Layer.Filters.detach().le(0).sum().item<long>());
        }
    }

    /// <summary>Holds so many taps, the lowest of all layers together; those that are held stay so.</summary>
    public void Choose(long count)
    {
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        if (count <= 0)
        {
            return;
        }

        Tensor[] heights = [.. layers.Select(l => l.Layer.Filters.detach() / l.Largest)];
        Tensor limit = cat([.. heights.Select(h => h.flatten())]).kthvalue(Math.Min(count, Count), 0).values;
        for (int i = 0; i < layers.Length; i++)
        {
            bounds[i].masked_fill_(heights[i].le(limit), 0);
        }

        Hold();
    }

    /// <summary>Brings what is held back to 0 where a step of the optimizer has raised it.</summary>
    public void Hold()
    {
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        foreach (((Adder2d layer, _), Tensor bound) in layers.Zip(bounds))
        {
            layer.Filters.copy_(minimum(layer.Filters, bound));
        }
    }

    public void Dispose() => Array.ForEach(bounds, bound => bound.Dispose());
}
