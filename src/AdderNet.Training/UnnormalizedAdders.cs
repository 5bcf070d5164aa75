using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace AdderNet.Training;

/// <summary>
/// Finds adder layers whose output no normalization takes. Such a layer's outputs are all negative and large: a ReLU makes them zero, and
/// a network of them stays at chance for ever.
/// </summary>
internal sealed class UnnormalizedAdders : IDisposable
{
    private readonly List<Action> removers = [];
    private readonly List<(string Name, Tensor Output)> outputs = [];
    private readonly HashSet<string> normalized = [];
    private Tensor? last;

    /// <summary>Watches the forward passes of a task's modules until it is disposed or asked.</summary>
    public UnnormalizedAdders(ITrainingTask task)
    {
        foreach ((string name, nn.Module module) in task.NamedModules()
            .SelectMany(m => m.Module.named_modules().Select(n => (m.Prefix + n.name, n.module)).Append((m.Prefix.TrimEnd('/'), m.Module))))
        {
            if (module is nn.Module<Tensor, Tensor> layer)
            {
                removers.Add(layer.register_forward_hook((m, input, output) =>
                {
                    See(name, m, input, output);
                    return output;
                }).remove);
            }
        }
    }

    /// <summary>What to say of the layers found so far; null where there are none. Ends the watch.</summary>
    public string? Take()
    {
        // What goes from an adder layer straight to the loss, as scores, is as it should be.
        string[] found = [.. outputs.Select(o => o.Name).Except(normalized).Except(outputs.Where(o => ReferenceEquals(o.Output, last)).Select(o => o.Name))];
        Dispose();
        return found.Length == 0 ? null
            : $"No BatchNorm follows the adder layer{(found.Length == 1 ? "" : "s")} {string.Join(", ", found.Select(n => $"'{n}'"))}, whose outputs are "
            + "negative and large; most likely the model will learn nothing. Put a BatchNorm behind each adder layer.";
    }

    public void Dispose()
    {
        removers.ForEach(remove => remove());
        removers.Clear();
        outputs.Clear();
    }

    private void See(string name, nn.Module<Tensor, Tensor> layer, Tensor input, Tensor output)
    {
        last = output;
        if (layer is Adder2d or Versatile2d { Primary: Adder2d })
        {
            // A versatile layer's outputs are normalized as a whole.
            outputs.RemoveAll(o => o.Name.StartsWith($"{name}.", StringComparison.Ordinal));
            outputs.Add((name, output));
            return;
        }

        if (outputs.FindIndex(o => ReferenceEquals(o.Output, input)) is not (>= 0 and var i))
        {
            return;
        }

        switch (layer)
        {
            case NormBase or GroupNorm or LayerNorm:
                normalized.Add(outputs[i].Name);
                break;
            // What keeps order and sign of the outputs may stand between.
            case MaxPool2d or AvgPool2d or AdaptiveAvgPool2d or AdaptiveMaxPool2d or Dropout or Dropout2d or Flatten or Identity:
                outputs.Add((outputs[i].Name, output));
                break;
        }
    }
}
