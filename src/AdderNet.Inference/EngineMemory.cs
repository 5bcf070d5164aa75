namespace AdderNet.Inference;

/// <summary>What an engine needs of memory, in bytes, beside its code.</summary>
/// <param name="Weights">Weights, in the form that the kernels read.</param>
/// <param name="Activations">Values of one image that a layer gives and another reads: sums of all of them.</param>
/// <param name="Peak">The same, sharing memory where they are needed at different times: what a thread takes for an image.</param>
public sealed record EngineMemory(long Weights, long Activations, long Peak);
