using AdderNet.Data;
using AdderNet.Models;

namespace AdderNet.Training.Tests;

/// <summary>Images large enough for LeNet-5-BN, which it learns in a few seconds.</summary>
internal static class Stripes
{
    private const int Side = 32;

    /// <summary>How a CNN learns them.</summary>
    public static Recipe Cnn { get; } = Small.Recipe with
    {
        Model = "lenet5-bn",
        Layers = LayerKind.Conv,
        BatchNormBatches = 0,
        TrainAugmentation = Small.Plain,
        TestAugmentation = Small.Plain,
        LearningRate = 0.05,
    };

    public static Dataset Train { get; } = Data(96, seed: 1);

    public static Dataset Test { get; } = Data(40, seed: 2);

    /// <summary>Images of stripes in noise; their direction is the class.</summary>
    /// <param name="count">How many.</param>
    /// <param name="seed">Decides classes and noise.</param>
    /// <param name="wrong">Whether all of them are labelled as the first class.</param>
    public static Dataset Data(int count, int seed, bool wrong = false)
    {
        Random random = new(seed);
        int[] labels = [.. Enumerable.Range(0, count).Select(_ => random.Next(Small.Classes))];
        byte[] pixels = [.. labels.SelectMany(label => Enumerable.Range(0, Side * Side).Select(p =>
        {
            (int y, int x) = (p / Side, p % Side);
            int phase = label switch { 0 => y, 1 => x, 2 => x + y, _ => x - y + Side };
            return (byte)(random.Next(160) + (phase % 8 < 4 ? 80 : 0));
        }))];
        DatasetInfo info = new("generated", "Generated", 1, Side, Side, ["rows", "columns", "down", "up"], 0, 0, false, "");
        return Dataset.FromMemory(info, pixels, wrong ? new int[count] : labels);
    }

    /// <summary>Trains on them to the end, or until a report says stop.</summary>
    public static TrainingResult Run(string path, Recipe recipe, Func<TrainingProgress, bool>? stop = null, Dataset? train = null)
    {
        using RunFolder folder = RunFolder.HoldsRun(path) ? RunFolder.Open(path) : RunFolder.Create(path, recipe, new RunOptions { Threads = 1 });
        using Trainer trainer = new(folder, train ?? Train, Test);
        using CancellationTokenSource cancel = new();
        return trainer.Run(new Reporter(p =>
        {
            if (stop?.Invoke(p) == true)
            {
                cancel.Cancel();
            }
        }), cancel.Token);
    }
}

/// <summary>A CNN that tells the small images apart.</summary>
public sealed class TrainedCnn : IDisposable
{
    private readonly TempFolder folder = new();

    public TrainedCnn()
    {
        Path = folder["cnn"];
        Stripes.Run(Path, Stripes.Cnn);
    }

    public string Path { get; }

    /// <summary>A copy of the run in which the last epoch is the best.</summary>
    public string LastOnly(string to)
    {
        Directory.CreateDirectory(System.IO.Path.Combine(to, "checkpoints"));
        foreach (string file in Directory.GetFiles(Path, "*", SearchOption.AllDirectories))
        {
            File.Copy(file, System.IO.Path.Combine(to, System.IO.Path.GetRelativePath(Path, file)), overwrite: true);
        }

        CheckpointStore store = new(to);
        CheckpointIndex index = store.Index!;
        File.WriteAllText(
            System.IO.Path.Combine(to, "checkpoint.json"),
            System.Text.Json.JsonSerializer.Serialize(index with { BestWeights = index.Weights, BestEpoch = index.History.Count }, TrainingJson.Indented));
        return to;
    }

    public void Dispose() => folder.Dispose();
}
