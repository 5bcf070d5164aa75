namespace AdderNet.Kernels;

/// <summary>
/// What inference does with each output element before it is written, at nearly no cost:
/// y * Scale[o] + Shift[o] (a folded BatchNorm, or a bias), + Residual, then ReLU. Whatever is not set is skipped.
/// </summary>
public readonly ref struct AdderEpilogue
{
    /// <summary>Factor for each output channel [O]; empty for 1.</summary>
    public ReadOnlySpan<float> Scale { get; init; }

    /// <summary>Summand for each output channel [O]; empty for 0.</summary>
    public ReadOnlySpan<float> Shift { get; init; }

    /// <summary>Summand for each output element [N, OutH, OutW, O], such as a residual connection; empty for 0.</summary>
    public ReadOnlySpan<float> Residual { get; init; }

    /// <summary>Whether what would be negative becomes 0.</summary>
    public bool Relu { get; init; }
}
