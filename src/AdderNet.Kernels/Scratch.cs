using System.Runtime.InteropServices;

namespace AdderNet.Kernels;

/// <summary>
/// A thread's working memory: native, aligned to 64 bytes, kept from call to call so that a call in steady state allocates
/// nothing, and freed after its thread has ended.
/// </summary>
internal sealed unsafe class Scratch
{
    private const nuint Alignment = 64;

    [ThreadStatic]
    private static Scratch? ofTask;

    [ThreadStatic]
    private static Scratch? ofCall;

    private static long total;

    private void* memory;
    private nuint size;

    ~Scratch() => Free();

    /// <summary>Bytes that all threads' scratch holds now.</summary>
    public static long TotalBytes => Volatile.Read(ref total);

    /// <summary>Bytes that the calling thread's scratch holds now.</summary>
    public static long ThreadBytes => (long)((ofTask?.size ?? 0) + (ofCall?.size ?? 0));

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

    /// <summary>Frees what the calling thread holds.</summary>
    public static void FreeThreads()
    {
        ofTask?.Free();
        ofCall?.Free();
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
