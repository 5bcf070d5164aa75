namespace AdderNet.Kernels;

/// <summary>What the tasks of a forward pass share.</summary>
internal unsafe struct ForwardJob
{
    public Window Window;
    public FilterLayout Layout;
    public float* X, Y, Filters, Mean, Scale, Shift, Residual;
    public Segment* Segments;
    public Chunk* Chunks;
    public float* Ones;
    public int ChunkCount, Splits, O;
    public bool Relu;

    public readonly bool NoEpilogue => Mean == null && Scale == null && Shift == null && Residual == null && !Relu;
}
