using System.Runtime.InteropServices;

namespace AdderNet.Distributed;

/// <summary>
/// The one thread that talks to MPI: it begins transfers in the order in which they are given to it, keeps those on their way moving while
/// others compute, and never blocks in MPI before the end.
/// </summary>
/// <remarks>
/// MPI's own blocking calls would look for messages without a pause, and take the processor from a rank that still computes.
/// </remarks>
internal sealed partial class Courier : IDisposable
{
    // Microseconds between two looks: while somebody waits, while all compute, and when one process still has something to do by itself.
    private const uint WaitedPause = 20, Pause = 200, PartingPause = 10_000;

    // Looks without a pause before the first one: small messages within a machine arrive in a few microseconds.
    private const int EagerLooks = 200;

    private readonly MpiLibrary library;
    private readonly object gate = new();
    private readonly Queue<Transfer> given = new();
    private readonly Thread thread;
    private Exception? startFailure;
    private bool started, ending;
    private int waiting;
    private int? abortCode;

    /// <summary>Starts the thread and joins the other processes on it.</summary>
    /// <exception cref="DistributedException">MPI refuses.</exception>
    public Courier(MpiLibrary library)
    {
        this.library = library;
        thread = new Thread(Work) { IsBackground = true, Name = "AdderNet MPI" };
        thread.Start();
        lock (gate)
        {
            while (!started)
            {
                Monitor.Wait(gate);
            }
        }

        if (startFailure is not null)
        {
            throw new DistributedException(startFailure.Message, startFailure);
        }
    }

    public int Rank { get; private set; }

    public int Size { get; private set; }

    public string Version { get; private set; } = "";

    /// <summary>Gives a transfer on.</summary>
    /// <param name="begin">Begins it, on the courier's thread, and returns MPI's request.</param>
    public Transfer Give(Func<nint> begin)
    {
        Transfer transfer = new(this, begin);
        lock (gate)
        {
            given.Enqueue(transfer);
            Monitor.PulseAll(gate);
        }

        return transfer;
    }

    public void WaitFor(Transfer transfer)
    {
        lock (gate)
        {
            waiting++;
            while (!transfer.IsComplete)
            {
                Monitor.Wait(gate);
            }

            waiting--;
        }
    }

    public bool HasArrived(Transfer transfer)
    {
        lock (gate)
        {
            return transfer.IsComplete;
        }
    }

    /// <summary>Ends all processes, this one included.</summary>
    public void Abort(int exitCode)
    {
        lock (gate)
        {
            abortCode = exitCode;
            Monitor.PulseAll(gate);
        }

        thread.Join();
    }

    /// <summary>Leaves the others, when they do so, too.</summary>
    public void Dispose()
    {
        lock (gate)
        {
            ending = true;
            Monitor.PulseAll(gate);
        }

        thread.Join();
    }

    private void Work()
    {
        try
        {
            library.Initialize();
            (Rank, Size, Version) = (library.Rank(), library.Size(), library.Version());
        }
        catch (DistributedException e)
        {
            startFailure = e;
        }

        lock (gate)
        {
            started = true;
            Monitor.PulseAll(gate);
        }

        if (startFailure is null)
        {
            Carry();
        }
    }

    private void Carry()
    {
        List<Transfer> moving = [];
        int looks = 0;
        while (true)
        {
            bool waited;
            lock (gate)
            {
                while (given.Count == 0 && moving.Count == 0 && !ending && abortCode is null)
                {
                    Monitor.Wait(gate);
                }

                if (abortCode is not null || (given.Count == 0 && moving.Count == 0))
                {
                    break;
                }

                while (given.TryDequeue(out Transfer? transfer))
                {
                    moving.Add(transfer);
                    looks = 0;
                }

                waited = waiting > 0;
            }

            if (moving.RemoveAll(Moved) > 0)
            {
                looks = 0;
            }
            else if (!waited || ++looks > EagerLooks)
            {
                _ = Sleep(waited ? WaitedPause : Pause);
            }
            else
            {
                Thread.Yield();
            }
        }

        if (abortCode is { } code)
        {
            library.Abort(code);
        }
        else
        {
            Part();
        }
    }

    /// <summary>Leaves when all others do so. MPI's own end would wait for them without a pause.</summary>
    private void Part()
    {
        try
        {
            nint request = library.BeginParting();
            while (!library.Test(ref request))
            {
                _ = Sleep(PartingPause);
            }

            library.Leave();
        }
        catch (DistributedException)
        {
            // All that was to be said has been, and the launcher notices a process that ends without a farewell.
        }
    }

    /// <summary>Begins a transfer that was not yet, and looks after it.</summary>
    private bool Moved(Transfer transfer)
    {
        Exception? failure = null;
        try
        {
            if (transfer.Request == 0)
            {
                transfer.Begin();
            }

            if (!library.Test(ref transfer.Request))
            {
                return false;
            }
        }
        catch (DistributedException e)
        {
            failure = e;
        }

        lock (gate)
        {
            transfer.End(failure);
            Monitor.PulseAll(gate);
        }

        return true;
    }

    // .NET's own sleep is not shorter than a millisecond.
    [LibraryImport("libc", EntryPoint = "usleep")]
    private static partial int Sleep(uint microseconds);
}
