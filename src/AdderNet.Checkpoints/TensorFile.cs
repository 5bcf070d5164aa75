namespace AdderNet.Checkpoints;

/// <summary>What a checkpoint file holds.</summary>
/// <param name="Tensors">The tensors by name, in the file's order.</param>
/// <param name="Metadata">Free text by name; only safetensors files have any.</param>
public sealed record TensorFile(OrderedDictionary<string, TensorData> Tensors, IReadOnlyDictionary<string, string> Metadata);
