using AdderNet.Export;
using AdderNet.Graph;
using AdderNet.Inference;
using AdderNet.Models;
using static TorchSharp.torch;

namespace AdderNet.Bench;

/// <summary>Whole ResNet-20: the AdderNet in the engine against the CNN of the same shape in ONNX Runtime, both as people would deploy them.</summary>
internal static class EngineSuite
{
    public static readonly int[] Bits = [8, 7, 6];

    /// <summary>The cases for a number of threads.</summary>
    public static IEnumerable<Row> Measure(int threads, TimeSpan time)
    {
        NetworkGraph adder = Trained(), cnn = Cnn(adder.Inputs[0].Shape);
        float[] calibration = Images(adder, 64);
        NetworkGraph[] quantized = [.. Bits.Select(bits => Quantizer.Quantize(adder, calibration, bits).Graph)];
        foreach (int batch in (int[])[1, 256])
        {
            float[] images = Images(adder, batch), scores = new float[batch * 10];
            long[] shape = [batch, .. adder.Inputs[0].Shape.Sizes];
            using Engine engine = new(adder, threads), cnnEngine = new(cnn, threads);
            Engine[] codes = [.. quantized.Select(graph => new Engine(graph, threads))];
            using OnnxPeer peer = new(OnnxNetwork.Float(cnn, batch), threads, images, shape), int8 = new(OnnxNetwork.Int8(cnn, batch), threads, images, shape);
            double[] s = Interleaved.Medians(
                time, 9,
                [
                    peer.Run, int8.Run, () => engine.Run(images, scores), () => cnnEngine.Run(images, scores),
                    .. codes.Select(engine => (Action)(() => engine.Run(images, scores))),
                ]);
            yield return Against("adder float32", "float32", s[2], s[0]);
            for (int i = 0; i < codes.Length; i++)
            {
                codes[i].Dispose();
                yield return Against($"adder {Bits[i]} bits", "int8", s[4 + i], s[1]);
            }

            yield return Against("CNN float32", "float32", s[3], s[0]);

            if (batch == 1)
            {
                yield return Exported(adder, engine, threads, time);
            }

            Row Against(string ours, string peers, double seconds, double peerSeconds) =>
                new($"resnet20: {ours} in the engine / CNN {peers} in ONNX Runtime", $"batch {batch}", threads, seconds, peerSeconds, "s");
        }
    }

    /// <summary>What the exported file of an AdderNet costs where only ONNX's standard operators are.</summary>
    private static Row Exported(NetworkGraph adder, Engine engine, int threads, TimeSpan time)
    {
        using MemoryStream file = new();
        OnnxFile.Save(adder, file);
        float[] images = Images(adder, 1), scores = new float[engine.OutputLength];
        using OnnxPeer exported = new(file.ToArray(), threads, images, [1, .. adder.Inputs[0].Shape.Sizes]);
        double[] s = Interleaved.Medians(time, 9, exported.Run, () => engine.Run(images, scores));
        return new Row("resnet20: adder exported as ONNX, in ONNX Runtime / in the engine", "batch 1", threads, s[0], s[1], "s");
    }

    /// <summary>An AdderNet's inference on some images.</summary>
    public static Action AdderInference(int batch)
    {
        NetworkGraph adder = Trained();
        Engine engine = new(adder, get_num_threads());
        float[] images = Images(adder, batch), scores = new float[batch * engine.OutputLength];
        return () => engine.Run(images, scores);
    }

    /// <summary>The official code's ResNet-20, trained on MNIST.</summary>
    /// <param name="metadata">What the graph says of itself.</param>
    public static NetworkGraph Trained(NetworkMetadata? metadata = null)
    {
        using nn.Module<Tensor, Tensor> model = AdderNetModels.Load(LayerFilters.TrainedPath, "resnet20");
        return model.ToGraph(new FeatureShape(AdderNetModels.InputChannels(model), 32, 32), metadata);
    }

    private static NetworkGraph Cnn(FeatureShape input)
    {
        using nn.Module<Tensor, Tensor> model = AdderNetModels.Create("resnet20", LayerKind.Conv, inputChannels: input.Channels);
        model.eval();
        return model.ToGraph(input);
    }

    /// <summary>Images of noise.</summary>
    public static float[] Images(NetworkGraph graph, int batch)
    {
        Random random = new(1);
        return [.. Enumerable.Range(0, batch * graph.Inputs[0].Shape.Count).Select(_ => random.NextSingle() * 4 - 2)];
    }
}
