namespace AdderNet.Kernels;

/// <summary>
/// What inference does with each output element before it is written, at nearly no cost:
/// (y - Mean[o]) * Scale[o] + Shift[o] (a folded BatchNorm, or a bias), + Residual, then ReLU. Whatever is not set is skipped.
/// </summary>
public readonly ref struct AdderEpilogue
{
    /// <summary>
    /// What is taken from each output channel [O] first; empty for 0. BatchNorm's mean belongs here rather than into <see cref="Shift"/>:
    /// an adder layer's outputs are large and alike, and rounding them to scale before the difference is taken would cost digits.
    /// </summary>
    public ReadOnlySpan<float> Mean { get; init; }

    /// <summary>Factor for each output channel [O]; empty for 1.</summary>
    public ReadOnlySpan<float> Scale { get; init; }

    /// <summary>Summand for each output channel [O]; empty for 0.</summary>
    public ReadOnlySpan<float> Shift { get; init; }

    /// <summary>Summand for each output element [N, OutH, OutW, O], such as a residual connection; empty for 0.</summary>
    public ReadOnlySpan<float> Residual { get; init; }

    /// <summary>Whether what would be negative becomes 0.</summary>
    public bool Relu { get; init; }
}
