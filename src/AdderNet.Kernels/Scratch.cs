using System.Runtime.InteropServices;

namespace AdderNet.Kernels;

/// <summary>
/// Working memory of kernel calls: native, aligned to 64 bytes, kept from call to call so that a call in steady state allocates nothing.
/// Worker threads keep their own. A thread that calls rents some for the call: however many threads have ever called, no more is kept than
/// there are processors.
/// </summary>
internal sealed unsafe class Scratch
{
    private const nuint Alignment = 64;

    [ThreadStatic]
    private static Scratch? ofTask;

    [ThreadStatic]
    private static Scratch? ofCall;

    private static readonly Stack<(Scratch? Task, Scratch? Call)> Kept = new(Environment.ProcessorCount);
    private static long total;

    private void* memory;
    private nuint size;

    ~Scratch() => Free();

    /// <summary>Bytes that all threads' scratch holds now.</summary>
    public static long TotalBytes => Volatile.Read(ref total);

    /// <summary>Memory for one task, valid until this thread's next task asks for its own.</summary>
    public static void* ForTask(nint bytes) => (ofTask ??= new Scratch()).Get((nuint)bytes);

    /// <summary>Memory for one kernel call, shared with its tasks, valid until this thread's next call.</summary>
    public static void* ForCall(nint bytes) => (ofCall ??= new Scratch()).Get((nuint)bytes);

    /// <summary>Gives the calling thread other memory and takes what it had.</summary>
    public static void Exchange(ref Scratch? task, ref Scratch? call)
    {
        (ofTask, task) = (task, ofTask);
        (ofCall, call) = (call, ofCall);
    }

    /// <summary>Gives the calling thread memory for one call: a workspace's, or some that was kept.</summary>
    public static Lease Rent(KernelWorkspace? workspace = null)
    {
        if (workspace is not null)
        {
            workspace.Enter();
            return new Lease(workspace, null, null);
        }

        (Scratch? Task, Scratch? Call) rented = default;
        lock (Kept)
        {
            Kept.TryPop(out rented);
        }

        Exchange(ref rented.Task, ref rented.Call);
        return new Lease(null, rented.Task, rented.Call);
    }

    /// <summary>Frees what is kept for the next calls.</summary>
    public static void FreeKept()
    {
        lock (Kept)
        {
            while (Kept.TryPop(out (Scratch? Task, Scratch? Call) pair))
            {
                pair.Task?.Free();
                pair.Call?.Free();
            }
        }
    }

    /// <summary>Frees what the calling thread holds.</summary>
    public static void FreeThreads()
    {
        ofTask?.Free();
        ofCall?.Free();
    }

    /// <summary>A call's memory; what the thread had before comes back when the call ends.</summary>
    public readonly ref struct Lease(KernelWorkspace? workspace, Scratch? taskBefore, Scratch? callBefore)
    {
        public void Dispose()
        {
            if (workspace is not null)
            {
                workspace.Leave();
                return;
            }

            Scratch? task = taskBefore, call = callBefore;
            Exchange(ref task, ref call);
            lock (Kept)
            {
                if (Kept.Count < Environment.ProcessorCount)
                {
                    Kept.Push((task, call));
                    return;
                }
            }

            task?.Free();
            call?.Free();
        }
    }

    /// <summary>So many bytes at least, valid until the next call.</summary>
    public void* Get(nuint bytes)
    {
        if (bytes > size)
        {
            Free();
            nuint rounded = (bytes + 4095) & ~(nuint)4095;
            memory = NativeMemory.AlignedAlloc(rounded, Alignment);
            size = rounded;
            Interlocked.Add(ref total, (long)rounded);
        }

        return memory;
    }

    /// <summary>Gives the memory back; the next call asks for its own again.</summary>
    public void Free()
    {
        NativeMemory.AlignedFree(memory);
        Interlocked.Add(ref total, -(long)size);
        memory = null;
        size = 0;
    }
}

/// <summary>Cuts a scratch block into arrays, each starting on a cache line; with a null block it only adds up the size.</summary>
internal unsafe struct Carver(void* block)
{
    private readonly byte* start = (byte*)block;

    /// <summary>Whether there is no block yet.</summary>
    public readonly bool Measures => start == null;

    /// <summary>Bytes cut off so far.</summary>
    public nint Size { get; private set; }

    public T* Take<T>(long count)
        where T : unmanaged
    {
        byte* at = start + Size;
        Size = checked((nint)((Size + count * sizeof(T) + 63) & ~63L));
        return (T*)at;
    }
}
