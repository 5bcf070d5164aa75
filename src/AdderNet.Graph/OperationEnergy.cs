namespace AdderNet.Graph;

/// <summary>What one operation takes in a 45 nm chip, in picojoules.</summary>
/// <param name="Multiply">A multiplication.</param>
/// <param name="Add">An addition or subtraction.</param>
public sealed record OperationEnergy(double Multiply, double Add)
{
    /// <summary>
    /// An XNOR of two bits, at most. Nobody publishes it: the 0.03 pJ of an 8-bit addition pay for eight full adders, each of two XORs
    /// and more gates.
    /// </summary>
    public const double Xnor = 0.03 / 16;

    /// <summary>Where the figures are published.</summary>
    public const string Source = "M. Horowitz, “Computing's energy problem (and what we can do about it)”, ISSCC 2014, figure 1.1.9";

    /// <summary>32-bit floating point.</summary>
    public static OperationEnergy SinglePrecision { get; } = new(3.7, 0.9);

    /// <summary>8-bit integers.</summary>
    public static OperationEnergy EightBitIntegers { get; } = new(0.2, 0.03);

    /// <summary>What some operations take, in picojoules.</summary>
    public double Of(OperationCounts operations) =>
        operations.Multiplications * Multiply + operations.Additions * Add + operations.Xnors * Xnor;

    /// <summary>The same in microjoules.</summary>
    public double Microjoules(OperationCounts operations) => Of(operations) / 1e6;
}
