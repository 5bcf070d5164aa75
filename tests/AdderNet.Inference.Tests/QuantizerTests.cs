using AdderNet.Checkpoints;
using AdderNet.Graph;

namespace AdderNet.Inference.Tests;

public class QuantizerTests
{
    private static readonly NetworkGraph ResNet = Networks.ResNet20(8);

    [Theory]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    [InlineData(7)]
    [InlineData(8)]
    public void A_residual_network_gives_nearly_the_same_in_few_bits_and_the_engine_gives_the_integers_of_the_plain_loops(int bits)
    {
        float[] images = Graphs.Values(new Random(bits), 16 * 192);
        QuantizedNetwork quantized = Quantizer.Quantize(ResNet, images, bits);

        using Engine exact = new(ResNet), engine = new(quantized.Graph);
        float[] three = images[..(3 * 192)], scores = engine.Run(three);

        Assert.Equal(Networks.Reference(quantized.Graph, three), scores);
        // Random weights are harder than trained ones: the network's answers are noise, too.
        Assert.InRange(Correlation(exact.Run(images), engine.Run(images)), bits switch { 4 => 0.6, 5 => 0.85, 6 => 0.95, _ => 0.98 }, 1);
        Assert.Equal(22, quantized.Layers.Count);
        Assert.All(quantized.Layers.Where(l => quantized.Graph[l.Name] is QuantizedAdderNode), l => Assert.Equal(bits, l.Bits));
    }

    [Fact]
    public void What_a_layer_before_and_behind_poolings_and_fully_connected_layers_gives_is_exact_too()
    {
        Random random = new(3);
        NetworkGraph graph = new(
            [
                InputNode.Of("image", new FeatureShape(1, 20, 20)),
                Graphs.Convolution(random, "conv1", "image", 1, 6, kernel: 5),
                new ReluNode { Name = "relu1", Inputs = ["conv1"] },
                new MaxPoolNode { Name = "pool1", Inputs = ["relu1"], Window = new WindowGeometry(3, 3, 2, 2, 1, 1) },
                Graphs.Adder(random, "conv2", "pool1", 6, 12, kernel: 3, padding: 1, groups: 2, bias: true),
                Graphs.Norm(random, "bn2", "conv2", 12) with { RunningMean = Constant(-30, 12), RunningVariance = Constant(40, 12) },
                new ReluNode { Name = "relu2", Inputs = ["bn2"] },
                new MaxPoolNode { Name = "pool2", Inputs = ["relu2"], Window = new WindowGeometry(2, 2, 2, 2) },
                new FlattenNode { Name = "flatten", Inputs = ["pool2"] },
                new LinearNode { Name = "embedding", Inputs = ["flatten"], Weight = Graphs.Tensor(random, 2, 192), Bias = Graphs.Tensor(random, 2) },
                new LinearNode { Name = "fc", Inputs = ["embedding"], Weight = Graphs.Tensor(random, 4, 2) },
            ],
            [new GraphOutput("scores", "fc"), new GraphOutput("features", "embedding")]);
        float[] images = Graphs.Values(random, 20 * 400);

        QuantizedNetwork quantized = Quantizer.Quantize(graph, images, 6);

        using Engine exact = new(graph), engine = new(quantized.Graph);
        Assert.Equal(Networks.Reference(quantized.Graph, images[..2000]), engine.Run(images[..2000]));
        Assert.InRange(Correlation(exact.Run(images), engine.Run(images)), 0.97, 1);
        Assert.Equal(graph.Outputs.Select(o => o.Name), quantized.Graph.Outputs.Select(o => o.Name));
    }

