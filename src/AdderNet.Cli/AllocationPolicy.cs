using System.Runtime.InteropServices;

namespace AdderNet.Cli;

/// <summary>What glibc does with memory that libtorch gives back.</summary>
/// <remarks>
/// A training step frees its activations and asks for the same again. By default glibc returns them to the system, which clears each page anew
/// when it is touched next: 4 to 9 % of a training step (docs/performance.md).
/// </remarks>
internal static partial class AllocationPolicy
{
    private const int TrimThreshold = -1, MapThreshold = -3;

    /// <summary>Keeps freed memory for the next step. What the program holds then stays at its highest.</summary>
    /// <returns>Whether it does: other C libraries have no mallopt, and glibc's own variables are the user's word.</returns>
    public static bool Set() =>
        OperatingSystem.IsLinux()
        && Environment.GetEnvironmentVariable("MALLOC_TRIM_THRESHOLD_") is null
        && Environment.GetEnvironmentVariable("MALLOC_MMAP_THRESHOLD_") is null
        && NativeLibrary.TryLoad("libc.so.6", out nint libc)
        && NativeLibrary.TryGetExport(libc, "mallopt", out _)
        // Older versions allow 32 MiB at most, and what a refusal leaves is far too low once the other option is set.
        && (SetOption(MapThreshold, 1 << 30) != 0 || SetOption(MapThreshold, 32 << 20) != 0)
        && SetOption(TrimThreshold, int.MaxValue) != 0;

    [LibraryImport("libc.so.6", EntryPoint = "mallopt")]
    private static partial int SetOption(int parameter, int value);
}
