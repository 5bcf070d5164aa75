using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using AdderNet.Data;
using AdderNet.Graph;
using AdderNet.Inference;
using AdderNet.Models;
using AdderNet.Training;
using static TorchSharp.torch;

namespace AdderNet.Bench;

/// <summary>A trained network in every width of the engine, its CNN in ONNX Runtime beside it: accuracy, time, size of the file.</summary>
internal static class ShipSuite
{
    private const int Many = 256, CalibrationImages = 256;

    /// <summary>A network, and what it is for.</summary>
    private sealed record Trained(NetworkGraph Graph, string Model, string Data, Augmentation Preparation);

    /// <summary>What is timed: one image, 256 images, and the scores that the latter gave.</summary>
    private sealed record Way(string Name, Action One, Action Many, Func<float[]>? Scores, long Bytes);

    /// <summary>Measures, prints, and where it is asked for writes the section of the README.</summary>
    /// <param name="run">A run, or a file of weights of <paramref name="model"/>.</param>
    /// <param name="cnn">A run of the CNN of its shape; without it one that is not trained, whose accuracy means nothing.</param>
    /// <param name="model">What a file of weights is of.</param>
    /// <param name="data">The data set a file of weights is for.</param>
    /// <param name="dataDir">Where the data set lies.</param>
    /// <param name="threads">Threads of every way.</param>
    /// <param name="time">Time for each batch size.</param>
    /// <param name="readme">Whether to write the README.</param>
    public static void Run(
        string run, string? cnn, string? model, string? data, string? dataDir, int threads, TimeSpan time, bool readme)
    {
        Trained adder = Load(run, model, data);
        string title = AdderNetModels.Find(adder.Model).Title, path = Path.Combine(Here(), "..", "..", "README.md");
        if (readme)
        {
            // What there is no place for is not measured.
            ShipTable.RequireSection(File.ReadAllText(path), title);
        }

        NetworkGraph peer = cnn is null ? Untrained(adder) : Load(cnn, model, data).Graph;
        Dataset test = Datasets.Open(adder.Data, train: false, dataDir);
        Dataset train = Datasets.Open(adder.Data, train: true, dataDir);
        float[] calibration = Planes(train, adder.Preparation, CalibrationImages, shuffle: true).First().Images;
        int length = adder.Graph.Inputs[0].Shape.Count;
        float[] one = calibration[..length], many = new float[Many * length];

        List<IDisposable> owned = [];
        try
        {
            List<Way> ways = [Ours("float32", adder.Graph)];
            foreach (int bits in EngineSuite.Bits)
            {
                ways.Add(Ours($"{bits} bits", Quantizer.Quantize(adder.Graph, calibration, bits).Graph));
            }

            ways.Add(Theirs("CNN float32, ONNX Runtime", OnnxNetwork.Float, cnn is not null));
            ways.Add(Theirs("CNN int8, ONNX Runtime", OnnxNetwork.Int8, hasScores: false));
            double[] accuracies = Accuracies(ways, test, adder.Preparation, many);
            double[] single = Interleaved.Medians(time, 9, [.. ways.Select(w => w.One)]);
            double[] batch = Interleaved.Medians(time, 9, [.. ways.Select(w => w.Many)]);
            string command = $"bench/run ship --run {run}" + (cnn is null ? "" : $" --cnn {cnn}")
                + (model is null ? "" : $" --model {model} --data {data}") + $" --threads {threads}" + (readme ? " --readme" : "");
            string date = DateTime.UtcNow.ToString("d MMMM yyyy", CultureInfo.InvariantCulture);
            ShipTable table = new(
                title, test.Info.Title, test.Count, threads,
                $"{Processor()}, {date}, .NET {Environment.Version}, ONNX Runtime {OnnxPeer.Version}", command,
                [
                    .. ways.Select((w, i) => new ShipRow(
                        w.Name, w.Scores is null ? null : accuracies[i], 1e3 * single[i], 1e3 * batch[i] / Many, (w.Bytes + 512) / 1024)),
                ]);
            Console.WriteLine(table.ToMarkdown());
            if (readme)
            {
                File.WriteAllText(path, table.InsteadOfThatIn(File.ReadAllText(path)));
            }
        }
        finally
        {
            owned.ForEach(o => o.Dispose());
        }

        Way Ours(string width, NetworkGraph graph)
        {
            Engine engine = new(graph, threads);
            owned.Add(engine);
            using MemoryStream file = new();
            graph.Save(file);
            float[] score = new float[engine.OutputLength], scores = new float[Many * engine.OutputLength];
            return new Way(
                $"AdderNet {width}, our engine", () => engine.Run(one, score), () => engine.Run(many, scores), () => scores, file.Length);
        }

        Way Theirs(string name, Func<NetworkGraph, int, byte[]> write, bool hasScores)
        {
            byte[] file = write(peer, 1);
            OnnxPeer single = new(file, threads, one, [1, .. peer.Inputs[0].Shape.Sizes]);
            owned.Add(single);
            OnnxPeer batch = new(write(peer, Many), threads, many, [Many, .. peer.Inputs[0].Shape.Sizes]);
            owned.Add(batch);
            return new Way(name, single.Run, batch.Run, hasScores ? batch.Scores : null, file.Length);
        }
    }

