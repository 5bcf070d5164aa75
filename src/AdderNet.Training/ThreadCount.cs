using AdderNet.Kernels;
using static TorchSharp.torch;

namespace AdderNet.Training;

/// <summary>Sets how many threads libtorch and the kernels compute with, for as long as it lives.</summary>
internal sealed class ThreadCount : IDisposable
{
    private readonly int torchBefore = get_num_threads(), kernelsBefore = KernelThreads.Count;

    public ThreadCount(int threads)
    {
        TorchThreads.Share();
        Set(threads, threads);
    }

    public void Dispose() => Set(torchBefore, kernelsBefore);

    private static void Set(int torch, int kernels)
    {
        set_num_threads(torch);
        // Where the kernels follow libtorch they are not told apart from it, so that they go on following.
        if (KernelThreads.Count != kernels)
        {
            KernelThreads.Count = kernels;
        }
    }
}
