namespace AdderNet;

/// <summary>The folder for files that can be made or downloaded again.</summary>
internal static class UserCache
{
    /// <summary>$ADDERNET_CACHE, else $XDG_CACHE_HOME/addernet, else the platform's local application data (~/.cache on Linux).</summary>
    public static string Folder =>
        Environment.GetEnvironmentVariable("ADDERNET_CACHE") is { Length: > 0 } own
            ? own
            : Path.Combine(
                Environment.GetEnvironmentVariable("XDG_CACHE_HOME") is { Length: > 0 } xdg ? xdg
                : OperatingSystem.IsLinux() ? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache")
                : Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData),
                "addernet");
}
