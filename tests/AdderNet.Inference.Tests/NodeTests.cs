using AdderNet.Graph;
using CsCheck;

namespace AdderNet.Inference.Tests;

/// <summary>Single nodes over random sizes against the interpreter's plain loops.</summary>
public class NodeTests
{
    private static readonly Gen<(FeatureShape Shape, WindowGeometry Window, int Outputs, int Groups, int Images, int Seed)> Layers =
        from groups in Gen.Int[1, 3]
        from inputs in Gen.Int[1, 3]
        from outputs in Gen.Int[1, 3]
        from kernel in Gen.Select(Gen.Int[1, 5], Gen.Int[1, 5])
        from stride in Gen.Select(Gen.Int[1, 3], Gen.Int[1, 3])
        from padding in Gen.Select(Gen.Int[0, 3], Gen.Int[0, 3])
        from dilation in Gen.Select(Gen.Int[1, 3], Gen.Int[1, 3])
        from more in Gen.Select(Gen.Int[0, 12], Gen.Int[0, 40])
        from images in Gen.Int[1, 3]
        from seed in Gen.Int[0, 1 << 20]
        select (
            new FeatureShape(
                inputs * groups, Math.Max(1, dilation.Item1 * (kernel.Item1 - 1) + 1 - 2 * padding.Item1) + more.Item1,
                Math.Max(1, dilation.Item2 * (kernel.Item2 - 1) + 1 - 2 * padding.Item2) + more.Item2),
            new WindowGeometry(
                kernel.Item1, kernel.Item2, stride.Item1, stride.Item2, padding.Item1, padding.Item2, dilation.Item1, dilation.Item2),
            outputs * groups, groups, images, seed);

    [Fact]
    public void Adder_layers_of_any_geometry() => Check((node, filters) => new AdderNode
    {
        Name = node.Name,
        Inputs = node.Inputs,
        Filters = filters,
        Window = node.Window,
        Groups = node.Groups,
        Bias = node.Bias,
    });

    [Fact]
    public void Convolutions_of_any_geometry() => Check((node, _) => node);

    [Fact]
    public void Binary_convolutions_of_any_geometry() => Check((node, filters) => new BinaryConvolutionNode
    {
        Name = node.Name,
        Inputs = node.Inputs,
        Filters = filters,
        Window = node.Window,
        Groups = node.Groups,
        Rule = BinarizationRule.XnorNet,
    });

    [Fact]
    public void Codes_are_added_and_made_larger_as_the_plain_loops_do_whatever_borders_and_widths_they_have() => Gen.Select(
        Gen.Int[1, 9], Gen.Int[1, 40], Gen.Int[4, 12], Gen.Int[1, 3], Gen.Int[0, 2], Gen.Int[0, 1 << 20]).Sample(
        (height, width, bits, factor, padding, seed) =>
        {
            Random random = new(seed);
            Grid byBytes = new(0.02, 8), other = new(0.5 / (1 << bits), bits, random.Next(1 << bits)), sums = new(0.03, random.Next(4, 9), 2 * random.Next(2));
            QuantizedAddNode add = new()
            {
                Name = "sum",
                Inputs = ["larger", "right.codes"],
                InputGrids = [byBytes, other],
                Grid = sums,
                Multipliers = [random.Next(1 << 20), random.Next(-(1 << 16), 1 << 20)],
                Offset = random.Next(-(1 << 24), 1 << 24),
                Shift = 20,
            };
            List<GraphNode> nodes =
            [
                InputNode.Of("x", new FeatureShape(2, height, width)),
                new QuantizeNode { Name = "left.codes", Inputs = ["x"], Grid = byBytes },
                new UpsampleNode { Name = "larger", Inputs = ["left.codes"], Factor = factor },
                // The same size by another way.
                new UpsampleNode { Name = "values", Inputs = ["x"], Factor = factor },
                new QuantizeNode { Name = "right.codes", Inputs = ["values"], Grid = other },
                add,
                new DequantizeNode { Name = "y", Inputs = ["sum"], InputGrid = sums },
            ];
            if (sums is { Zero: 0 })
            {
                // Borders, for a layer that reads the sum.
                nodes.Add(new QuantizedAdderNode
                {
                    Name = "layer",
                    Inputs = ["sum"],
                    Filters = IntegerTensors.Of([.. Enumerable.Range(0, 2 * 9).Select(_ => (byte)random.Next(sums.Top + 1))], 1, 2, 3, 3),
                    Window = new WindowGeometry(3, 3, PaddingH: 1 + padding, PaddingW: 1 + padding),
                    InputGrid = sums,
                    Grid = new Grid(1, 12),
                    Epilogue = new IntegerEpilogue
                    {
                        Multiplier = IntegerTensors.Of((int[])[-1], 1),
                        Offset = IntegerTensors.Of((long[])[0], 1),
                        Shift = IntegerTensors.Of((int[])[1], 1),
                    },
                });
                nodes.Add(new DequantizeNode { Name = "z", Inputs = ["layer"], InputGrid = new Grid(1, 12) });
            }

            NetworkGraph graph = new(nodes, [new GraphOutput("y", "y"), .. sums.Zero == 0 ? [new GraphOutput("z", "z")] : Array.Empty<GraphOutput>()]);
            float[] images = Graphs.Values(random, 2 * graph.Inputs[0].Shape.Count);
            using Engine engine = new(graph, threads: 1);
            Assert.Equal(Networks.Reference(graph, images), engine.Run(images));
        }, iter: 60);

