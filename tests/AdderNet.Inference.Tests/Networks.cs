using AdderNet.Graph;

namespace AdderNet.Inference.Tests;

/// <summary>Networks of one input, and what the plain interpreter makes of them.</summary>
internal static class Networks
{
    /// <summary>A network of one node behind its input.</summary>
    public static NetworkGraph Of(FeatureShape input, GraphNode node) =>
        new([InputNode.Of("x", input), node], [new GraphOutput("y", node.Name)]);

    /// <summary>A residual network with a node of every kind that the engine knows, two outputs, and values that live long.</summary>
    public static NetworkGraph Everything()
    {
        NetworkGraph two = Graphs.Everything();
        // The second input becomes a layer's output.
        return new NetworkGraph(
            [
                two["image"],
                Graphs.Convolution(new Random(3), "offsets", "image", 3, 8, kernel: 3, padding: 1),
                .. two.Nodes.Where(node => node is not InputNode),
            ],
            two.Outputs, two.Metadata);
    }

    /// <summary>A ResNet-20 of adder layers for images of a size, its weights drawn.</summary>
    public static NetworkGraph ResNet20(int size)
    {
        Random random = new(5);
        List<GraphNode> nodes = [InputNode.Of("image", new FeatureShape(3, size, size))];
        string last = Finish(Graphs.Convolution(random, "conv1", "image", 3, 16, kernel: 3, padding: 1), 16, relu: true);
        int channels = 16;
        foreach (int width in (int[])[16, 32, 64])
        {
            for (int block = 0; block < 3; block++)
            {
                int stride = width != channels && block == 0 ? 2 : 1;
                string name = $"layer{width}.{block}", shortcut = last;
                AdderNode first = Graphs.Adder(random, $"{name}.conv1", last, channels, width, kernel: 3, padding: 1);
                string body = Finish(first with { Window = new WindowGeometry(3, 3, stride, stride, 1, 1) }, width, relu: true);
                body = Finish(Graphs.Adder(random, $"{name}.conv2", body, width, width, kernel: 3, padding: 1), width, relu: false);
                if (stride == 2)
                {
                    AdderNode down = Graphs.Adder(random, $"{name}.downsample", last, channels, width);
                    shortcut = Finish(down with { Window = new WindowGeometry(1, 1, 2, 2) }, width, relu: false);
                }

                nodes.Add(new AddNode { Name = $"{name}.sum", Inputs = [body, shortcut] });
                nodes.Add(new ReluNode { Name = last = name, Inputs = [$"{name}.sum"] });
                channels = width;
            }
        }

        nodes.Add(new GlobalAveragePoolNode { Name = "pool", Inputs = [last] });
        nodes.Add(Graphs.Convolution(random, "fc", "pool", 64, 10));
        nodes.Add(new FlattenNode { Name = "flatten", Inputs = ["fc"] });
        return new NetworkGraph(nodes, [new GraphOutput("scores", "flatten")]);

        string Finish(GraphNode layer, int outputs, bool relu)
        {
            nodes.Add(layer);
            // Adder layers' outputs are far from 0; BatchNorm brings them back.
            double mean = layer is AdderNode adder ? -1.2 * adder.SumLength : 0, deviation = layer is AdderNode a ? Math.Sqrt(a.SumLength) : 3;
            nodes.Add(Graphs.Norm(random, $"{layer.Name}.bn", layer.Name, outputs) with
            {
                RunningMean = Constant(mean, outputs),
                RunningVariance = Constant(deviation * deviation, outputs),
            });
            if (!relu)
            {
                return $"{layer.Name}.bn";
            }

            nodes.Add(new ReluNode { Name = $"{layer.Name}.relu", Inputs = [$"{layer.Name}.bn"] });
            return $"{layer.Name}.relu";
        }
    }

    /// <summary>What an engine gives for some images.</summary>
    public static float[] Run(this Engine engine, float[] images)
    {
        float[] scores = new float[images.Length / engine.InputShape.Count * engine.OutputLength];
        engine.Run(images, scores);
        return scores;
    }

    /// <summary>What the interpreter gives for some images, image by image, the outputs of each behind one another.</summary>
    public static float[] Reference(NetworkGraph graph, float[] images)
    {
        InputNode input = graph.Inputs.Single();
        return [.. images.Chunk(input.Shape.Count).SelectMany(image =>
        {
            var outputs = ReferenceInterpreter.Run(graph, new Dictionary<string, float[]> { [input.Name] = image });
            return graph.Outputs.SelectMany(output => outputs[output.Name]);
        })];
    }

    public static void AssertClose(float[] expected, float[] actual, double tolerance)
    {
        Assert.Equal(expected.Length, actual.Length);
        double size = Math.Max(1, expected.Max(Math.Abs));
        foreach (var (e, a) in expected.Zip(actual))
        {
            Assert.True(Math.Abs(e - a) <= tolerance * size, $"{a} instead of {e}, where values reach {size}");
        }
    }

    private static Checkpoints.TensorData Constant(double value, int count) =>
        Checkpoints.TensorData.FromFloats([.. Enumerable.Repeat((float)value, count)], count);
}