    [Fact]
    public void A_quantized_network_survives_its_file_and_knows_no_floating_point_between_input_and_scores()
    {
        NetworkGraph graph = Quantizer.Quantize(ResNet, Graphs.Values(new Random(1), 8 * 192), 5).Graph;
        using MemoryStream stream = new();
        graph.Save(stream);
        stream.Position = 0;

        NetworkGraph read = GraphFile.Load(stream);

        using Engine before = new(graph), after = new(read);
        float[] images = Graphs.Values(new Random(2), 3 * 192);
        Assert.Equal(before.Run(images), after.Run(images));
        Assert.All(graph.Nodes.SelectMany(n => n.Tensors), t => Assert.NotEqual(TensorDtype.F32, t.Value.Dtype));
        Assert.Equal(["image", graph.Outputs[0].Node], graph.Nodes.Where(n => n.Grid is null).Select(n => n.Name));
    }

    [Fact]
    public void Ranges_that_layers_were_trained_with_are_kept_and_the_integers_follow_what_rounded_inputs_give()
    {
        float[] images = Graphs.Values(new Random(1), 8 * 192);
        QuantizedNetwork first = Quantizer.Quantize(ResNet, images, 4);
        Dictionary<string, double> ranges = first.Layers.Where(l => first.Graph[l.Name] is QuantizedAdderNode).ToDictionary(l => l.Name, l => 0.8 * l.Range);

        QuantizedNetwork trained = Quantizer.Quantize(ResNet, images, 4, ranges);

        Assert.All(trained.Layers.Where(l => ranges.ContainsKey(l.Name)), l =>
        {
            Assert.Equal("training", l.Rule);
            // A range of codes that are added, too, is one multiplier and shift away from theirs.
            Assert.InRange(l.Range, 0.99 * ranges[l.Name], 1.01 * ranges[l.Name]);
        });
        using Engine engine = new(trained.Graph);
        Assert.Equal(Networks.Reference(trained.Graph, images[..192]), engine.Run(images[..192]));
    }

    [Fact]
    public void A_value_that_is_0_for_all_calibration_images_is_quantized_too()
    {
        // Its BatchNorm shifts the sum of a block so far down that the ReLU behind it is always shut.
        BatchNormNode norm = (BatchNormNode)ResNet["layer16.0.conv2.bn"];
        NetworkGraph shut = new(
            ResNet.Nodes.Select(node => node == norm ? norm with { Bias = Constant(-1e4f, 16) } : node), ResNet.Outputs);
        float[] images = Graphs.Values(new Random(1), 8 * 192);

        NetworkGraph quantized = Quantizer.Quantize(shut, images, 6).Graph;

        using Engine engine = new(quantized);
        Assert.Equal(Networks.Reference(quantized, images[..192]), engine.Run(images[..192]));

        // Training with rounded inputs makes no grid of such inputs either.
        Dictionary<string, double> none = shut.Nodes.OfType<AdderNode>().ToDictionary(node => node.Name, _ => 0d);
        using Engine trained = new(Quantizer.Quantize(shut, images, 6, none).Graph);
        Assert.Equal(engine.Run(images[..192]), trained.Run(images[..192]));
    }

    [Fact]
    public void Many_threads_may_call_at_once()
    {
        using Engine engine = new(Quantizer.Quantize(ResNet, Graphs.Values(new Random(1), 8 * 192), 6).Graph, 2);
        float[][] inputs = [.. Enumerable.Range(1, 6).Select(n => Graphs.Values(new Random(n), n * 192))];
        float[][] expected = [.. inputs.Select(engine.Run)];

        Parallel.For(0, 48, new ParallelOptions { MaxDegreeOfParallelism = 6 }, i => Assert.Equal(expected[i % 6], engine.Run(inputs[i % 6])));
    }

