namespace AdderNet.Kernels;

/// <summary>What the tasks of a weight gradient share.</summary>
internal unsafe struct WeightGradientJob
{
    public Window Window;
    public float* X, Filters, GradY, GradFilters, Sums, GradSums, Packed;

    /// <summary>Parts the tiles, and ranges the output channels are cut into.</summary>
    public int Parts, Ranges;

    /// <summary>Floats of an output channel's sums, and of each run in it, rounded up to whole vectors.</summary>
    public int Stride, Run;

    public int O, GroupC, GroupO, Taps;
    public bool Depthwise, Sign, WholeImages;
}
