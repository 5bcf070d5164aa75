using AdderNet.Data.Detection;

namespace AdderNet.Training.Detection;

/// <summary>An object that a detector has found.</summary>
/// <param name="Class">Its class.</param>
/// <param name="Box">Where it lies.</param>
/// <param name="Score">How sure the detector is, 0 to 1.</param>
public sealed record FoundBox(int Class, Box Box, float Score);
