namespace AdderNet.Checkpoints;

internal static class StateDictNames
{
    /// <summary>Drops the <c>module.</c> that DataParallel puts before every name; where one name lacks it, it is no prefix.</summary>
    public static OrderedDictionary<string, TensorData> WithoutModulePrefix(OrderedDictionary<string, TensorData> tensors)
    {
        const string prefix = "module.";
        return tensors.Count > 0 && tensors.Keys.All(name => name.StartsWith(prefix, StringComparison.Ordinal))
            ? new(tensors.Select(tensor => KeyValuePair.Create(tensor.Key[prefix.Length..], tensor.Value)))
            : tensors;
    }
}
