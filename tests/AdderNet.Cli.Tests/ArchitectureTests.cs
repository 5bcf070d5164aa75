using System.Runtime.CompilerServices;
using System.Xml.Linq;

namespace AdderNet.Cli.Tests;

/// <summary>The table of docs/architecture.md and the project files say the same.</summary>
public class ArchitectureTests
{
    private static readonly string Root = Path.GetFullPath(Path.Combine(Here(), "..", ".."));

    private sealed record Room(string Name, string[] StandsOn);

    [Fact]
    public void Every_project_stands_on_what_the_table_says_and_on_nothing_else()
    {
        Room[] drawn = [.. Drawn()];
        string[] folders =
        [
            .. Directory.GetDirectories(Path.Combine(Root, "src")).Where(f => File.Exists(ProjectFile(f))).Select(f => Path.GetFileName(f)!),
        ];

        Assert.Equal(folders.Order(StringComparer.Ordinal), drawn.Select(room => room.Name).Order(StringComparer.Ordinal));
        Assert.All(drawn, room =>
        {
            string[] referred = [.. References(room.Name)];
            Assert.All(referred, name => Assert.True(
                room.StandsOn.Any(below => Covers(below, name)), $"{room.Name} stands on {name}, and the table doesn't say so."));
            Assert.All(room.StandsOn, name => Assert.True(
                referred.Any(below => Covers(name, below)), $"{room.Name} does not stand on {name}, and the table says it does."));
        });
    }

    [Fact]
    public void Every_project_stands_on_those_above_it_in_the_table()
    {
        string[] order = [.. Drawn().Select(room => room.Name)];

        Assert.All(Drawn(), room => Assert.All(
            room.StandsOn.Where(order.Contains),
            name => Assert.True(Array.IndexOf(order, name) < Array.IndexOf(order, room.Name), $"{room.Name} stands above {name}.")));
    }

    /// <summary>A package's name stands for those of its native assets, too.</summary>
    private static bool Covers(string drawn, string referred) =>
        referred == drawn || referred.StartsWith(drawn + ".NativeAssets.", StringComparison.Ordinal);

    /// <summary>The table's rows; short names are those of projects without the prefix that all have.</summary>
    private static IEnumerable<Room> Drawn()
    {
        string[][] rows =
        [
            .. File.ReadLines(Path.Combine(Root, "docs", "architecture.md")).Where(line => line.StartsWith("| `src/", StringComparison.Ordinal))
                .Select(line => line.Trim('|', ' ').Split('|', StringSplitOptions.TrimEntries)),
        ];
        string[] names = [.. rows.Select(row => row[0].Trim('`')["src/".Length..])];
        return names.Zip(rows, (name, row) => new Room(name, row[^1] == "nothing" ? [] : [.. row[^1].Split(", ").Select(FullName)]));

        string FullName(string name) => names.Contains("AdderNet." + name) ? "AdderNet." + name : name;
    }

    private static IEnumerable<string> References(string project) =>
        from item in XDocument.Load(ProjectFile(Path.Combine(Root, "src", project))).Descendants()
        where item.Name.LocalName is "ProjectReference" or "PackageReference"
        let name = item.Attribute("Include")!.Value
        select item.Name.LocalName == "ProjectReference" ? Path.GetFileNameWithoutExtension(name) : name;

    private static string ProjectFile(string folder) => Path.Combine(folder, Path.GetFileName(folder) + ".csproj");

    private static string Here([CallerFilePath] string path = "") => Path.GetDirectoryName(path)!;
}
