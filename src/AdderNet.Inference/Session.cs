using System.Runtime.InteropServices;
using AdderNet.Kernels;

namespace AdderNet.Inference;

/// <summary>
/// What one call computes with. Of many images each thread takes some through the whole network at a time, so that they stay in its cache;
/// of few, all threads share each layer.
/// </summary>
internal sealed unsafe class Session : IDisposable
{
    /// <summary>What a thread's images may take in memory at once: its share of the last cache but one.</summary>
    private const long CacheBytes = 1 << 20;
    private const int MostImages = 16;

    private readonly Plan plan;
    private readonly Frame shared;
    private readonly Frame[] own;
    private readonly ThreadTeam team = new();
    private readonly int chunk;
    private readonly GCHandle handle;
    private float* input, output;
    private int images, next;

    public Session(Plan plan, int threads)
    {
        this.plan = plan;
        Threads = threads;
        chunk = (int)Math.Clamp(CacheBytes / plan.FrameLength, 1, MostImages);
        shared = new Frame(plan, threads);
        own = threads == 1 ? [shared] : [.. Enumerable.Range(0, threads).Select(_ => new Frame(plan, 1))];
        handle = GCHandle.Alloc(this, GCHandleType.Weak);
    }

    /// <summary>Threads it has, the caller's among them.</summary>
    public int Threads { get; }

    /// <summary>As <see cref="Engine.Run"/>, whose checks are done.</summary>
    public void Run(ReadOnlySpan<float> from, Span<float> to, int count)
    {
        fixed (float* x = from, y = to)
        {
            if (Threads > 1 && count < 2 * Threads)
            {
                shared.Run(x, count, y);
                return;
            }

            input = x;
            output = y;
            (images, next) = (count, 0);
            team.TryRun(Threads, Threads, &TakeChunks, (void*)GCHandle.ToIntPtr(handle));
        }
    }

    public void Dispose()
    {
        team.Dispose();
        shared.Dispose();
        foreach (Frame frame in own)
        {
            frame.Dispose();
        }

        handle.Free();
    }

    private static void TakeChunks(void* session, int member) =>
        ((Session)GCHandle.FromIntPtr((nint)session).Target!).TakeChunks(member);

    private void TakeChunks(int member)
    {
        // As even as can be: a last chunk that one thread has alone would leave the others waiting.
        int size = Math.Min(chunk, (images + Threads - 1) / Threads);
        int from;
        while ((from = Interlocked.Add(ref next, size) - size) < images)
        {
            own[member].Run(input + (long)from * plan.InputShape.Count, Math.Min(size, images - from), output + (long)from * plan.OutputLength);
        }
    }
}
