using System.Diagnostics;

namespace AdderNet.Testing;

/// <summary>A tmpfs with some mount options for the length of a test, which is skipped where it can't be mounted.</summary>
internal sealed class TinyMount : IDisposable
{
    private readonly string folder;

    public TinyMount(string folder, string options)
    {
        this.folder = Directory.CreateDirectory(folder).FullName;
        Assert.SkipUnless(
            OperatingSystem.IsLinux() && Environment.IsPrivilegedProcess && Run("mount", "-t", "tmpfs", "-o", options, "tmpfs", folder),
            "needs the right to mount a tmpfs");
    }

    /// <summary>From now on nothing in it can be written, by root neither.</summary>
    public void MakeReadOnly() => Assert.True(Run("mount", "-o", "remount,ro", folder));

    // Lazily: whatever still looks at it, such as an indexer, must not keep the test from cleaning up.
    public void Dispose() => Run("umount", "--lazy", folder);

    private static bool Run(string program, params string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true })!;
        process.StandardError.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0;
    }
}
