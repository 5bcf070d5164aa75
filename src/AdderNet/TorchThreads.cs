using System.Runtime.InteropServices;
using AdderNet.Kernels;
using static TorchSharp.torch;

namespace AdderNet;

/// <summary>The threads that libtorch and the adder kernels compute with.</summary>
/// <remarks>
/// The kernels compute on the threads of libtorch's OpenMP runtime. Two pools would fight for the processors: OpenMP's idle threads
/// look for work for milliseconds after each of libtorch's operations, just when the next layer's kernel starts (measured on two
/// threads: a layer's forward pass took 1.49 times a convolution's with two pools, 1.12 times with one).
/// </remarks>
public static unsafe class TorchThreads
{
    /// <summary>Sets the number of threads for both, in the whole process.</summary>
    /// <param name="count">How many, 1 at least; null for all processors.</param>
    /// <returns>The number.</returns>
    /// <exception cref="ArgumentOutOfRangeException">It is less than 1.</exception>
    public static int Use(int? count = null)
    {
        int threads = count ?? Environment.ProcessorCount;
        KernelThreads.Count = threads;
        set_num_threads(threads);
        return threads;
    }

    /// <summary>
    /// Shares the threads where libtorch's runtime is libgomp, whose GOMP_parallel is what compiled parallel regions call (Linux); elsewhere
    /// the kernels keep threads of their own.
    /// </summary>
    internal static void Share()
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
