namespace AdderNet.Kernels;

/// <summary>What the tasks of an input gradient share.</summary>
internal unsafe struct InputGradientJob
{
    public float* X, GradY, GradX, Filters;
    public int H, W, C, Vectors, GroupVectors, GroupC, GroupO, Kernel, KernelW, FilterC, StrideH, StrideW, Phases;
    public bool Depthwise;
    public InputGradientPhase* Phase;
}
