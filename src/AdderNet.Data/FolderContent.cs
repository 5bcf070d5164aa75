namespace AdderNet.Data;

/// <summary>What a folder and the folders below it hold: the images, and how much else was left out.</summary>
/// <param name="Images">Files named as images, hidden ones left out, in the order of their paths.</param>
/// <param name="Others">Other files.</param>
/// <param name="Hidden">Hidden files and folders.</param>
/// <param name="Repeated">Links to folders that were read already, or that a class lies in.</param>
internal sealed record FolderContent(IReadOnlyList<string> Images, int Others, int Hidden, int Repeated)
{
    private static readonly EnumerationOptions All = new() { AttributesToSkip = 0, IgnoreInaccessible = false };

    /// <summary>Reads a folder and all below it. Links are followed, but into no folder twice, so that loops end.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="isClass">Whether it is one class of several: links to where it lies itself would bring the images of the others.</param>
    /// <param name="cancellation">Stops.</param>
    /// <exception cref="DataException">A folder may not be read.</exception>
    public static FolderContent Read(string folder, bool isClass = false, CancellationToken cancellation = default)
    {
        var images = new List<string>();
        (int others, int hidden, int repeated) = (0, 0, 0);
        // Only links can lead to a folder again, but then each folder may be the one they lead to.
        var seen = new HashSet<string>(StringComparer.Ordinal);
        for (string? above = isClass ? Path.GetDirectoryName(RealPath(folder)) : null; above is not null; above = Path.GetDirectoryName(above))
        {
            seen.Add(above);
        }

        var left = new Stack<string>([folder]);
        while (left.TryPop(out string? next))
        {
            cancellation.ThrowIfCancellationRequested();
            if (!seen.Add(RealPath(next)))
            {
                repeated++;
                continue;
            }

            try
            {
                foreach (FileSystemInfo entry in new DirectoryInfo(next).EnumerateFileSystemInfos("*", All))
                {
                    string path = Path.Combine(next, entry.Name);
                    if (entry.Name[0] == '.' || (OperatingSystem.IsWindows() && entry.Attributes.HasFlag(FileAttributes.Hidden)))
                    {
                        hidden++;
                    }
                    else if (entry is DirectoryInfo || (entry.LinkTarget is not null && Directory.Exists(path)))
                    {
                        left.Push(path);
                    }
                    else if (ImageFormats.IsImageName(entry.Name))
                    {
                        images.Add(path);
                    }
                    else
                    {
                        others++;
                    }
                }
            }
            catch (UnauthorizedAccessException e)
            {
                throw new DataException($"{next} may not be read; check its permissions.", e);
            }
            catch (IOException e)
            {
                throw new DataException($"{next} cannot be read: {DataFile.OneLine(e)}", e);
            }
        }

        images.Sort(StringComparer.Ordinal);
        return new FolderContent(images, others, hidden, repeated);
    }

    /// <summary>A folder's path with every link on the way resolved.</summary>
    public static string RealPath(string folder)
    {
        string path = Path.GetFullPath(folder), real = Path.GetPathRoot(path) ?? "";
        foreach (string part in path[real.Length..].Split(Path.DirectorySeparatorChar, StringSplitOptions.RemoveEmptyEntries))
        {
            real = Path.Combine(real, part);
            try
            {
                real = new DirectoryInfo(real).ResolveLinkTarget(returnFinalTarget: true)?.FullName ?? real;
            }
            catch (IOException)
            {
                // A link to nowhere, or to itself: it stays what it is, and reading it fails.
            }
        }

        return real;
    }
}