    [Fact]
    public void A_call_allocates_nothing_after_the_first()
    {
        using Engine engine = new(Quantizer.Quantize(ResNet, Graphs.Values(new Random(1), 8 * 192), 6).Graph, threads: 1);
        float[] images = Graphs.Values(new Random(2), 4 * 192), scores = new float[40];
        engine.Run(images, scores);
        long before = GC.GetAllocatedBytesForCurrentThread();

        engine.Run(images, scores);

        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    [Fact]
    public void Convolutions_of_many_taps_keep_their_weights_where_they_read_what_may_be_negative()
    {
        Random random = new(6);
        NetworkGraph graph = new(
            [
                InputNode.Of("image", new FeatureShape(3, 6, 6)),
                Graphs.Convolution(random, "narrow", "image", 3, 4, kernel: 3, padding: 1),
                new ReluNode { Name = "relu1", Inputs = ["narrow"] },
                Graphs.Adder(random, "adder", "relu1", 4, 256),
                Graphs.Norm(random, "bn", "adder", 256) with { RunningMean = Constant(-8, 256), RunningVariance = Constant(4, 256) },
                Graphs.Convolution(random, "wide", "bn", 256, 6, kernel: 3, padding: 1),
                Graphs.Convolution(random, "last", "wide", 6, 4, kernel: 3, padding: 1),
            ],
            [new GraphOutput("maps", "last")]);
        float[] images = Graphs.Values(random, 8 * 108);

        QuantizedNetwork quantized = Quantizer.Quantize(graph, images);

        Assert.InRange(quantized.Layers.Single(layer => layer.Name == "wide").Error, 0, 0.03);
        Assert.InRange(((QuantizedConvolutionNode)quantized.Graph["wide"]).Filters.ToInt32s().Max(Math.Abs), 100, 127);
        using Engine exact = new(graph), engine = new(quantized.Graph);
        Assert.Equal(Networks.Reference(quantized.Graph, images[..216]), engine.Run(images[..216]));
        Assert.InRange(Correlation(exact.Run(images), engine.Run(images)), 0.998, 1);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void The_mean_of_a_large_map_keeps_the_weights_of_the_layer_behind_it(bool relu)
    {
        Random random = new(7);
        NetworkGraph graph = new(
            [
                InputNode.Of("image", new FeatureShape(1, 32, 32)),
                Graphs.Convolution(random, "narrow", "image", 1, 2),
                new ReluNode { Name = "relu1", Inputs = ["narrow"] },
                Graphs.Adder(random, "adder", "relu1", 2, 256),
                Graphs.Norm(random, "adder.bn", "adder", 256) with { RunningMean = Constant(-3, 256), RunningVariance = Constant(2, 256) },
                .. relu ? [new ReluNode { Name = "relu2", Inputs = ["adder.bn"] }] : Array.Empty<GraphNode>(),
                new GlobalAveragePoolNode { Name = "mean", Inputs = [relu ? "relu2" : "adder.bn"] },
                new FlattenNode { Name = "flatten", Inputs = ["mean"] },
                new LinearNode { Name = "fc", Inputs = ["flatten"], Weight = Graphs.Tensor(random, 5, 256) },
            ],
            [new GraphOutput("scores", "fc")]);
        float[] images = Graphs.Values(random, 12 * 1024);
        for (int i = 0; i < images.Length; i++)
        {
            // Images that differ in their means.
            images[i] *= (i / 1024 + 1) / 12f;
        }

        NetworkGraph quantized = Quantizer.Quantize(graph, images).Graph;

        Assert.Equal(127, ((QuantizedConvolutionNode)quantized["fc"]).Filters.ToInt32s().Max(Math.Abs));
        using Engine exact = new(graph), engine = new(quantized);
        Assert.Equal(Networks.Reference(quantized, images[..2048]), engine.Run(images[..2048]));
        Assert.InRange(Correlation(exact.Run(images), engine.Run(images)), 0.99, 1);
    }

    [Fact]
    public void A_network_may_give_what_its_layers_read_whatever_the_names_are()
    {
        Random random = new(8);
        NetworkGraph graph = new(
            [
                InputNode.Of("image", new FeatureShape(1, 6, 6)),
                Graphs.Convolution(random, "image.codes", "image", 1, 4, kernel: 3, padding: 1),
                new ReluNode { Name = "a", Inputs = ["image.codes"] },
                Graphs.Adder(random, "a.compared", "a", 4, 4, kernel: 3, padding: 1),
                Graphs.Norm(random, "b", "a.compared", 4) with { RunningMean = Constant(-30, 4), RunningVariance = Constant(40, 4) },
                new ReluNode { Name = "a.values", Inputs = ["b"] },
                Graphs.Convolution(random, "c", "a.values", 4, 2),
                new ConcatenateNode { Name = "all", Inputs = ["a", "c", "a"] },
            ],
            [new GraphOutput("a", "a"), new GraphOutput("maps", "c"), new GraphOutput("everything", "all")]);
        float[] images = Graphs.Values(random, 16 * 36);

        NetworkGraph quantized = Quantizer.Quantize(graph, images, 6).Graph;

        using Engine exact = new(graph), engine = new(quantized);
        float[] wanted = exact.Run(images), found = engine.Run(images);
        Assert.Equal(Networks.Reference(quantized, images), found);
        Assert.Equal(["a", "maps", "everything"], quantized.Outputs.Select(output => output.Name));
        int length = exact.OutputLength;
        foreach (Range part in (Range[])[0..(4 * 36), (4 * 36)..(6 * 36)])
        {
            Assert.InRange(Correlation(Part(wanted, part), Part(found, part)), 0.98, 1);
        }

        // What a ReLU gives is never negative, given or read.
        Assert.InRange(Part(found, 0..(4 * 36)).Min(), 0, 0);

        float[] Part(float[] rows, Range range) => [.. rows.Chunk(length).SelectMany(row => row[range])];
    }

    [Fact]
    public void What_cannot_be_quantized_is_told_in_a_sentence()
    {
        float[] image = new float[192];
        InputNode input = InputNode.Of("x", new FeatureShape(3, 8, 8));
        Random random = new(1);

        Assert.Contains("4 to 8 bits, not 3", Refused(ResNet, image, 3));
        Assert.Contains("no calibration images", Refused(ResNet, []));
        Assert.Contains("193 values", Refused(ResNet, new float[193]));
        Assert.Contains("reads a vector", Refused(new NetworkGraph(
            [InputNode.Of("x", FeatureShape.Vector(192)), new LinearNode { Name = "y", Inputs = ["x"], Weight = Graphs.Tensor(random, 2, 192) }],
            [new GraphOutput("y", "y")]), image));
        Assert.Contains("no adder layer", Refused(Networks.Of(input.Shape, Graphs.Convolution(random, "y", "x", 3, 2)), image));
        Assert.Contains("needs a ReLU before it", Refused(Networks.Of(input.Shape, Graphs.Adder(random, "y", "x", 3, 2)), image));
        Assert.Contains("cannot be quantized: a Sigmoid has no integer form", Refused(new NetworkGraph(
            [input, Graphs.Convolution(random, "c", "x", 3, 2), new SigmoidNode { Name = "y", Inputs = ["c"] },
             Graphs.Adder(random, "a", "y", 2, 2)], [new GraphOutput("y", "a")]), image));
        Assert.Contains("quantized already", Refused(Quantizer.Quantize(ResNet, Graphs.Values(random, 8 * 192)).Graph, image));
    }

    private static string Refused(NetworkGraph graph, float[] images, int bits = 8) =>
        Assert.Throws<InferenceException>(() => Quantizer.Quantize(graph, images, bits)).Message;

    private static TensorData Constant(float value, int count) => TensorData.FromFloats([.. Enumerable.Repeat(value, count)], count);

    private static double Correlation(float[] x, float[] y)
    {
        LineFit fit = LineFit.OfChannels(x, y, 1, x.Length)[0];
        return Math.Sqrt(1 - fit.Missed / fit.Spread);
    }
}
