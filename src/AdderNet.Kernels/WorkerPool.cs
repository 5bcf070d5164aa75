using System.Diagnostics.CodeAnalysis;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;

namespace AdderNet.Kernels;

/// <summary>
/// Runs the numbered tasks of a kernel call on <see cref="KernelThreads.Count"/> threads, the caller's among them, without
/// allocating: an OpenMP runtime's where the process has one, else own workers, which look for work for some microseconds, then sleep.
/// </summary>
internal static unsafe class WorkerPool
{
    private const int Closed = 1 << 30;
    private const int Spins = 40;

    private static readonly List<Worker> Workers = [];
    private static int busy;

    // The call being run. A worker joins by adding one to state unless it is closed, and leaves by taking it away again.
    private static int state = Closed;
    private static delegate*<void*, int, void> body;
    private static void* context;
    private static int tasks;
    private static int next;
    private static ExceptionDispatchInfo? failure;

    /// <summary>Threads to run tasks on in place of own ones; null for those.</summary>
    public static OpenMPTeam? Team { get; set; }

    /// <summary>Calls <paramref name="task"/> with 0 to <paramref name="count"/> - 1, each once, in any order and on any thread.</summary>
    /// <remarks>
    /// Tasks too small to be worth waking a worker are run by the caller. While another thread's call has the workers, the caller runs all
    /// its tasks itself. An exception of a task ends the call and is thrown here.
    /// </remarks>
    public static void Run(int count, delegate*<void*, int, void> task, void* argument, bool small = false)
    {
        int threads = small ? 1 : KernelThreads.Count, helpers = Math.Min(threads, count) - 1;
        if (helpers <= 0 || Interlocked.CompareExchange(ref busy, 1, 0) != 0)
        {
            for (int i = 0; i < count; i++)
            {
                task(argument, i);
            }

            return;
        }

        try
        {
            body = task;
            context = argument;
            (tasks, next, failure) = (count, 0, null);
            if (Team is { } team)
            {
                // All its threads even for fewer tasks: libgomp ends and makes threads whenever the number changes.
                team.Run(&WorkUnmanaged, threads);
                failure?.Throw();
                return;
            }

            while (Workers.Count < helpers)
            {
                Workers.Add(new Worker());
            }

            Volatile.Write(ref state, 0);
            for (int i = 0; i < helpers; i++)
            {
                Workers[i].Wake();
            }

            Work();
            Interlocked.Or(ref state, Closed);
            SpinWait wait = default;
            while (Volatile.Read(ref state) != Closed)
            {
                // The tasks still running are as long as the one just done: yield rather than sleep.
                wait.SpinOnce(sleep1Threshold: -1);
            }

            failure?.Throw();
        }
        finally
        {
            failure = null;
            Volatile.Write(ref busy, 0);
        }
    }

    [UnmanagedCallersOnly]
    private static void WorkUnmanaged(void* unused) => Work();

    private static void Work()
    {
        try
        {
            int i;
            while ((i = Interlocked.Increment(ref next) - 1) < tasks)
            {
                body(context, i);
            }
        }
        catch (Exception e)
        {
            Interlocked.CompareExchange(ref failure, ExceptionDispatchInfo.Capture(e), null);
            Volatile.Write(ref next, int.MaxValue / 2);
        }
    }

    private static void Join()
    {
        int seen = Volatile.Read(ref state);
        while (seen < Closed)
        {
            int found = Interlocked.CompareExchange(ref state, seen + 1, seen);
            if (found == seen)
            {
                Work();
                Interlocked.Decrement(ref state);
                return;
            }

            seen = found;
        }
    }

    [SuppressMessage("Reliability", "CA1001", Justification = "A worker lives as long as the process.")]
    private sealed class Worker
    {
        private readonly ManualResetEventSlim work = new(false, Spins);

        public Worker() =>
            new Thread(Loop, 256 * 1024) { IsBackground = true, Name = "AdderNet kernels" }.Start();

        public void Wake() => work.Set();

        private void Loop()
        {
            while (true)
            {
                work.Wait();
                work.Reset();
                Join();
            }
        }
    }
}
