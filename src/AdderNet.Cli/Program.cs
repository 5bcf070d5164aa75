using System.Runtime.InteropServices;
using AdderNet.Cli;

WaitPolicy.Set();
_ = AllocationPolicy.Set();
return new CommandLine(Host.OfThisProcess()).Run(args);

/// <summary>How long libtorch's OpenMP threads look for work before they sleep.</summary>
internal static partial class WaitPolicy
{
    /// <summary>
    /// Some tens of microseconds rather than milliseconds: as fast on an idle machine, and where others compute, too, it doesn't burn
    /// the processor time that they and our own threads need (measured: a third of the time).
    /// </summary>
    // libgomp reads the process's own environment when it is loaded; Environment.SetEnvironmentVariable doesn't reach that.
    public static void Set()
    {
        if (OperatingSystem.IsLinux() && Environment.GetEnvironmentVariable("OMP_WAIT_POLICY") is null)
        {
            _ = SetEnvironment("GOMP_SPINCOUNT", "10000", overwrite: 0);
        }
    }

    [LibraryImport("libc", EntryPoint = "setenv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SetEnvironment(string name, string value, int overwrite);
}
