using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Serialization;
using AdderNet.Checkpoints;

namespace AdderNet.Training;

/// <summary>A file of a checkpoint, with what tells whether it is whole.</summary>
/// <param name="Name">Its name in the folder of checkpoints.</param>
/// <param name="Bytes">Its size.</param>
/// <param name="Sha256">The SHA-256 of its content, in hexadecimal digits.</param>
internal sealed record SavedFile(string Name, long Bytes, string Sha256);

/// <summary>What checkpoint.json says.</summary>
/// <param name="Format">1.</param>
/// <param name="Weights">The weights after the last completed epoch.</param>
/// <param name="Optimizer">The optimizer's state after it.</param>
/// <param name="BestWeights">The weights after the best epoch.</param>
/// <param name="History">Every completed epoch, in order.</param>
/// <param name="BestEpoch">The best epoch; 0 in files from before there were tasks, where test accuracy decided.</param>
internal sealed record CheckpointIndex(
    int Format, SavedFile Weights, SavedFile Optimizer, SavedFile BestWeights, IReadOnlyList<EpochMetrics> History, int BestEpoch = 0)
{
    /// <summary>The best of the epochs.</summary>
    [JsonIgnore]
    public EpochMetrics Best => BestEpoch > 0 ? History[BestEpoch - 1] : History.MaxBy(e => e.TestTop1)!;
}

/// <summary>
/// The checkpoints of a run. A new one is complete on the disk before the one small file that names it is replaced, and old files go
/// only after that: whenever the process dies, checkpoint.json names files that are whole and belong together.
/// </summary>
internal sealed class CheckpointStore
{
    private const string IndexName = "checkpoint.json";

    private readonly string run, folder;

    /// <summary>Reads what the run folder holds so far.</summary>
    /// <exception cref="TrainingException">checkpoint.json is damaged.</exception>
    public CheckpointStore(string run)
    {
        this.run = run;
        folder = Path.Combine(run, "checkpoints");
        string path = Path.Combine(run, IndexName);
        if (!File.Exists(path))
        {
            return;
        }

        Index = TrainingJson.Read<CheckpointIndex>(path);
        if (Index.Format != 1)
        {
            throw new TrainingException($"{path} has format {Index.Format}, which a newer version wrote; use that version.");
        }

        if (Index.History.Count == 0 || Index.History.Any(e => e is null) || Index.BestEpoch < 0 || Index.BestEpoch > Index.History.Count
            || (Index.BestEpoch == 0 && Index.History.Any(e => e.Measured.Find(ClassificationMetrics.Top1Name) is null)))
        {
            throw new TrainingException($"{path} is damaged: it tells of no completed epoch, or not which one is the best.");
        }
    }

    /// <summary>Knows what another process has read, and reads nothing.</summary>
    public CheckpointStore(string run, CheckpointIndex? index)
    {
        this.run = run;
        folder = Path.Combine(run, "checkpoints");
        Index = index;
    }

    /// <summary>The checkpoints there are; null before the first epoch is complete.</summary>
    public CheckpointIndex? Index { get; private set; }

    /// <summary>Writes a file whole or not at all. Tests put a full disk in its place.</summary>
    public Action<string, Action<Stream>> WriteFile { get; set; } = AtomicFile.Write;

    /// <summary>Takes note of what another process has saved.</summary>
    public void Follow(CheckpointIndex? index) => Index = index;

    /// <summary>Saves the state after an epoch.</summary>
    /// <param name="metrics">The epoch.</param>
    /// <param name="isBetter">Whether an epoch's values are better than those of the best one so far.</param>
    /// <param name="weights">Writes the weights.</param>
    /// <param name="optimizer">Writes the optimizer's state.</param>
    /// <returns>Whether the epoch is the best so far.</returns>
    /// <exception cref="CheckpointException">It can't be written; the previous checkpoint is still what the folder holds.</exception>
    public bool Save(EpochMetrics metrics, Func<MetricValues, MetricValues, bool> isBetter, Action<Stream> weights, Action<Stream> optimizer)
    {
        Directory.CreateDirectory(folder);
        string name = string.Create(CultureInfo.InvariantCulture, $"epoch-{metrics.Epoch:0000}");
        SavedFile savedWeights = Write($"{name}.safetensors", weights), savedOptimizer = Write($"{name}.optimizer.safetensors", optimizer);
        bool best = Index is null || isBetter(metrics.Measured, Index.Best.Measured);
        CheckpointIndex next = new(
            1, savedWeights, savedOptimizer, best ? savedWeights : Index!.BestWeights, [.. Index?.History ?? [], metrics],
            best ? metrics.Epoch : Index!.Best.Epoch);
        WriteFile(Path.Combine(run, IndexName), s => JsonSerializer.Serialize(s, next, TrainingJson.Indented));
        Index = next;
        RemoveOld();
        return best;
    }

    /// <summary>The path of a file, after making sure that it is what was saved.</summary>
    /// <exception cref="TrainingException">It is missing or damaged.</exception>
    public string Verified(SavedFile file)
    {
        string path = Path.Combine(folder, Path.GetFileName(file.Name));
        SavedFile found;
        try
        {
            found = Describe(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new TrainingException($"The checkpoint in {run} can't be read: {e.Message.TrimEnd('.')}.", e);
        }

        return found.Bytes == file.Bytes && string.Equals(found.Sha256, file.Sha256, StringComparison.OrdinalIgnoreCase)
            ? path
            : throw new TrainingException(
                $"{path} is damaged: it has {found.Bytes} bytes and SHA-256 {found.Sha256}, but {file.Bytes} bytes and {file.Sha256} were saved.");
    }

    private SavedFile Write(string name, Action<Stream> write)
    {
        string path = Path.Combine(folder, name);
        WriteFile(path, write);
        return Describe(path);
    }

    private static SavedFile Describe(string path)
    {
        using FileStream stream = new(path, FileMode.Open, FileAccess.Read, FileShare.Read);
        return new SavedFile(Path.GetFileName(path), stream.Length, Convert.ToHexStringLower(SHA256.HashData(stream)));
    }

    private void RemoveOld()
    {
        string[] keep = [Index!.Weights.Name, Index.Optimizer.Name, Index.BestWeights.Name];
        foreach (string path in Directory.EnumerateFiles(folder, "epoch-*.safetensors").Where(p => !keep.Contains(Path.GetFileName(p))))
        {
            try
            {
                File.Delete(path);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // It costs only space; the next epoch tries again.
            }
        }
    }
}
