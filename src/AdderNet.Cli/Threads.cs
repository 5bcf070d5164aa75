using AdderNet.Kernels;
using static TorchSharp.torch;

namespace AdderNet.Cli;

/// <summary>The number of threads that libtorch and the adder kernels compute with.</summary>
internal static class Threads
{
    /// <summary>Sets it; null for all processors.</summary>
    public static void Use(int? count)
    {
        int threads = count ?? Environment.ProcessorCount;
        KernelThreads.Count = threads;
        set_num_threads(threads);
    }
}
