namespace AdderNet.Checkpoints;

/// <summary>What a checkpoint file holds.</summary>
/// <param name="Tensors">The tensors by name, in the file's order.</param>
/// <param name="Metadata">Free text by name; only safetensors files have any.</param>
public sealed record TensorFile(OrderedDictionary<string, TensorData> Tensors, IReadOnlyDictionary<string, string> Metadata)
{
    /// <summary>
    /// What stands among the tensors but was not read, by name, with what it is: tensors of types that are not supported, such as
    /// <c>F8_E4M3</c> or quantized ones, and values that are no tensors.
    /// </summary>
    public IReadOnlyDictionary<string, string> Unread { get; init; } = new Dictionary<string, string>();

    /// <summary>What the user should know, in sentences: what was taken where there was a choice, and which tensors were not read.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];

    /// <inheritdoc cref="TensorData.RefuseNaN"/>
    /// <param name="source">What the message calls the file.</param>
    internal void RefuseNaN(string source)
    {
        foreach ((string name, TensorData tensor) in Tensors) tensor.RefuseNaN($"{source}: the tensor '{CheckpointText.Shown(name)}'");
    }
}
