using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace AdderNet.Training;

/// <summary>Finds the layer at which numbers stop being numbers.</summary>
internal static class NumericalGuard
{
    /// <summary>The layer whose output first holds NaN or infinity, in the order of the forward pass.</summary>
    /// <param name="task">The task whose modules are watched.</param>
    /// <param name="forward">Runs them once more, on the batch that broke them; their BatchNorm statistics change.</param>
    /// <returns>A clause for a message; null when all outputs are finite.</returns>
    public static string? FirstBroken(ITrainingTask task, Action forward)
    {
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        using ActivationWatch watch = new(task);
        forward();
        return watch.FirstBroken;
    }

    /// <summary>The parameter, nearest the loss, whose gradient holds NaN or infinity; null when none does.</summary>
    public static string? BrokenGradient(ITrainingTask task)
    {
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        return task.NamedModules().SelectMany(m => m.Module.named_parameters().Select(p => (Name: m.Prefix + p.name, p.parameter))).Reverse()
            .Where(p => p.parameter.grad is { } gradient && !IsFinite(gradient))
            .Select(p => p.Name).FirstOrDefault();
    }

    public static bool IsFinite(Tensor tensor)
    {
        using var scope = NewDisposeScope();
        return !tensor.is_floating_point() || tensor.detach().isfinite().all().item<bool>();
    }
}

/// <summary>Looks at the output of each module of a task that gives one tensor for one, for as long as it lives.</summary>
internal sealed class ActivationWatch : IDisposable
{
    private readonly List<Action> removers = [];

    public ActivationWatch(ITrainingTask task)
    {
        foreach ((string name, nn.Module module) in task.NamedModules()
            .SelectMany(m => m.Module.named_modules().Select(n => (m.Prefix + n.name, n.module)).Append((m.Prefix.TrimEnd('/'), m.Module))))
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
        string what = name.Length == 0 ? "the model itself" : $"the layer '{name}' ({layer.Kind()})";
        FirstBroken = $"the output of {what} was the first to hold NaN or infinity; {because}";
    }
}
