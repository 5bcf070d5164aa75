namespace AdderNet.Kernels;

/// <summary>How many threads the kernels use.</summary>
public static class KernelThreads
{
    private static int? count;

    /// <summary>
    /// Threads a kernel call may use, the caller's included. Until it is set: those of libtorch (<c>torch.set_num_threads</c>) where the
    /// kernels share its threads, as they do under TorchSharp on Linux, else the number of processors.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">The value is below 1.</exception>
    public static int Count
    {
        get => count ?? WorkerPool.Team?.Size ?? Environment.ProcessorCount;
        set
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(value, 1);
            count = value;
        }
    }
}
