using TorchSharp;
using static TorchSharp.torch;

namespace AdderNet.Checkpoints;

/// <summary>Between the parameters and buffers of a TorchSharp module and the named tensors that files hold.</summary>
public static class StateDict
{
    /// <summary>Copies a module's parameters and buffers.</summary>
    /// <param name="module">The module, on any device.</param>
    /// <returns>The tensors by state_dict name, in the module's order.</returns>
    public static OrderedDictionary<string, TensorData> FromModule(nn.Module module)
    {
        ArgumentNullException.ThrowIfNull(module);
        using DisposeScope scope = NewDisposeScope();
        return new(module.state_dict().Select(entry => KeyValuePair.Create(entry.Key, entry.Value.ToTensorData())));
    }

    /// <summary>
    /// Copies named tensors into a module's parameters and buffers, converting element types. Either all is copied or, where
    /// something does not fit, nothing. BatchNorm's <c>num_batches_tracked</c>, which old files lack and the results do not
    /// depend on, may be missing or left over.
    /// </summary>
    /// <param name="module">The module to change, on any device.</param>
    /// <param name="tensors">The tensors by state_dict name.</param>
    /// <param name="strict">Whether names that are missing or unexpected are errors, as another shape always is.</param>
    /// <param name="source">What the message calls the origin of the tensors: the file's path.</param>
    /// <exception cref="CheckpointException">The tensors do not fit; the message lists what is missing, unexpected and of
    /// another shape.</exception>
    public static void LoadInto(
        nn.Module module, IReadOnlyDictionary<string, TensorData> tensors, bool strict = true, string source = "The checkpoint")
    {
        ArgumentNullException.ThrowIfNull(module);
        ArgumentNullException.ThrowIfNull(tensors);
        using DisposeScope scope = NewDisposeScope();
        using var noGrad = no_grad();
        Dictionary<string, Tensor> own = module.state_dict();
        string[] problems = [
            .. strict ? Listed("missing", own.Keys.Where(name => !tensors.ContainsKey(name) && !IsOptional(name))) : [],
            .. strict ? Listed("unexpected", tensors.Keys.Where(name => !own.ContainsKey(name) && !IsOptional(name))) : [],
            .. Listed("of another shape", own.Where(entry => !Fits(entry)).Select(
                entry => $"{entry.Key} ({tensors[entry.Key].ShapeText}, not [{string.Join(", ", entry.Value.shape)}])")),
        ];
        if (problems.Length > 0)
            throw new CheckpointException($"{source} does not fit the model: {string.Join("; ", problems)}.");

        foreach ((string name, Tensor target) in own)
            if (tensors.TryGetValue(name, out TensorData? data))
            {
                using Tensor loaded = data.ToTensor();
                target.copy_(loaded);
            }

        bool Fits(KeyValuePair<string, Tensor> entry) =>
            !tensors.TryGetValue(entry.Key, out TensorData? data) || data.Shape.SequenceEqual(entry.Value.shape);
    }

    private static bool IsOptional(string name) => name.EndsWith("num_batches_tracked", StringComparison.Ordinal);

    private static IEnumerable<string> Listed(string what, IEnumerable<string> names)
    {
        const int most = 8;
        string[] all = [.. names];
        if (all.Length == 0) return [];
        string shown = string.Join(", ", all.Take(most).Select(CheckpointText.Shown));
        return [all.Length > most ? $"{what}: {shown} and {all.Length - most} more" : $"{what}: {shown}"];
    }
}
