namespace AdderNet.Training;

/// <summary>Where and how a run is computed, as opposed to what: none of it is part of the recipe.</summary>
public sealed record RunOptions
{
    /// <summary>Where the data lies; null for the default place.</summary>
    public string? DataDir { get; init; }

    /// <summary>Threads for libtorch, the kernels and the loader; 0 for all processors.</summary>
    public int Threads { get; init; }

    /// <summary>Whether every step checks activations and gradients for NaN and infinity, layer by layer.</summary>
    public bool DetectAnomaly { get; init; }
}

/// <summary>
/// The folder of one run: recipe.json, run.json, metrics.csv, metrics.jsonl, TensorBoard events, and checkpoint.json, which names the
/// weights of the last and the best epoch. While it is open no other process can train in it.
/// </summary>
public sealed class RunFolder : IDisposable
{
    /// <summary>Makes the folder of a new run.</summary>
    /// <param name="path">The folder; it must not exist, or be empty.</param>
    /// <param name="recipe">What will be trained.</param>
    /// <param name="options">How.</param>
    /// <exception cref="TrainingException">The folder holds a run or other files, or can't be written.</exception>
    public static RunFolder Create(string path, Recipe recipe, RunOptions? options = null) => throw new NotImplementedException();

    /// <summary>Opens the folder of a run to continue it.</summary>
    /// <param name="path">The folder.</param>
    /// <param name="options">Options in place of the recorded ones; null keeps those.</param>
    /// <exception cref="TrainingException">It holds no run, is in use, or is damaged.</exception>
    public static RunFolder Open(string path, RunOptions? options = null) => throw new NotImplementedException();

    /// <summary>The folder.</summary>
    public string Path => throw new NotImplementedException();

    /// <summary>What is trained in it.</summary>
    public Recipe Recipe => throw new NotImplementedException();

    /// <summary>How.</summary>
    public RunOptions Options => throw new NotImplementedException();

    /// <summary>The epochs completed so far.</summary>
    public IReadOnlyList<EpochMetrics> History => throw new NotImplementedException();

    /// <summary>Lets other processes use the folder.</summary>
    public void Dispose() => throw new NotImplementedException();
}
