namespace AdderNet.Data;

/// <summary>
/// The per-user folder of downloaded data. A file under its own name is whole and has been checked, for it is renamed to
/// it last; a lock file keeps processes that share the folder from downloading at once.
/// </summary>
internal static class DataCache
{
    /// <summary>The folder of one data set: under ADDERNET_CACHE, or addernet in the user's cache folder.</summary>
    public static string Folder(string dataset) => Folder(dataset, Environment.GetEnvironmentVariable);

    /// <summary>The same, given what the environment says.</summary>
    internal static string Folder(string dataset, Func<string, string?> environment) =>
        Path.GetFullPath(Path.Combine(UserCache.In(environment), dataset));

    /// <summary>Makes sure that each file is in <paramref name="folder"/>, whole and unchanged, and returns their paths.</summary>
    /// <param name="title">What messages call the data set.</param>
    /// <param name="folder">Where to look and to download to.</param>
    /// <param name="files">What is needed.</param>
    /// <param name="progress">Hears of downloads.</param>
    /// <param name="cancellation">Stops; what has arrived is kept for the next time.</param>
    /// <param name="package">A Debian package that has the files too, for the message.</param>
    /// <exception cref="DataException">A file cannot be had; the message says how to provide it.</exception>
    public static IReadOnlyList<string> Ensure(
        string title, string folder, IReadOnlyList<OfficialFile> files, IProgress<DownloadProgress>? progress, CancellationToken cancellation,
        string? package = null)
    {
        var paths = new List<string>();
        foreach (OfficialFile file in files)
        {
            cancellation.ThrowIfCancellationRequested();
            string path = Path.Combine(folder, file.Name);
            if (!(File.Exists(path) && file.Matches(path)))
            {
                using FileStream exclusive = Lock(folder, file, progress, cancellation);
                // Another process may have brought it while this one waited.
                if (!(File.Exists(path) && file.Matches(path)))
                {
                    Fetch(title, folder, files, file, path, package, progress, cancellation);
                }
            }

            paths.Add(path);
        }

        return paths;
    }

    private static void Fetch(
        string title, string folder, IReadOnlyList<OfficialFile> files, OfficialFile file, string path, string? package,
        IProgress<DownloadProgress>? progress, CancellationToken cancellation)
    {
        try
        {
            Task.Run(() => Download.Fetch(file, path, progress, cancellation), CancellationToken.None).GetAwaiter().GetResult();
        }
        catch (DownloadException e)
        {
            string names = string.Join(", ", files.Select(f => f.Name));
            throw new DataException(
                $"{title}'s {file.Name} could not be downloaded ({e.Message}); run again when that is mended, " +
                (package is null ? "" : $"install Debian's {package}, ") +
                $"or get {names} from {string.Join(" or ", file.Urls.Select(Parent).Distinct())} and put {(files.Count == 1 ? "it" : "them")} into {folder}.", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new DataException($"{title}'s {file.Name} could not be written to {folder}: {DataFile.OneLine(e).TrimEnd('.')}; make room or set ADDERNET_CACHE to another folder.", e);
        }
    }

    private static string Parent(string url) => url[..(url.LastIndexOf('/') + 1)];

    private static FileStream Lock(string folder, OfficialFile file, IProgress<DownloadProgress>? progress, CancellationToken cancellation)
    {
        try
        {
            return LockFile.Hold(
                Path.Combine(folder, ".lock"), () => progress?.Report(new DownloadProgress(file.Name, 0, null, Waiting: true)), cancellation);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new DataException($"The cache folder {folder} cannot be written to ({DataFile.OneLine(e).TrimEnd('.')}); set ADDERNET_CACHE to a folder that can.", e);
        }
    }
}
