using System.Runtime.InteropServices;

namespace AdderNet.Distributed;

/// <summary>
/// The process's signal handlers as they were: libraries below MPI (UCX for one) put their own in the place of the runtime's, which turns a
/// segmentation fault into a <see cref="NullReferenceException"/>.
/// </summary>
internal sealed unsafe partial class SignalHandlers : IDisposable
{
    // All that are no real-time signals, and more room than any system's struct sigaction takes.
    private const int Last = 31, Room = 512;

    private readonly byte[] kept = new byte[(Last + 1) * Room];

    /// <summary>Remembers the handlers.</summary>
    public SignalHandlers() => ForEach((signal, action) => sigaction(signal, null, action));

    /// <summary>Puts them back.</summary>
    public void Dispose() => ForEach((signal, action) => sigaction(signal, action, null));

    private delegate int Use(int signal, byte* action);

    private void ForEach(Use use)
    {
        fixed (byte* start = kept)
        {
            for (int signal = 1; signal <= Last; signal++)
            {
                // Those that nobody can handle fail, which is as well.
                _ = use(signal, start + signal * Room);
            }
        }
    }

    [LibraryImport("libc")]
    private static partial int sigaction(int signal, byte* action, byte* old);
}
