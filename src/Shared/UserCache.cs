namespace AdderNet;

/// <summary>The folder for files that can be made or downloaded again.</summary>
internal static class UserCache
{
    /// <summary>$ADDERNET_CACHE, else addernet in $XDG_CACHE_HOME, else in the platform's own place (~/.cache, but on Windows).</summary>
    public static string Folder => In(Environment.GetEnvironmentVariable);

    /// <summary>The same, given what the environment says.</summary>
    public static string In(Func<string, string?> environment)
    {
        string? Variable(string name) => environment(name) is { Length: > 0 } value ? value : null;
        return Variable("ADDERNET_CACHE") ?? Path.Combine(
            Variable("XDG_CACHE_HOME")
                ?? (OperatingSystem.IsWindows()
                    ? Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData)
                    : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache")),
            "addernet");
    }
}
