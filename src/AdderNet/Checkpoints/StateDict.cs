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
    /// depend on, may be missing or left over. A shape may differ in dimensions of one element, such as [10, 64] for [10, 64, 1, 1]: a fully
    /// connected layer and a 1x1 convolution have the same weights. A prefix such as <c>model.</c> that wrappers put before every name may be
    /// on one side only.
    /// </summary>
    /// <param name="module">The module to change, on any device.</param>
    /// <param name="tensors">The tensors by state_dict name.</param>
    /// <param name="strict">Whether names that are missing or unexpected are errors, as another shape always is.</param>
    /// <param name="source">What the message calls the origin of the tensors: the file's path.</param>
    /// <exception cref="CheckpointException">The tensors do not fit; the message lists what is missing, unexpected and of
    /// another shape. Or one holds NaN.</exception>
    public static void LoadInto(
        nn.Module module, IReadOnlyDictionary<string, TensorData> tensors, bool strict = true, string source = "The checkpoint")
    {
        ArgumentNullException.ThrowIfNull(module);
        ArgumentNullException.ThrowIfNull(tensors);
        LoadInto(module, tensors, strict, source, _ => { });
    }

    /// <summary>
    /// As above, and what belongs to no part of the module, such as an auxiliary classifier's weights or a profiler's counters, is passed over.
    /// </summary>
    /// <param name="module">The module to change, on any device.</param>
    /// <param name="file">What a file holds.</param>
    /// <param name="source">What messages call the file.</param>
    /// <param name="note">Is told in sentences what the user should know: what was passed over, what was given another shape.</param>
    /// <exception cref="CheckpointException">The tensors do not fit, or one that the module needs was not read or holds NaN.</exception>
    public static void LoadInto(nn.Module module, TensorFile file, string source, Action<string> note)
    {
        ArgumentNullException.ThrowIfNull(module);
        ArgumentNullException.ThrowIfNull(file);
        ArgumentNullException.ThrowIfNull(note);
        using DisposeScope scope = NewDisposeScope();
        string[] own = [.. module.state_dict().Keys];
        if (Array.Find(own, name => file.Unread.ContainsKey(name) && !file.Tensors.ContainsKey(name)) is { } unread)
            throw new CheckpointException(
                $"{source} has {file.Unread[unread]} as '{CheckpointText.Shown(unread)}', which the model needs and which is not supported; in "
                + "Python, save it as float32.");
        // Under a name of the module's own parts a tensor too many means another model, and is an error below.
        HashSet<string> parts = [.. own.Select(FirstPart)];
        string[] foreign = [.. file.Tensors.Keys.Where(name => !IsOptional(name) && (!parts.Contains(FirstPart(name)) || IsCounter(name)))];
        if (foreign.Length > 0 && foreign.Length < file.Tensors.Count && own.All(name => IsOptional(name) || file.Tensors.ContainsKey(name)))
        {
            note($"{source} holds what the model has no part for; it was passed over: {CheckpointText.Quoted(foreign)}.");
            file = file with { Tensors = new(file.Tensors.Where(entry => !foreign.Contains(entry.Key))) };
        }
        LoadInto(module, file.Tensors, strict: true, source, note);
    }

    private static void LoadInto(
        nn.Module module, IReadOnlyDictionary<string, TensorData> tensors, bool strict, string source, Action<string> note)
    {
        using DisposeScope scope = NewDisposeScope();
        using var noGrad = no_grad();
        Dictionary<string, Tensor> own = module.state_dict();
        if (StateDictNames.CommonPrefix([.. own.Keys]) is { Length: > 0 } prefix
            && !tensors.Keys.Any(name => name.StartsWith(prefix, StringComparison.Ordinal)))
            tensors = tensors.ToDictionary(entry => prefix + entry.Key, entry => entry.Value);
        string[] problems = [
            .. strict ? Listed("missing", own.Keys.Where(name => !tensors.ContainsKey(name) && !IsOptional(name))) : [],
            .. strict ? Listed("unexpected", tensors.Keys.Where(name => !own.ContainsKey(name) && !IsOptional(name))) : [],
            .. Listed("of another shape", own.Where(entry => !Fits(entry)).Select(
                entry => $"{entry.Key} ({tensors[entry.Key].ShapeText}, not [{string.Join(", ", entry.Value.shape)}])")),
        ];
        if (problems.Length > 0)
            throw new CheckpointException($"{source} does not fit the model: {string.Join("; ", problems)}.");

        foreach (string name in own.Keys)
            tensors.GetValueOrDefault(name)?.RefuseNaN($"{source}: the tensor '{CheckpointText.Shown(name)}'");

        List<string> reshaped = [];
        foreach ((string name, Tensor target) in own)
            if (tensors.TryGetValue(name, out TensorData? data))
            {
                using Tensor loaded = data.ToTensor();
                using Tensor shaped = loaded.reshape(target.shape);
                target.copy_(shaped);
                if (!data.Shape.SequenceEqual(target.shape)) reshaped.Add($"{name} ({data.ShapeText} as [{string.Join(", ", target.shape)}])");
            }
        if (reshaped.Count > 0) note($"{source} has other shapes of the same elements: {string.Join(", ", reshaped)}.");

        bool Fits(KeyValuePair<string, Tensor> entry) =>
            !tensors.TryGetValue(entry.Key, out TensorData? data) || WithoutOnes(data.Shape).SequenceEqual(WithoutOnes(entry.Value.shape));
    }

    private static long[] WithoutOnes(ReadOnlySpan<long> shape) => Array.FindAll(shape.ToArray(), size => size != 1);

    private static string FirstPart(string name) => name.Split('.', 2)[0];

    // What the profiler of many training scripts leaves in every layer.
    private static bool IsCounter(string name) => name.Split('.')[^1] is "total_ops" or "total_params";

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
