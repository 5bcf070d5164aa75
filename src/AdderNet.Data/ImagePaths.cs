using System.Text;
using System.Text.RegularExpressions;

namespace AdderNet.Data;

/// <summary>Finds image files by what people type: files, folders and patterns.</summary>
public static class ImagePaths
{
    private const int MaxDepth = 64;

    private static readonly EnumerationOptions All = new() { AttributesToSkip = 0, IgnoreInaccessible = false, MatchType = MatchType.Simple };

    /// <summary>The files that an argument stands for, in the order of their names.</summary>
    /// <param name="argument">
    /// A file, whatever its name; a folder, which stands for the images in it and in the folders below it; or a pattern with *, ?, [abc]
    /// and ** for any folders, where no file has that very name.
    /// </param>
    /// <exception cref="DataException">There is no such file, no image in the folder, or no match of the pattern.</exception>
    public static IReadOnlyList<string> Find(string argument)
    {
        ArgumentNullException.ThrowIfNull(argument);
        if (argument.Length == 0)
        {
            throw new DataException("An empty path names no image; give a file, a folder or a pattern.");
        }

        if (File.Exists(argument))
        {
            return [argument];
        }

        if (Directory.Exists(argument))
        {
            return InFolder(argument);
        }

        if (argument.AsSpan().IndexOfAny('*', '?', '[') < 0)
        {
            throw new DataException($"{argument} does not exist; check the path.");
        }

        string[] found = [.. Matches(argument).Order(StringComparer.Ordinal).SelectMany(path => Directory.Exists(path) ? FolderContent.Read(path).Images : [path])];
        return found.Length == 0 ? throw new DataException($"No file matches {argument}; check the pattern.") : found;
    }

    private static IReadOnlyList<string> InFolder(string folder)
    {
        FolderContent content = FolderContent.Read(folder);
        return content.Images.Count > 0 ? content.Images : throw new DataException(
            $"{folder} holds no image file ({string.Join(", ", ImageFormats.Endings)}){(content.Others > 0 ? $", only {content.Others} other file{(content.Others == 1 ? "" : "s")}" : "")}; give a file or another folder.");
    }

    private static IEnumerable<string> Matches(string pattern)
    {
        string root = Path.GetPathRoot(pattern) ?? "";
        string[] parts = pattern[root.Length..].Split([Path.DirectorySeparatorChar, Path.AltDirectorySeparatorChar], StringSplitOptions.RemoveEmptyEntries);
        return Walk(root, parts, 0);
    }

    private static IEnumerable<string> Walk(string folder, ArraySegment<string> parts, int depth)
    {
        string part = parts[0];
        bool last = parts.Count == 1;
        if (part == "**")
        {
            // No folder at all, or one and then again any.
            IEnumerable<string> here = last ? Entries(folder, _ => true, folders: false) : Walk(folder, parts[1..], depth);
            IEnumerable<string> below = depth == MaxDepth ? [] : Entries(folder, name => name[0] != '.', folders: true)
                .Where(path => File.ResolveLinkTarget(path, returnFinalTarget: false) is null)
                .SelectMany(path => Walk(path, parts, depth + 1));
            return here.Concat(below);
        }

        // A folder that has this very name is meant, also where the name looks like a pattern.
        string literal = Path.Combine(folder, part);
        if (part.AsSpan().IndexOfAny('*', '?', '[') < 0 || Path.Exists(literal))
        {
            return last ? Path.Exists(literal) ? [literal] : []
                : Directory.Exists(literal) ? Walk(literal, parts[1..], depth) : [];
        }

        Regex regex = ToRegex(part);
        // As in a shell, a pattern finds hidden files only where it starts with their dot.
        bool Fits(string name) => (name[0] != '.' || part[0] == '.') && regex.IsMatch(name);
        return last
            ? Entries(folder, Fits, folders: null)
            : Entries(folder, Fits, folders: true).SelectMany(path => Walk(path, parts[1..], depth));
    }

    private static IEnumerable<string> Entries(string folder, Func<string, bool> fits, bool? folders)
    {
        string from = folder.Length == 0 ? "." : folder;
        if (!Directory.Exists(from))
        {
            return [];
        }

        try
        {
            return [.. new DirectoryInfo(from).EnumerateFileSystemInfos("*", All)
                .Where(entry => fits(entry.Name) && (folders is null || folders == Directory.Exists(entry.FullName)))
                .Select(entry => Path.Combine(folder, entry.Name))];
        }
        catch (Exception e) when (e is UnauthorizedAccessException or IOException)
        {
            throw new DataException($"{from} may not be read; check its permissions ({DataFile.OneLine(e)}).", e);
        }
    }

    private static Regex ToRegex(string pattern)
    {
        var regex = new StringBuilder("^");
        for (int i = 0; i < pattern.Length; i++)
        {
            int end = pattern[i] == '[' ? pattern.IndexOf(']', Math.Min(i + 2, pattern.Length)) : -1;
            if (end > 0)
            {
                string set = pattern[(i + 1)..end].Replace("\\", "\\\\", StringComparison.Ordinal).Replace("[", "\\[", StringComparison.Ordinal);
                regex.Append('[').Append(set[0] is '!' or '^' ? "^" + set[1..] : set.Replace("^", "\\^", StringComparison.Ordinal)).Append(']');
                i = end;
            }
            else
            {
                regex.Append(pattern[i] switch { '*' => ".*", '?' => ".", var c => Regex.Escape(c.ToString()) });
            }
        }

        try
        {
            return new Regex(regex.Append('$').ToString(), RegexOptions.CultureInvariant | RegexOptions.Singleline | RegexOptions.NonBacktracking);
        }
        catch (ArgumentException e)
        {
            throw new DataException($"The pattern {pattern} is not understood; * stands for any letters, ? for one, [abc] for one of these.", e);
        }
    }
}
