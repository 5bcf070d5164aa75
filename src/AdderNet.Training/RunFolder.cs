using System.Text.Json;
using AdderNet.Checkpoints;
using AdderNet.Data;
using AdderNet.Distributed;
using IoPath = System.IO.Path;

namespace AdderNet.Training;

/// <summary>Where and how a run is computed, as opposed to what: none of it is part of the recipe.</summary>
public sealed record RunOptions
{
    /// <summary>Where the data lies; null for the default place.</summary>
    public string? DataDir { get; init; }

    /// <summary>
    /// Threads for libtorch and the kernels, in each process; 0 for all processors, or a process's share of them, in whose place a run folder
    /// records their number. Another number gives slightly other rounding.
    /// </summary>
    public int Threads { get; init; }

    /// <summary>Processes that share out each batch. A run folder records their number; another one gives slightly other rounding.</summary>
    public int Ranks { get; init; } = 1;

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
/// <remarks>Where several processes train together, the first of them holds and writes it, and the others know what it knows.</remarks>
public sealed class RunFolder : IDisposable
{
    /// <summary>The file by which a process holds the folder.</summary>
    internal const string LockName = ".lock";

    private const string RecipeName = "recipe.json", OptionsName = "run.json";

    private readonly FileStream? held;
    private readonly RunOptions? recorded;
    private bool isNew, madeFolder;

    private RunFolder(
        string path, FileStream? held, Recipe recipe, RunOptions options, RunOptions? recorded, CheckpointStore checkpoints, Communicator ranks)
    {
        this.recorded = recorded;
        Path = path;
        this.held = held;
        Ranks = ranks;
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
        .. recorded.Ranks != Ranks.Size
            ? [$"This run was computed by {Processes(recorded.Ranks)} so far and goes on with {Processes(Ranks.Size)}: the same images in the same order, but sums are rounded in another way, and BatchNorms that are not synchronized see {(Ranks.Size > recorded.Ranks ? "fewer" : "more")} images at a time."]
            : (string[])[],
        .. recorded.Processor is { } processor && processor != ProcessorKind.Current
            ? [$"This run was computed on {processor} so far and goes on with {ProcessorKind.Current}, slightly differently than it would have."]
            : (string[])[],
    ];

    internal CheckpointStore Checkpoints { get; }

    /// <summary>The processes that train together.</summary>
    public Communicator Ranks { get; }

    /// <summary>What of each batch is this process's; null for all.</summary>
    public Shard? Shard => Ranks.Size > 1 ? new Shard(Ranks.Rank, Ranks.Size, Recipe.MicroBatches) : null;

    /// <summary>Whether this process writes the folder.</summary>
    internal bool IsOwn => held is not null;

    /// <summary>Records what computes from now on: training begins.</summary>
    internal void RecordMachine()
    {
        isNew = false;
        if (!IsOwn)
        {
            return;
        }

        Write(Path, OptionsName, JsonSerializer.Serialize(Options with { Processor = ProcessorKind.Current }, TrainingJson.Indented));
    }

    /// <summary>Lets the other processes know of the checkpoints that this one's first has written.</summary>
    internal void TellOfCheckpoints()
    {
        if (Ranks.Size > 1)
        {
            byte[] index = Ranks.Broadcast(IsOwn ? JsonSerializer.SerializeToUtf8Bytes(Checkpoints.Index, TrainingJson.Line) : null);
            if (!IsOwn)
            {
                Checkpoints.Follow(JsonSerializer.Deserialize<CheckpointIndex>(index, TrainingJson.Line));
            }
        }
    }

    /// <summary>Whether a folder holds a run.</summary>
    /// <param name="path">The folder; it may not exist.</param>
    public static bool HoldsRun(string path) => File.Exists(IoPath.Combine(path, RecipeName));

