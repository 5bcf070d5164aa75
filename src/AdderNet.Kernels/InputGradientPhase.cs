namespace AdderNet.Kernels;

/// <summary>The input pixels whose rows and columns leave the same remainders by the strides: they meet the same taps.</summary>
internal unsafe struct InputGradientPhase
{
    public Window Window;
    public int Row, Col, Tasks, Splits, ChunkCount;

    // Tap t of the phase is tap First - t * Step of the filter.
    public int FirstI, FirstJ, StepI, StepJ;
    public float* Filters;

    // For each packed vector of channels, 0 where all filters are finite, else NaN: a clamp loses NaN.
    public float* Checks;
    public Segment* Segments;
    public Chunk* Chunks;

    /// <summary>
    /// The axis of input positions phase, phase + stride, ... over output positions: tap i of the filter at input position
    /// p belongs to output position (p + padding - i * dilation) / stride, where that is whole.
    /// </summary>
    public static Axis AxisOf(int size, int outSize, int kernel, int stride, int padding, int dilation, int phase, out int first, out int step)
    {
        int taps = 0, origin = 0;
        (first, step) = (0, 1);
        for (int i = 0; i < kernel; i++)
        {
            int at = phase + padding - i * dilation;
            if (at % stride == 0)
            {
                step = i - first;
                (first, origin) = (i, at / stride);
                taps++;
            }
        }

        return new Axis((size - phase - 1) / stride + 1, outSize, origin, 1, taps, taps > 1 ? step * dilation / stride : 1);
    }
}
