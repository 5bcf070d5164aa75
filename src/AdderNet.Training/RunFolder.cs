using System.Text.Json;
using AdderNet.Checkpoints;
using IoPath = System.IO.Path;

namespace AdderNet.Training;

/// <summary>Where and how a run is computed, as opposed to what: none of it is part of the recipe.</summary>
public sealed record RunOptions
{
    /// <summary>Where the data lies; null for the default place.</summary>
    public string? DataDir { get; init; }

    /// <summary>
    /// Threads for libtorch and the kernels; 0 for all processors, in whose place a run folder records their number. Another number gives
    /// slightly other rounding.
    /// </summary>
    public int Threads { get; init; }

    /// <summary>Whether image files that can't be read are left out.</summary>
    public bool SkipDamaged { get; init; }

    /// <summary>
    /// The kind of processor that computed: maker, architecture and vectors. A run folder records it when training begins; another kind
    /// gives slightly other rounding.
    /// </summary>
    public string? Processor { get; init; }

    /// <summary>Whether every step checks activations and gradients for NaN and infinity, layer by layer.</summary>
    public bool DetectAnomaly { get; init; }
}

/// <summary>
/// The folder of one run: recipe.json, run.json, metrics.csv, metrics.jsonl, TensorBoard events, and checkpoint.json, which names the
/// weights of the last and the best epoch. While it is open no other process can train in it.
/// </summary>
public sealed class RunFolder : IDisposable
{
    /// <summary>The file by which a process holds the folder.</summary>
    internal const string LockName = ".lock";

    private const string RecipeName = "recipe.json", OptionsName = "run.json";

    private readonly FileStream held;
    private readonly RunOptions? recorded;
    private bool isNew, madeFolder;

    private RunFolder(string path, FileStream held, Recipe recipe, RunOptions options, RunOptions? recorded, CheckpointStore checkpoints)
    {
        this.recorded = recorded;
        Path = path;
        this.held = held;
        Recipe = recipe;
        Options = options;
        Checkpoints = checkpoints;
    }

    /// <summary>The folder, as it was given.</summary>
    public string Path { get; }

    /// <summary>What is trained in it.</summary>
    public Recipe Recipe { get; }

    /// <summary>How.</summary>
    public RunOptions Options { get; }

    /// <summary>The epochs completed so far.</summary>
    public IReadOnlyList<EpochMetrics> History => Checkpoints.Index?.History ?? [];

    /// <summary>The best of them by the task's deciding metric; null before the first.</summary>
    public EpochMetrics? Best => Checkpoints.Index?.Best;

    /// <summary>Why going on cannot give the bits that an uninterrupted run would have given, in sentences; empty where it can.</summary>
    public IReadOnlyList<string> Differences => History.Count == 0 || recorded is null ? [] :
    [
        .. recorded.Threads == 0
            ? [$"This run does not say how many threads computed it so far; with another number than {Options.Threads} it goes on slightly differently than it would have."]
            : recorded.Threads != Options.Threads
            ? [$"This run was computed with {recorded.Threads} thread(s) so far and goes on with {Options.Threads}, slightly differently than it would have."]
            : (string[])[],
        .. recorded.Processor is { } processor && processor != ProcessorKind.Current
            ? [$"This run was computed on {processor} so far and goes on with {ProcessorKind.Current}, slightly differently than it would have."]
            : (string[])[],
    ];

    internal CheckpointStore Checkpoints { get; }

    /// <summary>Records what computes from now on: training begins.</summary>
    internal void RecordMachine()
    {
        isNew = false;
        Write(Path, OptionsName, JsonSerializer.Serialize(Options with { Processor = ProcessorKind.Current }, TrainingJson.Indented));
    }

    /// <summary>Whether a folder holds a run.</summary>
    /// <param name="path">The folder; it may not exist.</param>
    public static bool HoldsRun(string path) => File.Exists(IoPath.Combine(path, RecipeName));

    /// <summary>Makes the folder of a new run.</summary>
    /// <param name="path">The folder; it must not exist, or be empty.</param>
    /// <param name="recipe">What will be trained.</param>
    /// <param name="options">How.</param>
    /// <exception cref="TrainingException">The folder holds a run or other files, or can't be written; or the recipe is no good.</exception>
    public static RunFolder Create(string path, Recipe recipe, RunOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentNullException.ThrowIfNull(recipe);
        recipe.Validate();
        options = Counted(options ?? new RunOptions());
        Refuse(path);
        bool makesFolder = !Directory.Exists(path);
        FileStream held = Lock(path, create: true);
        try
        {
            // Another process may have been faster between the first look and the lock.
            Refuse(path);
            // The recipe makes it a run folder, so it comes last.
            Write(path, OptionsName, JsonSerializer.Serialize(options, TrainingJson.Indented));
            Write(path, RecipeName, recipe.ToJson());
            return new RunFolder(path, held, recipe, options, null, new CheckpointStore(path)) { isNew = true, madeFolder = makesFolder };
        }
        catch
        {
            held.Dispose();
            throw;
        }
    }