    /// <summary>Makes the folder of a new run.</summary>
    /// <param name="path">The folder; it must not exist, or be empty.</param>
    /// <param name="recipe">What will be trained.</param>
    /// <param name="options">How.</param>
    /// <param name="ranks">The processes that train together, each of which calls this; null for this one on its own. The first one's path,
    /// recipe and options are taken.</param>
    /// <exception cref="TrainingException">The folder holds a run or other files, or can't be written; or the recipe is no good.</exception>
    /// <exception cref="PeerException">The first process failed to make it.</exception>
    public static RunFolder Create(string path, Recipe recipe, RunOptions? options = null, Communicator? ranks = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentNullException.ThrowIfNull(recipe);
        recipe.Validate();
        options ??= new RunOptions();
        ranks ??= Communicator.Alone;
        return ranks.Size == 1 ? Made(path, recipe, options, ranks) : Shared(ranks, options.Threads, () => Made(path, recipe, options, ranks));
    }

    private static RunFolder Made(string path, Recipe recipe, RunOptions options, Communicator ranks)
    {
        options = Counted(options, ranks);
        // A run has to know its teachers again when it goes on.
        recipe = recipe with { Distillation = recipe.Distillation?.WithHashes() };
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
            return new RunFolder(path, held, recipe, options, null, new CheckpointStore(path), ranks) { isNew = true, madeFolder = makesFolder };
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
    /// <param name="ranks">The processes that train together, each of which calls this; null for this one on its own. The first one's path
    /// and options are taken.</param>
    /// <exception cref="TrainingException">It holds no run, is in use, or is damaged.</exception>
    /// <exception cref="PeerException">The first process failed to open it.</exception>
    public static RunFolder Open(string path, RunOptions? options = null, Communicator? ranks = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ranks ??= Communicator.Alone;
        return ranks.Size == 1 ? Opened(path, options, ranks) : Shared(ranks, options?.Threads, () => Opened(path, options, ranks));
    }

    private static RunFolder Opened(string path, RunOptions? options, Communicator ranks)
    {
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
                options = Counted(options with { Processor = recorded?.Processor }, ranks);
                Write(path, OptionsName, JsonSerializer.Serialize(options, TrainingJson.Indented));
            }

            return new RunFolder(path, held, recipe, options ?? Counted(recorded!, ranks), recorded, new CheckpointStore(path), ranks);
        }
        catch
        {
            held.Dispose();
            throw;
        }
    }

    /// <summary>The first process makes or opens the folder, and the others learn what is in it.</summary>
    /// <param name="ranks">The processes.</param>
    /// <param name="threads">Threads that the options name; 0 where each process counts its own; null for the recorded ones.</param>
    /// <param name="open">Makes or opens it.</param>
    private static RunFolder Shared(Communicator ranks, int? threads, Func<RunFolder> open)
    {
        RunFolder? own = ranks.Agree(() => ranks.Rank == 0 ? open() : null);
        Contents? contents = own is null ? null : new(
            own.Path, own.Recipe, own.Options with { Threads = threads ?? own.Options.Threads }, own.recorded, own.Checkpoints.Index);
        byte[] told = ranks.Broadcast(contents is null ? null : JsonSerializer.SerializeToUtf8Bytes(contents, TrainingJson.Line));
        if (own is not null)
        {
            return own;
        }

        contents = JsonSerializer.Deserialize<Contents>(told, TrainingJson.Line)!;
        CheckpointStore checkpoints = new(contents.Path, contents.Index);
        return new RunFolder(contents.Path, null, contents.Recipe, Counted(contents.Options, ranks), contents.Recorded, checkpoints, ranks);
    }

    /// <summary>Lets other processes use the folder.</summary>
    public void Dispose() => held?.Dispose();

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
            Dispose();
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

    private static RunOptions Counted(RunOptions options, Communicator ranks) => options with
    {
        Threads = options.Threads > 0 ? options.Threads : Math.Max(1, Environment.ProcessorCount / ranks.Sharing),
        Ranks = ranks.Size,
    };

    private static string Processes(int count) => count == 1 ? "1 process" : $"{count} processes";

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

    /// <summary>What the first process tells the others of the folder.</summary>
    private sealed record Contents(string Path, Recipe Recipe, RunOptions Options, RunOptions? Recorded, CheckpointIndex? Index);
}
