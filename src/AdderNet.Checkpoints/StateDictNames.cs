namespace AdderNet.Checkpoints;

/// <summary>The names of a state dict without what wrappers around the model put before them.</summary>
internal static class StateDictNames
{
    // What DataParallel, torch.compile and common training scripts call the model that they hold.
    private static readonly string[] Wrappers = ["module", "_orig_mod", "model", "net", "network", "backbone"];

    /// <summary>
    /// Drops the components that wrappers put before every name, in any nesting; where one name lacks it, it is no prefix. What torch.compile
    /// puts before the names of a part of the model, <c>_orig_mod.</c>, is dropped wherever it stands, since no layer is called so.
    /// </summary>
    public static TensorFile WithoutPrefixes(TensorFile file)
    {
        // A moving average of a model counts its updates beside it.
        string prefix = CommonPrefix([.. file.Tensors.Keys.Where(name => name != "n_averaged")]);
        OrderedDictionary<string, TensorData> tensors = [];
        foreach ((string name, TensorData tensor) in file.Tensors)
            if (!tensors.TryAdd(Bare(name), tensor)) return file;
        Dictionary<string, string> unread = [];
        foreach ((string name, string what) in file.Unread) unread.TryAdd(Bare(name), what);
        return file with { Tensors = tensors, Unread = unread };

        string Bare(string name)
        {
            string bare = name.StartsWith(prefix, StringComparison.Ordinal) ? name[prefix.Length..] : name;
            bare = bare.Replace("._orig_mod.", ".", StringComparison.Ordinal);
            return bare.StartsWith("_orig_mod.", StringComparison.Ordinal) ? bare["_orig_mod.".Length..] : bare;
        }
    }

    /// <summary>
    /// The part of a file in which a model's names stand behind one prefix, whatever it is called: a training wrapper that also holds a
    /// loss's weights saves such. Without its prefix; the file as it is where there is no such part, or more than one.
    /// </summary>
    /// <param name="file">What the file holds.</param>
    /// <param name="known">Names that the model has for certain, and no part of another has all of.</param>
    /// <param name="beside">The names of the tensors that stand beside that part.</param>
    public static TensorFile Part(TensorFile file, string[] known, out string[] beside)
    {
        beside = [];
        string[] prefixes = [.. file.Tensors.Keys.Where(name => name.EndsWith("." + known[0], StringComparison.Ordinal))
            .Select(name => name[..^known[0].Length]).Where(prefix => known.All(name => file.Tensors.ContainsKey(prefix + name)))];
        if (prefixes is not [var prefix] || known.All(file.Tensors.ContainsKey)) return file;
        beside = [.. file.Tensors.Keys.Where(name => !name.StartsWith(prefix, StringComparison.Ordinal))];
        return file with { Tensors = new(Inside(file.Tensors)), Unread = new Dictionary<string, string>(Inside(file.Unread)) };

        IEnumerable<KeyValuePair<string, T>> Inside<T>(IEnumerable<KeyValuePair<string, T>> named) => named
            .Where(entry => entry.Key.StartsWith(prefix, StringComparison.Ordinal))
            .Select(entry => KeyValuePair.Create(entry.Key[prefix.Length..], entry.Value));
    }

    /// <summary>The names of wrappers, each with its dot, that stand before all of the names; empty where there is none.</summary>
    public static string CommonPrefix(IReadOnlyCollection<string> names)
    {
        string prefix = "";
        while (names.Count > 0 && Wrappers.FirstOrDefault(
            wrapper => names.All(name => name.AsSpan(prefix.Length).StartsWith(wrapper + ".", StringComparison.Ordinal))) is { } wrapper)
            prefix += wrapper + ".";
        return prefix;
    }
}
