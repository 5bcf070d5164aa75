using AdderNet.Data;
using AdderNet.Distributed;
using AdderNet.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace AdderNet.Training.Tests;

/// <summary>Data, a model and a recipe so small that an epoch takes a fraction of a second.</summary>
internal static class Small
{
    public const int Classes = 4, Side = 8;

    public static Augmentation Plain { get; } = new() { Mean = [0.5f], Std = [0.25f] };

    public static Recipe Recipe { get; } = new()
    {
        Model = "small",
        Dataset = "generated",
        Epochs = 4,
        BatchSize = 16,
        Nesterov = true,
        TrainAugmentation = Plain with { Pad = 1, RandomCrop = Side, HorizontalFlip = false },
        TestAugmentation = Plain,
    };

    public static Dataset Train { get; } = Data(96, seed: 1);

    public static Dataset Test { get; } = Data(40, seed: 2);

    /// <summary>Images of a bright quarter in noise; the quarter is the class.</summary>
    public static Dataset Data(int count, int seed)
    {
        Random random = new(seed);
        byte[] pixels = new byte[count * Side * Side];
        int[] labels = new int[count];
        for (int i = 0; i < count; i++)
        {
            labels[i] = random.Next(Classes);
            for (int p = 0; p < Side * Side; p++)
            {
                int quarter = p / Side / (Side / 2) * 2 + p % Side / (Side / 2);
                pixels[i * Side * Side + p] = (byte)(random.Next(140) + (quarter == labels[i] ? 80 : 0));
            }
        }

        DatasetInfo info = new("generated", "Generated", 1, Side, Side, ["upper left", "upper right", "lower left", "lower right"], 0, 0, false, "");
        return Dataset.FromMemory(info, pixels, labels);
    }

    /// <summary>A module as a user would write it: an ordinary convolution, an adder layer, dropout, a linear classifier.</summary>
    public static nn.Module<Tensor, Tensor> Model() => nn.Sequential(
        ("conv", nn.Conv2d(1, 4, 3, padding: 1, bias: false)),
        ("bn1", nn.BatchNorm2d(4)),
        ("relu1", nn.ReLU()),
        ("adder", Layers.Adder2d(4, 8, 3, stride: 2, padding: 1)),
        ("bn2", nn.BatchNorm2d(8)),
        ("relu2", nn.ReLU()),
        ("flat", nn.Flatten()),
        ("drop", nn.Dropout(0.1)),
        ("fc", nn.Linear(8 * 16, Classes)));

    public static Trainer Trainer(RunFolder folder) => new(folder, Train, Test, Model);

    /// <summary>Trains in a new folder to the end, or until a report says stop.</summary>
    public static TrainingResult Run(
        string path, Recipe? recipe = null, RunOptions? options = null, Func<TrainingProgress, bool>? stop = null, Communicator? ranks = null,
        Func<RunFolder, Trainer>? trainerOf = null)
    {
        ranks ??= Communicator.Alone;
        // One process decides: another would see what it has made by then.
        bool holdsRun = ranks.FromFirst(() => RunFolder.HoldsRun(path) ? "yes" : "no") == "yes";
        using RunFolder folder = holdsRun
            ? RunFolder.Open(path, options, ranks)
            : RunFolder.Create(path, recipe ?? Recipe, options ?? new RunOptions { Threads = 1 }, ranks);
        using Trainer trainer = (trainerOf ?? Trainer)(folder);
        using CancellationTokenSource cancel = new();
        return trainer.Run(new Reporter(p =>
        {
            if (stop?.Invoke(p) == true)
            {
                cancel.Cancel();
            }
        }), cancel.Token);
    }

    /// <summary>What must not differ between two runs: all but the clock's part.</summary>
    public static EpochMetrics[] WithoutTimes(IEnumerable<EpochMetrics> history) =>
        [.. history.Select(e => e with { TrainSeconds = 0, TestSeconds = 0, ImagesPerSecond = 0, Finished = default })];

    /// <summary>The last checkpoint's weights and optimizer state, as bytes of tensors.</summary>
    public static SortedDictionary<string, string> State(string path)
    {
        CheckpointStore store = new(path);
        SortedDictionary<string, string> state = [];
        foreach (SavedFile file in (SavedFile[])[store.Index!.Weights, store.Index.Optimizer])
        {
            foreach (var (name, tensor) in Checkpoints.Safetensors.Read(store.Verified(file)).Tensors)
            {
                state[$"{(file == store.Index.Weights ? "weights" : "momentum")} {name}"] = Convert.ToHexString(tensor.Data.Span);
            }
        }

        return state;
    }
}

internal sealed class Reporter(Action<TrainingProgress> action) : IProgress<TrainingProgress>
{
    public void Report(TrainingProgress value) => action(value);
}
