// Replaced by the core's own types as soon as they are there.
#pragma warning disable CS1591
namespace AdderNet;

public enum LayerKind { Adder, Conv }
public enum WeightGradient { FullPrecision, Sign }
