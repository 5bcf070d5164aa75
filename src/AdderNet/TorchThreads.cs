using System.Runtime.InteropServices;
using AdderNet.Kernels;

namespace AdderNet;

/// <summary>
/// Lets the kernels compute on the threads of libtorch's OpenMP runtime. Two pools would fight for the processors: OpenMP's idle threads
/// look for work for milliseconds after each of libtorch's operations, just when the next layer's kernel starts (measured on two
/// threads: a layer's forward pass took 1.49 times a convolution's with two pools, 1.12 times with one).
/// </summary>
internal static unsafe class TorchThreads
{
    /// <summary>
    /// Shares the threads where libtorch's runtime is libgomp, whose GOMP_parallel is what compiled parallel regions call (Linux); elsewhere
    /// the kernels keep threads of their own.
    /// </summary>
    public static void Share()
    {
        // The library is loaded already, so its name alone finds it, and the look-up follows its dependencies.
        if (OperatingSystem.IsLinux() && NativeLibrary.TryLoad("libtorch_cpu.so", out nint torch)
            && NativeLibrary.TryGetExport(torch, "GOMP_parallel", out nint parallel)
            && NativeLibrary.TryGetExport(torch, "omp_get_max_threads", out nint maxThreads))
        {
            WorkerPool.Team = new OpenMPTeam(parallel, maxThreads);
        }
    }
}
