using AdderNet.Training;

namespace AdderNet.Reproduction;

/// <summary>The runs in an experiment's folder, and those of the experiments beside it.</summary>
/// <param name="experimentFolder">The experiment's folder.</param>
internal sealed class RunStore(string experimentFolder)
{
    private const string RunsName = "runs", SourceName = "copied-from.txt";

    private readonly string folder = Path.Combine(experimentFolder, RunsName);

    /// <summary>The folder of a run.</summary>
    public string PathOf(PlannedRun run) => Path.Combine(folder, run.Name);

    /// <summary>How far a run has come.</summary>
    /// <exception cref="OtherRunException">Its folder holds a run of another recipe.</exception>
    /// <exception cref="TrainingException">Its folder is damaged, or in use by another process.</exception>
    public RunFinding Find(PlannedRun run)
    {
        string path = PathOf(run);
        if (!RunFolder.HoldsRun(path))
        {
            return new RunFinding(run, path, []);
        }

        using RunFolder found = RunFolder.Open(path);
        if (Difference(found.Recipe, run.Recipe) is { } difference)
        {
            throw found.Recipe.Epochs != run.Recipe.Epochs
                ? new OtherRunException($"{path} holds a run of {found.Recipe.Epochs} epochs, not of {run.Recipe.Epochs}.", found.Recipe.Epochs)
                : new OtherRunException($"{path} holds a run of another recipe ({difference}).");
        }

        string source = Path.Combine(path, SourceName);
        return new RunFinding(run, path, found.History, File.Exists(source) ? File.ReadAllText(source).Trim() : null);
    }

    /// <summary>Copies a run from an experiment beside this one that has trained the same recipe on the same data to its end, with as many threads on the same kind of processor.</summary>
    /// <returns>The run's folder there; null where there is none.</returns>
    public string? CopyFromSibling(PlannedRun run, string? dataDir, int threads)
    {
        string path = PathOf(run);
        // A recipe doesn't tell of a module of one's own, and what is there is never replaced.
        if (run.Model is not null || Path.Exists(path))
        {
            return null;
        }

        foreach (string sibling in Siblings())
        {
            if (TryCopy(sibling, path, run.Recipe, dataDir, threads))
            {
                return sibling;
            }
        }

        return null;
    }

    /// <summary>The runs that experiments beside this one have trained to the end, each with its model, which lives until the next one is asked for.</summary>
    public IEnumerable<(string Run, TrainedModel Trained)> TrainedSiblings()
    {
        foreach (string path in Siblings())
        {
            TrainedModel found;
            try
            {
                found = TrainedModel.Load(path, CheckpointChoice.Last);
            }
            catch (TrainingException)
            {
                continue;
            }

            using (found)
            {
                if (found.Metrics.Epoch >= found.Recipe.Epochs)
                {
                    yield return (path, found);
                }
            }
        }
    }

    private IEnumerable<string> Siblings()
    {
        string own = Path.GetFullPath(experimentFolder);
        return Folders(Path.GetDirectoryName(own)).Where(f => f != own).SelectMany(f => Folders(Path.Combine(f, RunsName))).Where(RunFolder.HoldsRun);
    }

    private static bool TryCopy(string from, string to, Recipe recipe, string? dataDir, int threads)
    {
        RunFolder found;
        try
        {
            found = RunFolder.Open(from);
        }
        catch (TrainingException)
        {
            // In use or damaged: the run is trained anew.
            return false;
        }

        // While it is open, nobody trains in it.
        using (found)
        {
            if (Difference(found.Recipe, recipe) is not null || found.History.Count < recipe.Epochs || found.Options.DataDir != dataDir || found.Options.Threads != threads || found.Differences.Count > 0
                || !HoldsTheRecipesModel(from))
            {
                return false;
            }

            string incomplete = $"{to}.incomplete";
            if (Directory.Exists(incomplete))
            {
                Directory.Delete(incomplete, recursive: true);
            }

            foreach (string file in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories).Where(f => Path.GetFileName(f) != RunFolder.LockName))
            {
                string target = Path.Combine(incomplete, Path.GetRelativePath(from, file));
                Directory.CreateDirectory(Path.GetDirectoryName(target)!);
                File.Copy(file, target);
            }

            File.WriteAllText(Path.Combine(incomplete, SourceName), from + "\n");
            Directory.Move(incomplete, to);
            return true;
        }
    }

    // A run of somebody's own module doesn't fit, nor does a damaged checkpoint.
    private static bool HoldsTheRecipesModel(string path)
    {
        try
        {
            TrainedModel.Load(path, CheckpointChoice.Last).Dispose();
            return true;
        }
        catch (TrainingException)
        {
            return false;
        }
    }

    /// <summary>The first field in which two recipes differ, with both values; null where they are the same.</summary>
    private static string? Difference(Recipe found, Recipe wanted)
    {
        string[] a = Lines(found), b = Lines(wanted);
        return Enumerable.Range(0, Math.Min(a.Length, b.Length)).Where(i => a[i] != b[i]).Select(i => $"{a[i]} instead of {b[i]}").FirstOrDefault()
            ?? (a.Length == b.Length ? null : "another augmentation");

        static string[] Lines(Recipe recipe) =>
            [.. recipe.WithAugmentation().ToJson().Split('\n').Select(l => l.Trim().TrimEnd(',').Replace("\"", "", StringComparison.Ordinal))];
    }

    private static string[] Folders(string? path)
    {
        try
        {
            return path is not null && Directory.Exists(path) ? [.. Directory.GetDirectories(path).Order(StringComparer.Ordinal)] : [];
        }
        catch (UnauthorizedAccessException)
        {
            return [];
        }
    }
}
