using System.Diagnostics.CodeAnalysis;

namespace AdderNet.Kernels;

/// <summary>
/// Own threads for the numbered tasks of kernel calls. They start when a call first needs them, look for work for some microseconds after
/// a call, then sleep, and end with <see cref="Dispose"/>.
/// </summary>
internal sealed unsafe class ThreadTeam : IDisposable
{
    private const int Closed = 1 << 30;
    private const int Spins = 40;

    private readonly List<Worker> workers = [];
    private readonly TaskQueue queue = new();
    private int busy;

    // A worker joins the call being run by adding one to state unless it is closed, and leaves by taking it away again.
    private int state = Closed;
    private bool ended;
    private int awake;

    /// <summary>Runs tasks on so many threads at most, the caller's among them; false, and nothing is run, while another call has the team.</summary>
    /// <remarks>An exception of a task ends the call and is thrown here.</remarks>
    public bool TryRun(int count, int threads, delegate*<void*, int, void> task, void* argument)
    {
        if (Interlocked.CompareExchange(ref busy, 1, 0) != 0)
        {
            return false;
        }

        try
        {
            int helpers = Math.Min(threads, count) - 1;
            queue.Fill(count, task, argument);
            if (helpers <= 0)
            {
                queue.Work();
                queue.ThrowIfFailed();
                return true;
            }

            while (workers.Count < helpers)
            {
                workers.Add(new Worker(this));
            }

            Volatile.Write(ref state, 0);
            for (int i = 0; i < helpers; i++)
            {
                workers[i].Wake();
            }

            queue.Work();
            Interlocked.Or(ref state, Closed);
            SpinWait wait = default;
            while (Volatile.Read(ref state) != Closed)
            {
                // The tasks still running are as long as the one just done: yield rather than sleep.
                wait.SpinOnce(sleep1Threshold: -1);
            }

            queue.ThrowIfFailed();
            return true;
        }
        finally
        {
            Volatile.Write(ref busy, 0);
        }
    }

    /// <summary>
    /// Keeps the threads looking for work until <see cref="Rest"/>, through calls that follow each other closely: a small network's layer takes
    /// less time than waking a thread does.
    /// </summary>
    public void StayAwake()
    {
        Volatile.Write(ref awake, 1);
        workers.ForEach(w => w.Wake());
    }

    /// <summary>Lets the threads sleep again when there is no work.</summary>
    public void Rest() => Volatile.Write(ref awake, 0);

    /// <summary>Ends the threads; no call may be running.</summary>
    public void Dispose()
    {
        Volatile.Write(ref ended, true);
        workers.ForEach(w => w.End());
        workers.Clear();
    }

    private void Join()
    {
        int seen = Volatile.Read(ref state);
        while (seen < Closed)
        {
            int found = Interlocked.CompareExchange(ref state, seen + 1, seen);
            if (found == seen)
            {
                queue.Work();
                Interlocked.Decrement(ref state);
                return;
            }

            seen = found;
        }
    }

    [SuppressMessage("Reliability", "CA1001", Justification = "The thread itself disposes what it waits for, when it ends.")]
    private sealed class Worker
    {
        private readonly ThreadTeam team;
        private readonly ManualResetEventSlim work = new(false, Spins);
        private readonly Thread thread;

        public Worker(ThreadTeam team)
        {
            this.team = team;
            thread = new Thread(Loop, 256 * 1024) { IsBackground = true, Name = "AdderNet kernels" };
            thread.Start();
        }

        public void Wake() => work.Set();

        public void End()
        {
            work.Set();
            thread.Join();
        }

        private void Loop()
        {
            while (true)
            {
                SpinWait wait = default;
                while (!work.IsSet && Volatile.Read(ref team.awake) != 0)
                {
                    wait.SpinOnce(sleep1Threshold: -1);
                }

                work.Wait();
                work.Reset();
                if (Volatile.Read(ref team.ended))
                {
                    break;
                }

                team.Join();
            }

            work.Dispose();
            Scratch.FreeThreads();
        }
    }
}
