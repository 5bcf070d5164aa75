using AdderNet.Models;
using AdderNet.Training;

namespace AdderNet.Cli;

/// <summary>Where runs are kept unless the user says otherwise: below runs/ in the current folder.</summary>
internal static class Runs
{
    private const string Folder = "runs";

    /// <summary>A free folder for a run of this recipe.</summary>
    public static string NewPath(Recipe recipe)
    {
        string kind = recipe.Layers == LayerKind.Adder ? "" : $"-{recipe.Layers.Name()}";
        string path = Path.Combine(Folder, $"{recipe.Model.ToLowerInvariant()}{kind}-{recipe.Dataset}");
        return Enumerable.Range(1, int.MaxValue).Select(i => i == 1 ? path : $"{path}-{i}").First(p => !Path.Exists(p));
    }

    /// <summary>The run that was worked on last.</summary>
    /// <exception cref="CliException">There is none.</exception>
    public static string Newest() =>
        (Directory.Exists(Folder) ? Directory.GetDirectories(Folder) : [])
            .Where(d => File.Exists(Path.Combine(d, "recipe.json")))
            .MaxBy(LastWorkedOn)
        ?? throw new CliException($"There is no run in {Path.GetFullPath(Folder)}; name one, or make one with '{Host.CommandName} train'.");

    private static DateTime LastWorkedOn(string run)
    {
        string checkpoint = Path.Combine(run, "checkpoint.json");
        return File.GetLastWriteTimeUtc(File.Exists(checkpoint) ? checkpoint : Path.Combine(run, "recipe.json"));
    }
}
