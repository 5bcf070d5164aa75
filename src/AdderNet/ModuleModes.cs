using static TorchSharp.torch;

namespace AdderNet;

/// <summary>
/// Remembers for every single module whether it is in training mode, and restores that: a module's <c>train()</c> speaks for all below it,
/// and would also wake BatchNorms that a user froze with <c>eval()</c>.
/// </summary>
internal sealed class ModuleModes
{
    private readonly (nn.Module Module, bool Training)[] modes;

    /// <summary>Remembers the modes of modules and of all modules within them.</summary>
    public ModuleModes(params IEnumerable<nn.Module> modules) =>
        // Each before those within it, so that restoring in this order leaves the innermost word standing.
        modes = [.. modules.SelectMany(m => m.named_modules().Select(n => n.module).Prepend(m)).Distinct().Select(m => (m, m.training))];

    /// <summary>Puts modules into evaluation mode; <see cref="Restore"/> puts each back.</summary>
    public static ModuleModes Evaluate(params IEnumerable<nn.Module> modules)
    {
        nn.Module[] all = [.. modules];
        ModuleModes modes = new(all);
        foreach (nn.Module module in all)
        {
            module.eval();
        }

        return modes;
    }

    /// <summary>Puts every module into the mode it was in.</summary>
    public void Restore()
    {
        foreach ((nn.Module module, bool training) in modes)
        {
            module.train(training);
        }
    }
}
