using System.Runtime.InteropServices;

namespace AdderNet.Cli.Tests;

public class AllocationPolicyTests
{
    [Fact]
    public void Glibc_keeps_what_a_step_has_freed_unless_the_user_has_said_otherwise()
    {
        bool glibc = OperatingSystem.IsLinux() && NativeLibrary.TryLoad("libc.so.6", out nint libc) && NativeLibrary.TryGetExport(libc, "gnu_get_libc_version", out _);
        bool said = Environment.GetEnvironmentVariable("MALLOC_TRIM_THRESHOLD_") is not null || Environment.GetEnvironmentVariable("MALLOC_MMAP_THRESHOLD_") is not null;
        Assert.Equal(glibc && !said, AllocationPolicy.Set());
    }
}
