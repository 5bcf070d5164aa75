using System.Runtime.InteropServices;

namespace AdderNet.Kernels;

/// <summary>
/// Runs the numbered tasks of a kernel call on <see cref="KernelThreads.Count"/> threads, the caller's among them, without
/// allocating: an OpenMP runtime's where the process has one, else own ones.
/// </summary>
internal static unsafe class WorkerPool
{
    private static readonly ThreadTeam Own = new();
    private static readonly TaskQueue Queue = new();
    private static int busy;

    /// <summary>
    /// Threads that call kernels from the OpenMP runtime's threads: it makes a team for each and ends it only with its caller, so these are few:
    /// a model's thread, and one more. Calls of all others share own threads.
    /// </summary>
    private const int MostCallers = 2;

    private static int callers;

    [ThreadStatic]
    private static Caller? caller;

    /// <summary>Threads to run tasks on in place of own ones; null for those.</summary>
    public static OpenMPTeam? Team { get; set; }

    /// <summary>Calls <paramref name="task"/> with 0 to <paramref name="count"/> - 1, each once, in any order and on any thread.</summary>
    /// <remarks>
    /// Tasks too small to be worth waking a worker are run by the caller. While another thread's call has the workers, the caller runs all
    /// its tasks itself. An exception of a task ends the call and is thrown here.
    /// </remarks>
    public static void Run(int count, delegate*<void*, int, void> task, void* argument, bool small = false)
    {
        int threads = small ? 1 : KernelThreads.Count;
        bool done = Math.Min(threads, count) > 1
            && (Team is { } team && IsCaller() ? TryRun(team, count, threads, task, argument) : Own.TryRun(count, threads, task, argument));
        for (int i = 0; !done && i < count; i++)
        {
            task(argument, i);
        }
    }

    /// <summary>Whether the calling thread is, or may become, one of those that the OpenMP runtime keeps a team for.</summary>
    private static bool IsCaller()
    {
        if (caller is null)
        {
            if (Interlocked.Increment(ref callers) > MostCallers)
            {
                Interlocked.Decrement(ref callers);
                return false;
            }

            caller = new Caller();
        }

        return true;
    }

    private static bool TryRun(OpenMPTeam team, int count, int threads, delegate*<void*, int, void> task, void* argument)
    {
        if (Interlocked.CompareExchange(ref busy, 1, 0) != 0)
        {
            return false;
        }

        try
        {
            Queue.Fill(count, task, argument);

            // All its threads even for fewer tasks: libgomp ends and makes threads whenever the number changes.
            team.Run(&Work, threads);
            Queue.ThrowIfFailed();
            return true;
        }
        finally
        {
            Volatile.Write(ref busy, 0);
        }
    }

    [UnmanagedCallersOnly]
    private static void Work(void* unused) => Queue.Work();

    /// <summary>A place among the callers, free again once its thread has ended.</summary>
    private sealed class Caller
    {
        ~Caller() => Interlocked.Decrement(ref callers);
    }
}
