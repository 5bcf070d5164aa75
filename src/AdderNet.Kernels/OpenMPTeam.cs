namespace AdderNet.Kernels;

/// <summary>The threads of an OpenMP runtime that is in the process anyway, so that the kernels need none of their own.</summary>
/// <param name="parallel">Address of GOMP_parallel.</param>
/// <param name="maxThreads">Address of omp_get_max_threads.</param>
internal sealed unsafe class OpenMPTeam(nint parallel, nint maxThreads)
{
    private readonly delegate* unmanaged<delegate* unmanaged<void*, void>, void*, uint, uint, void> parallel =
        (delegate* unmanaged<delegate* unmanaged<void*, void>, void*, uint, uint, void>)parallel;

    private readonly delegate* unmanaged[SuppressGCTransition]<int> maxThreads = (delegate* unmanaged[SuppressGCTransition]<int>)maxThreads;

    /// <summary>Threads of a parallel region that the calling thread begins, as the runtime was told.</summary>
    public int Size => maxThreads();

    /// <summary>Calls <paramref name="member"/> on so many threads, the caller's among them, and returns when all have.</summary>
    public void Run(delegate* unmanaged<void*, void> member, int threads) => parallel(member, null, (uint)threads, 0);
}
