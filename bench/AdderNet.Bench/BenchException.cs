namespace AdderNet.Bench;

/// <summary>Nothing can be measured, and the message says why in one sentence.</summary>
internal sealed class BenchException(string message) : Exception(message);
