using AdderNet.Graph;
using AdderNet.Inference;
using AdderNet.Models;
using static TorchSharp.torch;

namespace AdderNet.Bench;

/// <summary>Whole ResNet-20: the AdderNet in the engine against the CNN of the same shape in ONNX Runtime, both as people would deploy them.</summary>
internal static class EngineSuite
{
    /// <summary>The cases for a number of threads.</summary>
    public static IEnumerable<Row> Measure(int threads, TimeSpan time)
    {
        NetworkGraph adder = Graph(LayerKind.Adder), cnn = Graph(LayerKind.Conv);
        foreach (int batch in (int[])[1, 256])
        {
            float[] images = Images(adder, batch);
            float[] scores = new float[batch * adder[adder.Outputs[0].Node].Shape.Count];
            long[] shape = [batch, .. adder.Inputs[0].Shape.Sizes];
            using Engine engine = new(adder, threads), cnnEngine = new(cnn, threads);
            using OnnxPeer peer = new(OnnxNetwork.Float(cnn, batch), threads, images, shape), int8 = new(OnnxNetwork.Int8(cnn, batch), threads, images, shape);
            double[] s = Interleaved.Medians(
                time, 9, () => engine.Run(images, scores), peer.Run, int8.Run, () => cnnEngine.Run(images, scores));
            yield return new Row("resnet20: adder float32 in the engine / CNN float32 in ONNX Runtime", $"batch {batch}", threads, s[0], s[1], "s");
            yield return new Row("resnet20: adder float32 in the engine / CNN int8 in ONNX Runtime", $"batch {batch}", threads, s[0], s[2], "s");
            yield return new Row("resnet20: CNN float32 in the engine / CNN float32 in ONNX Runtime", $"batch {batch}", threads, s[3], s[1], "s");
        }
    }

    /// <summary>An AdderNet's inference on some images.</summary>
    public static Action AdderInference(int batch)
    {
        NetworkGraph adder = Graph(LayerKind.Adder);
        Engine engine = new(adder, KernelThreads());
        float[] images = Images(adder, batch), scores = new float[batch * engine.OutputLength];
        return () => engine.Run(images, scores);
    }

    private static int KernelThreads() => get_num_threads();

    private static NetworkGraph Graph(LayerKind kind)
    {
        using nn.Module<Tensor, Tensor> model = AdderNetModels.Create("resnet20", kind);
        using var guard = no_grad();
        random.manual_seed(1);
        foreach (Adder2d layer in model.modules().OfType<Adder2d>())
        {
            // As trained ones are: several times as large as their inputs, and 58 % of them above 0.
            layer.Filters.normal_(0.9, 4.5);
        }

        return model.ToGraph(new FeatureShape(3, 32, 32));
    }

    private static float[] Images(NetworkGraph graph, int batch)
    {
        Random random = new(1);
        return [.. Enumerable.Range(0, batch * graph.Inputs[0].Shape.Count).Select(_ => random.NextSingle() * 4 - 2)];
    }
}
