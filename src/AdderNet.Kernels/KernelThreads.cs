namespace AdderNet.Kernels;

/// <summary>How many threads the kernels use.</summary>
public static class KernelThreads
{
    private static int count = Environment.ProcessorCount;

    /// <summary>Threads a kernel call may use, the caller's included; the number of processors by default.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The value is below 1.</exception>
    public static int Count
    {
        get => count;
        set
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(value, 1);
            count = value;
        }
    }
}
