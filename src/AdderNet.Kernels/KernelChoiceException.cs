namespace AdderNet.Kernels;

/// <summary>The environment variable ADDERNET_KERNEL names no kernel.</summary>
/// <param name="message">What is wrong, and what it may be.</param>
public sealed class KernelChoiceException(string message) : Exception(message);
