using AdderNet.Checkpoints;
using AdderNet.Data;
using AdderNet.Graph;
using AdderNet.Inference;
using TorchSharp;
using static TorchSharp.torch;

namespace AdderNet.Training.Tests;

/// <summary>A small network of two adder layers behind each other, trained for a moment to tell stripes apart that are much fainter than the
/// noise: what is taken from the network shows.</summary>
internal static class StripedNetwork
{
    public static readonly Dataset Train = Images(400, seed: 1), Test = Images(400, seed: 2);

    public static readonly Recipe Recipe = Small.Recipe with { Epochs = 8, BatchSize = 25 };

    // Once for all tests that start from it.
    private static readonly Lazy<TensorFile> Weights = new(() =>
    {
        using TempFolder folder = new();
        using (RunFolder run = RunFolder.Create(folder["run"], Recipe, new RunOptions { Threads = 1 }))
        using (Trainer trainer = new(run, Train, Test, Network))
        {
            trainer.Run();
        }

        return TrainedModel.ReadWeights(folder["run"], CheckpointChoice.Last);
    });

    /// <summary>The trained network, in evaluation mode.</summary>
    public static nn.Module<Tensor, Tensor> Model()
    {
        nn.Module<Tensor, Tensor> model = Network();
        StateDict.LoadInto(model, Weights.Value.Tensors);
        model.eval();
        return model;
    }

    public static EvaluationResult Measure(NetworkGraph network)
    {
        using EngineModel model = new(new Engine(network, 1));
        using DataLoader loader = new(Test, Small.Plain, 100, shuffle: false, seed: 0);
        return Evaluation.Run(model, loader, cancel: TestContext.Current.CancellationToken);
    }

    public static float[] Floats(Dataset data, int count)
    {
        using DataLoader loader = new(data, Small.Plain, count, shuffle: false, seed: 0, threads: 0);
        using Batch batch = loader.Epoch(0, TestContext.Current.CancellationToken).First();
        return batch.Images.ToArray();
    }

    private static nn.Module<Tensor, Tensor> Network() => nn.Sequential(
        ("conv", nn.Conv2d(1, 8, 3, padding: 1, bias: false)), ("bn1", nn.BatchNorm2d(8)), ("relu1", nn.ReLU()),
        ("adder1", Layers.Adder2d(8, 12, 3, stride: 2, padding: 1)), ("bn2", nn.BatchNorm2d(12)), ("relu2", nn.ReLU()),
        ("adder2", Layers.Adder2d(12, 16, 3, padding: 1)), ("bn3", nn.BatchNorm2d(16)), ("relu3", nn.ReLU()),
        ("pool", nn.AdaptiveAvgPool2d(1)), ("fc", nn.Conv2d(16, Small.Classes, 1)), ("flat", nn.Flatten()));

    private static Dataset Images(int count, int seed)
    {
        Random random = new(seed);
        byte[] pixels = new byte[count * Small.Side * Small.Side];
        int[] labels = new int[count];
        for (int i = 0; i < count; i++)
        {
            labels[i] = random.Next(Small.Classes);
            for (int p = 0; p < Small.Side * Small.Side; p++)
            {
                (int y, int x) = (p / Small.Side, p % Small.Side);
                int phase = labels[i] switch { 0 => y, 1 => x, 2 => x + y, _ => x - y + Small.Side };
                pixels[i * Small.Side * Small.Side + p] = (byte)(random.Next(200) + (phase % 4 < 2 ? 35 : 0));
            }
        }

        DatasetInfo info = new("generated", "Generated", 1, Small.Side, Small.Side, ["rows", "columns", "down", "up"], 0, 0, false, "");
        return Dataset.FromMemory(info, pixels, labels);
    }
}
