using AdderNet.Graph;
using AdderNet.Inference;
using AdderNet.Models;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace AdderNet.Training.Tests;

public class QuantizedModelTests
{
    private static readonly LayerFactory Adders = LayerFactory.Inner(LayerKind.Adder);

    /// <summary>Convolutions where the name has an even number at its end.</summary>
    private static readonly LayerFactory Mixed = LayerFactory.Inner(slot => (slot.Name[^1] - '0') % 2 == 0 ? LayerKind.Conv : LayerKind.Adder);

    [Theory]
    [InlineData("lenet5-bn", false, 6)]
    [InlineData("lenet++", false, 5)]
    [InlineData("vgg-small", false, 7)]
    [InlineData("resnet32", false, 4)]
    [InlineData("resnet18", false, 6)]
    [InlineData("resnet50", false, 7)]
    [InlineData("lenet5-bn", true, 4)]
    [InlineData("resnet20", true, 6)]
    public void Each_model_of_adder_layers_or_mixed_is_quantized_and_the_engine_gives_the_integers_of_the_plain_loops(string name, bool mixed, int bits)
    {
        ModelInfo info = AdderNetModels.Find(name);
        NetworkGraph graph;
        float[] images;
        using (var scope = NewDisposeScope())
        using (no_grad())
        {
            using nn.Module<Tensor, Tensor> model = AdderNetModels.Create(name, mixed ? Mixed : Adders);
            foreach (BatchNorm norm in model.modules().OfType<BatchNorm>())
            {
                norm.momentum = 1; // One batch is all that they see.
            }

            Tensor x = randn(4, info.InputChannels, 32, 32);
            model.forward(x);
            model.eval();
            graph = model.ToGraph(new FeatureShape(info.InputChannels, 32, 32));
            images = x.data<float>().ToArray();
        }

        int length = graph.Inputs[0].Shape.Count;
        // Choosing a grid tries a layer sixteen times over: networks of millions of weights are told theirs.
        bool large = graph.Nodes.OfType<LayerNode>().Sum(layer => layer.Weights.Count) > 1_000_000;
        QuantizedNetwork quantized = Quantizer.Quantize(
            graph, images[..length], bits, large ? Inspection.LargestInputs(graph, images.AsSpan(0, length)) : null);

        using Engine engine = new(quantized.Graph, 2);
        float[] image = images[^length..], scores = new float[engine.OutputLength];
        engine.Run(image, scores);
        Assert.Equal(ReferenceInterpreter.Run(quantized.Graph, image), scores);
        Assert.Contains(quantized.Graph.Nodes, node => node is QuantizedAdderNode);
        Assert.Equal(mixed, quantized.Graph.Nodes.OfType<QuantizedConvolutionNode>().Count() > 3);
    }

    [Fact]
    public void A_detector_is_quantized_from_end_to_end_and_the_engine_gives_the_integers_of_the_plain_loops()
    {
        const int bits = 6, classes = 2, side = 32, images = 4;
        string[] names = ["a", "b"];
        NetworkGraph graph;
        float[] pixels;
        using (var scope = NewDisposeScope())
        using (no_grad())
        {
            using nn.Module<Tensor, Tensor> model = DetectionModels.Create(
                "fcos-resnet20", Adders, null, classes, inputChannels: 1);
            foreach (BatchNorm norm in model.modules().OfType<BatchNorm>())
            {
                norm.momentum = 1; // One batch is all that they see.
            }

            Tensor x = randn(images, 1, side, side);
            model.forward(x);
            model.eval();
            graph = model.ToGraph(
                new FeatureShape(1, side, side), new NetworkMetadata("fcos-resnet20", "digits", names, null, new BoxDecoding(side, side, [8, 16, 32])));
            pixels = x.data<float>().ToArray();
        }

        QuantizedNetwork quantized = Quantizer.Quantize(graph, pixels, bits);

        using MemoryStream file = new();
        quantized.Graph.Save(file);
        file.Position = 0;
        NetworkGraph read = GraphFile.Load(file);
        using Engine engine = new(read, 2), exact = new(graph, 2);
        float[] two = pixels[..(2 * side * side)], rows = new float[2 * engine.OutputLength], wanted = new float[rows.Length];
        engine.Run(two, rows);
        exact.Run(two, wanted);
        Assert.Equal(ReferenceInterpreter.Run(quantized.Graph, two[(side * side)..]), rows[engine.OutputLength..]);
        Assert.Equal(quantized.Graph.Metadata.Boxes!.Strides, read.Metadata.Boxes!.Strides);

        // What arranges the outputs is all that computes with values.
        Assert.All(read.Nodes, node => Assert.True(
            node is InputNode or DequantizeNode or ConcatenateNode or FlattenNode || node.Grid is not null, node.Name));
        Assert.All(quantized.Layers.Where(l => read[l.Name] is QuantizedAdderNode), l => Assert.Equal(bits, l.Bits));
        // A head's convolution has its weights once for all maps.
        IEnumerable<QuantizedConvolutionNode> last = read.Nodes.OfType<QuantizedConvolutionNode>().Where(n => n.Name.StartsWith("head.class.level", StringComparison.Ordinal));
        Assert.Equal(3, last.Count());
        Assert.Single(last.Select(n => n.Filters).Distinct(ReferenceEqualityComparer.Instance));
        double missed = rows.Zip(wanted, (a, b) => Math.Pow(a - b, 2)).Sum(), spread = wanted.Sum(v => Math.Pow(v - wanted.Average(), 2));
        Assert.InRange(missed / spread, 0, 0.1);
    }

    [Theory]
    [InlineData(LayerKind.Binary)]
    [InlineData(LayerKind.DoReFa)]
    public void A_binary_network_has_no_adder_layer_to_quantize_and_is_told_so(LayerKind kind)
    {
        float[] image = new float[32 * 32];

        string message = Assert.Throws<InferenceException>(() => Quantizer.Quantize(AdderNetModels.Graph("lenet5-bn", kind), image)).Message;

        Assert.Contains("no adder layer", message);
    }

    [Fact]
    public void Binary_layers_between_adder_layers_are_refused_by_name()
    {
        using nn.Module<Tensor, Tensor> model = AdderNetModels.Create(
            "resnet20", LayerFactory.Inner(slot => slot.Name.StartsWith("layer2.", StringComparison.Ordinal) ? LayerKind.Binary : LayerKind.Adder));
        FeatureShape shape = new(3, 8, 8);

        string message = Assert.Throws<InferenceException>(() => Quantizer.Quantize(model.ToGraph(shape), new float[shape.Count])).Message;

        Assert.Contains("'layer2.0.conv1' cannot be quantized", message);
    }
}