    /// <summary>Opens the folder of a run to continue it.</summary>
    /// <param name="path">The folder.</param>
    /// <param name="options">Options in place of the recorded ones; null keeps those.</param>
    /// <exception cref="TrainingException">It holds no run, is in use, or is damaged.</exception>
    public static RunFolder Open(string path, RunOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (!HoldsRun(path))
        {
            throw new TrainingException(
                Directory.Exists(path) ? $"The folder {path} holds no run: it has no {RecipeName}." : $"There is no folder {path}.");
        }

        FileStream held = Lock(path, create: false);
        try
        {
            Recipe recipe = Recipe.Read(IoPath.Combine(path, RecipeName));
            string file = IoPath.Combine(path, OptionsName);
            // With options it may be missing: they take its place.
            RunOptions? recorded = options is null || File.Exists(file) ? TrainingJson.Read<RunOptions>(file) : null;
            if (options is not null)
            {
                options = Counted(options with { Processor = recorded?.Processor });
                Write(path, OptionsName, JsonSerializer.Serialize(options, TrainingJson.Indented));
            }

            return new RunFolder(path, held, recipe, options ?? Counted(recorded!), recorded, new CheckpointStore(path));
        }
        catch
        {
            held.Dispose();
            throw;
        }
    }

    /// <summary>Lets other processes use the folder.</summary>
    public void Dispose() => held.Dispose();

    /// <summary>Takes back what <see cref="Create"/> made, where no training could begin: the next try finds its place free.</summary>
    internal void TakeBack()
    {
        if (!isNew)
        {
            return;
        }

        try
        {
            File.Delete(IoPath.Combine(Path, RecipeName));
            File.Delete(IoPath.Combine(Path, OptionsName));
            held.Dispose();
            if (madeFolder)
            {
                Directory.Delete(Path);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // What made training impossible is what its user should hear of.
        }
    }

    private static RunOptions Counted(RunOptions options) =>
        options.Threads > 0 ? options : options with { Threads = Environment.ProcessorCount };

    private static void Refuse(string path)
    {
        if (HoldsRun(path))
        {
            throw new TrainingException($"The folder {path} already holds a run.") { Problem = TrainingProblem.FolderHoldsRun, Folder = path };
        }

        if (File.Exists(path))
        {
            throw new TrainingException($"{path} is a file.") { Problem = TrainingProblem.FolderIsFile };
        }

        // What a process killed within its first moments left behind is no reason to refuse.
        if (Directory.Exists(path) && Directory.EnumerateFileSystemEntries(path).Select(IoPath.GetFileName)
                .FirstOrDefault(n => n is not LockName && !n!.StartsWith(OptionsName, StringComparison.Ordinal)
                    && !(n.StartsWith(RecipeName, StringComparison.Ordinal) && n.EndsWith(".tmp", StringComparison.Ordinal))) is { } other)
        {
            throw new TrainingException($"The folder {path} is not empty (it holds {other}).") { Problem = TrainingProblem.FolderNotEmpty };
        }
    }

    private static FileStream Lock(string path, bool create)
    {
        try
        {
            if (create)
            {
                Directory.CreateDirectory(path);
            }

            FileStream held = new(IoPath.Combine(path, LockName), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, 1, FileOptions.DeleteOnClose);
            RemoveAbandoned(path);
            return held;
        }
        catch (IOException e) when (File.Exists(IoPath.Combine(path, LockName)))
        {
            throw new TrainingException($"Another process is training in {path}; wait until it ends, or choose another folder.", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new TrainingException($"The run folder {path} can't be written: {e.Message.TrimEnd('.')}.", e);
        }
    }

    /// <summary>Removes what a killed process was writing: whoever holds the lock knows that nobody else is.</summary>
    private static void RemoveAbandoned(string path)
    {
        foreach (string file in Directory.EnumerateFiles(path, "*.tmp", SearchOption.AllDirectories))
        {
            // A name, a GUID, .tmp: the temporary files of AtomicFile.
            if (IoPath.GetFileName(file).Split('.') is [_, .., var guid, _] && Guid.TryParseExact(guid, "N", out _))
            {
                try
                {
                    File.Delete(file);
                }
                catch (Exception e) when (e is IOException or UnauthorizedAccessException)
                {
                    // It costs only space, and training can go on.
                }
            }
        }
    }

    private static void Write(string path, string name, string text)
    {
        try
        {
            AtomicFile.Write(IoPath.Combine(path, name), s => s.Write(System.Text.Encoding.UTF8.GetBytes(text + "\n")));
        }
        catch (CheckpointException e)
        {
            throw new TrainingException(e.Message, e);
        }
    }
}