    [Fact]
    public void Pooling_of_any_geometry() => Layers.Sample(
        layer =>
        {
            WindowGeometry window = layer.Window with
            {
                PaddingH = Math.Min(layer.Window.PaddingH, layer.Window.KernelH / 2),
                PaddingW = Math.Min(layer.Window.PaddingW, layer.Window.KernelW / 2),
            };
            FeatureShape shape = layer.Shape with { Height = layer.Shape.Height + 6, Width = layer.Shape.Width + 6 };
            Same(shape, layer.Images, layer.Seed, new MaxPoolNode { Name = "y", Inputs = ["x"], Window = window });
            Same(shape, layer.Images, layer.Seed, new AveragePoolNode
            {
                Name = "y",
                Inputs = ["x"],
                Window = window with { DilationH = 1, DilationW = 1 },
                CountsPadding = layer.Seed % 2 == 0,
            });
        },
        iter: 100);

    [Fact]
    public void Maps_made_larger_by_any_factor() => Gen.Select(Gen.Int[1, 5], Gen.Int[1, 9], Gen.Int[1, 9], Gen.Int[1, 4], Gen.Int[1, 3]).Sample(
        (channels, height, width, factor, images) => Same(
            new FeatureShape(channels, height, width), images, height, new UpsampleNode { Name = "y", Inputs = ["x"], Factor = factor }),
        iter: 100);

    [Fact]
    public void Linear_layers_of_any_size() => Gen.Select(Gen.Int[1, 70], Gen.Int[1, 9], Gen.Int[1, 4]).Sample(
        (inputs, outputs, images) => Same(FeatureShape.Vector(inputs), images, inputs, new LinearNode
        {
            Name = "y",
            Inputs = ["x"],
            Weight = Graphs.Tensor(new Random(inputs), outputs, inputs),
            Bias = Graphs.Tensor(new Random(outputs), outputs),
        }),
        iter: 100);

    private static void Check(Func<ConvolutionNode, Checkpoints.TensorData, FilterNode> kind) => Layers.Sample(
        layer =>
        {
            Random random = new(layer.Seed);
            Checkpoints.TensorData filters = Graphs.Tensor(
                random, layer.Outputs, layer.Shape.Channels / layer.Groups, layer.Window.KernelH, layer.Window.KernelW);
            FilterNode node = kind(
                new ConvolutionNode
                {
                    Name = "y",
                    Inputs = ["x"],
                    Filters = filters,
                    Window = layer.Window,
                    Groups = layer.Groups,
                    Bias = Graphs.Tensor(random, layer.Outputs),
                },
                filters);
            Same(layer.Shape, layer.Images, layer.Seed, node with
            {
                Epilogue = layer.Seed % 3 == 0 ? null : new Epilogue { Scale = Graphs.Tensor(random, layer.Outputs), Minimum = layer.Seed % 3 == 1 ? 0 : -5, Maximum = layer.Seed % 3 == 1 ? null : 5 },
            });
        },
        iter: 200);

    private static void Same(FeatureShape shape, int images, int seed, GraphNode node)
    {
        NetworkGraph graph = Networks.Of(shape, node);
        float[] input = Graphs.Values(new Random(seed), images * shape.Count);
        using Engine engine = new(graph, 1 + seed % 2);
        Networks.AssertClose(Networks.Reference(graph, input), engine.Run(input), 1e-5);
    }
}
