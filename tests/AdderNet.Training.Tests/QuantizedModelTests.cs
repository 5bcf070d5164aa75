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
        QuantizedNetwork quantized = Quantizer.Quantize(graph, images[..length], bits);

        using Engine engine = new(quantized.Graph, 2);
        float[] image = images[^length..], scores = new float[engine.OutputLength];
        engine.Run(image, scores);
        Assert.Equal(ReferenceInterpreter.Run(quantized.Graph, image), scores);
        Assert.Contains(quantized.Graph.Nodes, node => node is QuantizedAdderNode);
        Assert.Equal(mixed, quantized.Graph.Nodes.OfType<QuantizedConvolutionNode>().Count() > 3);
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