    /// <summary>In percent, by way; where a way has no scores, nothing.</summary>
    private static double[] Accuracies(IReadOnlyList<Way> ways, Dataset test, Augmentation preparation, float[] many)
    {
        int[] right = new int[ways.Count];
        foreach ((float[] images, long[] labels) in Planes(test, preparation, Many, shuffle: false))
        {
            // What a last batch leaves of the one before is not counted.
            images.CopyTo(many, 0);
            for (int w = 0; w < ways.Count; w++)
            {
                ways[w].Many();
                float[] scores = ways[w].Scores?.Invoke() ?? [];
                int classes = scores.Length / Many;
                for (int i = 0; i < labels.Length && classes > 0; i++)
                {
                    ReadOnlySpan<float> of = scores.AsSpan(i * classes, classes);
                    right[w] += System.Numerics.Tensors.TensorPrimitives.IndexOfMax(of) == labels[i] ? 1 : 0;
                }
            }
        }

        return [.. right.Select(r => 100.0 * r / test.Count)];
    }

    /// <summary>Batches [N, C, H, W].</summary>
    private static IEnumerable<(float[] Images, long[] Labels)> Planes(
        Dataset dataset, Augmentation preparation, int batchSize, bool shuffle)
    {
        using DataLoader loader = new(dataset, preparation, batchSize, shuffle, seed: 1);
        foreach (Batch batch in loader.Epoch(0))
        {
            using (batch)
            {
                yield return (batch.ToPlanes(), batch.Labels);
            }
        }
    }

    private static Trained Load(string path, string? model, string? data)
    {
        if (model is not null && data is not null)
        {
            using nn.Module<Tensor, Tensor> weights = AdderNetModels.Load(path, model);
            return Of(weights, model, data, Augmentation.For(data, train: false), AdderNetModels.InputChannels(weights));
        }

        using TrainedModel run = TrainedModel.Load(path);
        return Of(run.Model, run.Recipe.Model, run.Recipe.Dataset, run.Preparation, run.InputChannels);
    }

    private static Trained Of(nn.Module<Tensor, Tensor> module, string model, string data, Augmentation preparation, int channels)
    {
        int size = AdderNetModels.Find(model).InputSize;
        NetworkGraph graph = module.ToGraph(new FeatureShape(channels, size, size), new NetworkMetadata(model, data));
        return new Trained(graph, model, data, preparation);
    }

    private static NetworkGraph Untrained(Trained adder)
    {
        FeatureShape input = adder.Graph.Inputs[0].Shape;
        using nn.Module<Tensor, Tensor> cnn = AdderNetModels.Create(adder.Model, LayerKind.Conv, inputChannels: input.Channels);
        cnn.eval();
        return cnn.ToGraph(input);
    }

    private static string Processor() =>
        (File.Exists("/proc/cpuinfo") ? File.ReadLines("/proc/cpuinfo") : [])
            .Where(l => l.StartsWith("model name", StringComparison.Ordinal)).Select(l => l.Split(':', 2)[1].Trim()).FirstOrDefault()
        ?? $"{RuntimeInformation.ProcessArchitecture} processor";

    private static string Here([CallerFilePath] string path = "") => Path.GetDirectoryName(path)!;
}
