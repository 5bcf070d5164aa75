namespace AdderNet;

/// <summary>Which gradient an adder layer hands on to what stands before it.</summary>
public enum InputGradient
{
    /// <summary>dL/dX = sum of g * HardTanh(F - X): the paper's clipped full-precision gradient (equation 7), which it trains with.</summary>
    Clipped,

    /// <summary>dL/dX = sum of g * sgn(F - X): the true derivative, which detectors of adder layers are said to gain from.</summary>
    Sign,
}
