using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace AdderNet.Training;

/// <summary>Finds the layer at which numbers stop being numbers.</summary>
internal static class NumericalGuard
{
    /// <summary>The layer whose output first holds NaN or infinity, in the order of the forward pass.</summary>
    /// <param name="model">The model; it runs once more, so that its BatchNorm statistics change.</param>
    /// <param name="images">The batch that broke it.</param>
    /// <returns>A clause for a message; null when all outputs are finite.</returns>
    public static string? FirstBroken(nn.Module<Tensor, Tensor> model, Tensor images)
    {
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        using ActivationWatch watch = new(model);
        model.call(images);
        return watch.FirstBroken;
    }

    /// <summary>The parameter, nearest the loss, whose gradient holds NaN or infinity; null when none does.</summary>
    public static string? BrokenGradient(nn.Module model)
    {
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        return model.named_parameters().Reverse()
            .Where(p => p.parameter.grad is { } gradient && !IsFinite(gradient))
            .Select(p => p.name).FirstOrDefault();
    }

    public static bool IsFinite(Tensor tensor)
    {
        using var scope = NewDisposeScope();
        return !tensor.is_floating_point() || tensor.detach().isfinite().all().item<bool>();
    }
}

/// <summary>Looks at the output of each module of a model, for as long as it lives.</summary>
internal sealed class ActivationWatch : IDisposable
{
    private readonly List<Action> removers = [];

    public ActivationWatch(nn.Module<Tensor, Tensor> model)
    {
        foreach ((string name, nn.Module module) in model.named_modules().Append(("", model)))
        {
            if (module is nn.Module<Tensor, Tensor> layer)
            {
                var hook = layer.register_forward_hook((m, input, output) =>
                {
                    Look(name, m, input, output);
                    return output;
                });
                removers.Add(hook.remove);
            }
        }
    }

    /// <summary>What broke first since the watch began or was reset; null for nothing.</summary>
    public string? FirstBroken { get; private set; }

    public void Dispose()
    {
        foreach (Action remove in removers)
        {
            remove();
        }

        removers.Clear();
    }

    private void Look(string name, nn.Module<Tensor, Tensor> layer, Tensor input, Tensor output)
    {
        if (FirstBroken is not null || NumericalGuard.IsFinite(output))
        {
            return;
        }

        using var scope = NewDisposeScope();
        string? weights = layer.named_parameters().Where(p => !NumericalGuard.IsFinite(p.parameter)).Select(p => p.name).FirstOrDefault();
        string because = weights is not null ? $"its parameter '{weights}' already holds NaN or infinity"
            : !NumericalGuard.IsFinite(input) ? "its input already does"
            : "though its input and its parameters are finite";
        string what = name.Length == 0 ? "the model itself" : $"the layer '{name}' ({layer.GetType().Name})";
        FirstBroken = $"the output of {what} was the first to hold NaN or infinity; {because}";
    }
}
