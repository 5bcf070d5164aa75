namespace AdderNet.Kernels;

/// <summary>
/// The threads and the working memory of kernel calls, for callers that want both bounded and given back: one for each thread that calls.
/// Both are kept from call to call, so that a call in steady state allocates nothing, and end with <see cref="Dispose"/>.
/// </summary>
/// <remarks>A workspace serves one call at a time. Results do not depend on the number of threads.</remarks>
public sealed unsafe class KernelWorkspace : IDisposable
{
    private readonly ThreadTeam team = new();
    private Scratch? ofTask = new(), ofCall = new();
    private int busy;
    private bool disposed;

    /// <summary>Makes a workspace; its threads start with the first call that needs them.</summary>
    /// <param name="threads">Threads a call may use, the caller's included.</param>
    /// <exception cref="ArgumentOutOfRangeException">The number is below 1.</exception>
    public KernelWorkspace(int threads)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        Threads = threads;
    }

    /// <summary>Threads a call may use, the caller's included.</summary>
    public int Threads { get; }

    /// <summary>Ends the threads and frees the memory; no call may be running.</summary>
    /// <exception cref="InvalidOperationException">A call is running.</exception>
    public void Dispose()
    {
        if (disposed)
        {
            return;
        }

        Claim();
        disposed = true;
        team.Dispose();
        ofTask!.Free();
        ofCall!.Free();
    }

    /// <summary>Makes this workspace's memory the calling thread's until <see cref="Leave"/>.</summary>
    internal void Enter()
    {
        ObjectDisposedException.ThrowIf(disposed, this);
        Claim();
        Scratch.Exchange(ref ofTask, ref ofCall);
    }

    /// <summary>Gives the calling thread back the memory it had.</summary>
    internal void Leave()
    {
        Scratch.Exchange(ref ofTask, ref ofCall);
        Volatile.Write(ref busy, 0);
    }

    /// <summary>Keeps the threads awake through calls that follow each other closely, until <see cref="EndCalls"/>.</summary>
    internal void BeginCalls()
    {
        if (Threads > 1)
        {
            team.StayAwake();
        }
    }

    /// <summary>Ends what <see cref="BeginCalls"/> began.</summary>
    internal void EndCalls() => team.Rest();

    /// <summary>Calls <paramref name="task"/> with 0 to <paramref name="count"/> - 1, each once, in any order, on this workspace's threads.</summary>
    internal void Run(int count, delegate*<void*, int, void> task, void* argument) => team.TryRun(count, Threads, task, argument);

    private void Claim()
    {
        if (Interlocked.Exchange(ref busy, 1) != 0)
        {
            throw new InvalidOperationException("This workspace is in another call; give each calling thread a workspace of its own.");
        }
    }
}
