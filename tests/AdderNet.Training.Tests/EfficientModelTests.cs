using AdderNet.Export;
using AdderNet.Graph;
using AdderNet.Inference;
using AdderNet.Models;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using Tensor = TorchSharp.torch.Tensor;

namespace AdderNet.Training.Tests;

// Alone, so that no other test draws from the seeded generator.
[CollectionDefinition(nameof(EfficientModelTests), DisableParallelization = true)]
[Collection(nameof(EfficientModelTests))]
public class EfficientModelTests
{
    [Theory]
    [InlineData("squeezenet", 16)]
    [InlineData("addressnet20", 8)]
    [InlineData("versatile-channel-resnet20", 8)]
    public void An_efficient_network_is_quantized_and_the_engine_gives_the_integers_of_the_plain_loops(string name, int side)
    {
        (NetworkGraph graph, float[] images, _) = Network(name, side);

        QuantizedNetwork quantized = Quantizer.Quantize(graph, images[..(images.Length / 2)]);

        using Engine exact = new(graph), engine = new(quantized.Graph);
        float[] scores = Run(engine, images), first = scores[..(scores.Length / 4)];
        Assert.Equal(ReferenceInterpreter.Run(quantized.Graph, images[..(images.Length / 4)]), first);
        Assert.InRange(Correlation(Run(exact, images), scores), 0.8, 1);
    }

    [Theory]
    [InlineData("mobilenet-v2", "upper bound")]
    [InlineData("shufflenet", "needs a ReLU before it")]
    [InlineData("se-resnet20", "has no integer form")]
    public void An_efficient_network_that_has_no_integer_form_is_refused_in_a_sentence(string name, string why)
    {
        (NetworkGraph graph, float[] images, _) = Network(name);

        Assert.Contains(why, Assert.Throws<InferenceException>(() => Quantizer.Quantize(graph, images)).Message);
    }

    [Theory]
    [InlineData("squeezenet")]
    [InlineData("mobilenet-v2")]
    [InlineData("shufflenet")]
    [InlineData("se-resnet20")]
    [InlineData("addressnet20")]
    [InlineData("versatile-channel-resnet20")]
    public void An_efficient_network_runs_in_ONNX_Runtime_and_the_file_comes_back(string name)
    {
        (NetworkGraph graph, float[] images, float[] scores) = Network(name);
        using MemoryStream file = new();
        OnnxFile.Save(graph, file);

        using SessionOptions options = new() { LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_ERROR, IntraOpNumThreads = 1 };
        using InferenceSession session = new(file.ToArray(), options);
        using var results = session.Run([NamedOnnxValue.CreateFromTensor("input", new DenseTensor<float>(images, [4, 3, 16, 16]))]);
        file.Position = 0;
        using Engine read = new(OnnxFile.Load(file));

        AssertClose(scores, [.. results[0].AsTensor<float>()]);
        AssertClose(scores, Run(read, images));
    }

    /// <summary>A network with statistics of its own, four images and what it makes of them.</summary>
    private static (NetworkGraph Graph, float[] Images, float[] Scores) Network(string name, int side = 16)
    {
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        random.manual_seed(1);
        using nn.Module<Tensor, Tensor> model = AdderNetModels.Create(name);
        foreach (BatchNorm norm in model.modules().OfType<BatchNorm>())
        {
            norm.momentum = 1;
            norm.weight!.add_(rand_like(norm.weight));
            norm.bias!.add_(rand_like(norm.bias));
        }

        Tensor x = randn(4, 3, side, side);
        model.call(x);
        model.eval();
        return (
            model.ToGraph(new FeatureShape(3, side, side)), x.data<float>().ToArray(), model.call(x).contiguous().data<float>().ToArray());
    }

    private static float[] Run(Engine engine, float[] images)
    {
        float[] scores = new float[4 * engine.OutputLength];
        engine.Run(images, scores);
        return scores;
    }

    private static void AssertClose(float[] expected, float[] actual) =>
        Assert.All(expected.Zip(actual), pair => Assert.Equal(pair.First, pair.Second, 1e-2f * (1 + expected.Max(Math.Abs))));

    private static double Correlation(float[] a, float[] b)
    {
        double meanA = a.Average(), meanB = b.Average();
        double Sum(Func<float, float, double> of) => a.Zip(b, of).Sum();
        return Sum((p, q) => (p - meanA) * (q - meanB))
            / Math.Sqrt(Sum((p, _) => (p - meanA) * (p - meanA)) * Sum((_, q) => (q - meanB) * (q - meanB)));
    }
}
