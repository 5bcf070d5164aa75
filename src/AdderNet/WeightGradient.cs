namespace AdderNet;

/// <summary>Which gradient an adder layer's filters get.</summary>
public enum WeightGradient
{
    /// <summary>dL/dF = sum of g * (X - F): the paper's full-precision gradient (equation 5), which it trains with.</summary>
    FullPrecision,

    /// <summary>dL/dF = sum of g * sgn(X - F): the true derivative (equation 4), kept for the paper's ablation.</summary>
    Sign,
}
