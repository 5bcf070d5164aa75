namespace AdderNet.Data;

/// <summary>Where an IDX data set's files are: in a folder of the user's, within this assembly, in a system package, or on the network.</summary>
/// <param name="Info">The data set.</param>
/// <param name="Folders">Customary places within a user's folder.</param>
/// <param name="Package">A system package with the files; null where there is none.</param>
/// <param name="Train">Images and labels of the training split.</param>
/// <param name="Test">Images and labels of the test split.</param>
/// <param name="Embedded">Whether the files are resources of this assembly.</param>
internal sealed record IdxSource(
    DatasetInfo Info, string[] Folders, SystemPackage? Package, OfficialFile[] Train, OfficialFile[] Test, bool Embedded = false)
{
    public Dataset Open(bool train, string? dataDir, IProgress<DownloadProgress>? progress, CancellationToken cancellation)
    {
        OfficialFile[] files = train ? Train : Test;
        if (dataDir is null && Embedded)
        {
            using Stream images = Resource(files[0]), labels = Resource(files[1]);
            return IdxDataset.Load(Info, images, files[0].Name, labels, files[1].Name);
        }

        IReadOnlyList<string> paths = dataDir is not null ? InUserFolder(files, dataDir)
            : InPackage(files) ?? DataCache.Ensure(Info.Title, DataCache.Folder(Info.Name), files, progress, cancellation, Package?.Name);
        return IdxDataset.Load(Info, paths[0], paths[1]);
    }

    /// <summary>A file that is within this assembly, as it is published: zipped.</summary>
    internal static Stream Resource(OfficialFile file) => typeof(IdxSource).Assembly.GetManifestResourceStream(file.Name)!;

    private string[]? InPackage(OfficialFile[] files)
    {
        string[] paths = [.. files.Select(file => Path.Combine(Package?.Folder ?? "", file.Name))];
        if (Package is null || !Array.TrueForAll(paths, File.Exists))
        {
            return null;
        }

        for (int i = 0; i < paths.Length; i++)
        {
            if (!files[i].Matches(paths[i]))
            {
                throw new DataException($"{paths[i]} does not have the published SHA-256; reinstall Debian's {Package.Name}.") { Problem = DataProblem.WrongSystemFile };
            }
        }

        return paths;
    }

    private string[] InUserFolder(OfficialFile[] files, string dataDir)
    {
        UserFolder.Check(dataDir);
        foreach (string folder in Folders)
        {
            string?[] paths = [.. files.Select(file => Variants(file.Name).Select(name => Path.Combine(dataDir, folder, name)).FirstOrDefault(File.Exists))];
            if (Array.TrueForAll(paths, path => path is not null))
            {
                return paths!;
            }

            int missing = Array.IndexOf(paths, null);
            if (paths[1 - missing] is { } other)
            {
                throw new DataException($"{Path.GetDirectoryName(other)} holds {Path.GetFileName(other)}, but not {files[missing].Name}; add it.");
            }
        }

        throw new DataException($"{dataDir} holds no {Info.Title} files; put {files[0].Name} and {files[1].Name} (or the unzipped ones) there or into {UserFolder.Names(Folders)} within it.");
    }

    // Unzipped or not, and with the dot that some copies have instead of the last hyphen but one.
    private static IEnumerable<string> Variants(string name)
    {
        string unzipped = name[..^".gz".Length];
        string dotted = unzipped.Replace("-idx", ".idx", StringComparison.Ordinal);
        return [unzipped, name, dotted, dotted + ".gz"];
    }
}

/// <summary>Where CIFAR's files are: in a folder of the user's, in an archive, or on the network.</summary>
/// <param name="Info">The data set.</param>
/// <param name="Folders">Customary places within a user's folder.</param>
/// <param name="LabelBytes">Label bytes of a record; the last is the class.</param>
/// <param name="Archive">The official archive.</param>
/// <param name="Train">The training split's members of the archive.</param>
/// <param name="Test">The test split's members.</param>
internal sealed record CifarSource(DatasetInfo Info, string[] Folders, int LabelBytes, OfficialFile Archive, string[] Train, string[] Test)
{
    public Dataset Open(bool train, string? dataDir, IProgress<DownloadProgress>? progress, CancellationToken cancellation)
    {
        string[] members = train ? Train : Test;
        if (dataDir is null)
        {
            string archive = DataCache.Ensure(Info.Title, DataCache.Folder(Info.Name), [Archive], progress, cancellation)[0];
            return CifarDataset.LoadArchive(Info, LabelBytes, archive, members);
        }

        if (File.Exists(dataDir))
        {
            return CifarDataset.LoadArchive(Info, LabelBytes, dataDir, members);
        }

        UserFolder.Check(dataDir);
        foreach (string folder in Folders)
        {
            string[] paths = [.. members.Select(member => Path.Combine(dataDir, folder, Path.GetFileName(member)))];
            int present = paths.Count(File.Exists);
            if (present == paths.Length)
            {
                return CifarDataset.LoadFiles(Info, LabelBytes, paths);
            }

            if (present > 0)
            {
                throw new DataException($"{Path.Combine(dataDir, folder)} lacks {Path.GetFileName(Array.Find(paths, path => !File.Exists(path)))}; add it from {Archive.Name}.");
            }

            // torchvision downloads the Python version.
            string python = Path.GetDirectoryName(CifarDataset.Pickled(members[0]))!;
            foreach (string place in (string[])[folder, Path.Combine(folder, python)])
            {
                string[] pickles = [.. members.Select(member => Path.Combine(dataDir, place, Path.GetFileName(CifarDataset.Pickled(member))))];
                if (Array.TrueForAll(pickles, File.Exists))
                {
                    return CifarDataset.LoadFiles(Info, LabelBytes, pickles, pickled: true);
                }
            }

            foreach (string name in (string[])[Archive.Name, Archive.Name.Replace("-binary", "-python", StringComparison.Ordinal)])
            {
                string archive = Path.Combine(dataDir, folder, name);
                if (File.Exists(archive))
                {
                    return CifarDataset.LoadArchive(Info, LabelBytes, archive, members);
                }
            }
        }

        throw new DataException($"{dataDir} holds no {Info.Title} files; put {Archive.Name} (the binary version; the Python version is read, too) or what it unpacks to there or into {UserFolder.Names(Folders)} within it.");
    }
}

internal static class UserFolder
{
    public static void Check(string dataDir)
    {
        if (!Directory.Exists(dataDir))
        {
            throw new DataException($"{dataDir} does not exist or is no folder.") { Problem = DataProblem.NoSuchFolder };
        }
    }

    public static string Names(string[] folders) => string.Join(", ", folders.Where(folder => folder.Length > 0).Take(2));
}
