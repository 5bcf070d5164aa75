using AdderNet.Export;
using AdderNet.Graph;
using AdderNet.Inference;
using AdderNet.Models;
using AdderNet.Training.Detection;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using Tensor = TorchSharp.torch.Tensor;

namespace AdderNet.Training.Tests.Detection;

/// <summary>What ONNX Runtime finds by a file, against what is found here.</summary>
public class DetectionExportTests
{
    private static readonly string[] Names = ["a", "b", "c"];

    [Theory]
    // Some candidates, maps that reach beyond the image, none at all, and more than a map and an image may have.
    [InlineData(48, 64, 0.4, 1.5f)]
    [InlineData(41, 50, 0.4, 1.5f)]
    [InlineData(48, 64, 0, 1.5f)]
    [InlineData(160, 192, 1, -1.5f)]
    public void An_ONNX_file_makes_the_same_boxes_of_a_detectors_output(int height, int width, double share, float size)
    {
        DetectionLevel[] levels = [new(8, 0, 24), new(16, 24, double.PositiveInfinity)];
        FcosGrid grid = new(levels, height, width, Names.Length);
        float[] row = Row(grid, share, size);
        NetworkGraph graph = new(
            [InputNode.Of("row", FeatureShape.Vector(row.Length))], [new GraphOutput("output", "row")],
            new NetworkMetadata(ClassNames: Names, Boxes: new BoxDecoding(height, width, [8, 16])));

        FoundBox[] found = Run(graph, row, [1, row.Length]);

        List<FoundBox> expected = FcosDecoder.Decode(row, grid);
        Assert.Equal(expected.Count, found.Length);
        Assert.True(share == 0 ? found.Length == 0 : found.Length > 5, $"{found.Length}");
        Assert.Equal(share == 1, found.Length == 100);
        Assert.All(expected.Zip(found), pair => AssertAlike(pair.First, pair.Second));
    }

    [Theory]
    [InlineData("scores", "row")]
    [InlineData("boxes", "boxes")]
    [InlineData("labels", "scores")]
    public void A_detectors_output_may_be_named_as_what_is_made_of_it(string output, string node)
    {
        FcosGrid grid = new([new(8, 0, double.PositiveInfinity)], 32, 32, Names.Length);
        float[] row = Row(grid, 0.4, 1.5f);
        NetworkGraph graph = new(
            [InputNode.Of(node, FeatureShape.Vector(row.Length))], [new GraphOutput(output, node)],
            new NetworkMetadata(ClassNames: Names, Boxes: new BoxDecoding(32, 32, [8])));

        FoundBox[] found = Run(graph, row, [1, row.Length]);

        List<FoundBox> expected = FcosDecoder.Decode(row, grid);
        Assert.InRange(expected.Count, 2, 100);
        Assert.Equal(expected.Select(box => box.Class), found.Select(box => box.Class));
    }

    [Fact]
    public void A_detectors_ONNX_file_finds_in_an_image_what_the_detector_finds_and_comes_back_as_its_network()
    {
        const int side = 64;
        random.manual_seed(1);
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        using nn.Module<Tensor, Tensor> model = DetectionModels.Create("fcos-resnet20", LayerFactory.Inner(LayerKind.Adder), null, Names.Length, 1);
        foreach (BatchNorm norm in model.modules().OfType<BatchNorm>())
        {
            norm.momentum = 1; // One batch is all that they see.
        }

        // Scores that differ: fresh ones are those of rare objects, all alike.
        Conv2d scores = (Conv2d)model.named_modules().Single(m => m.name == "head.class").module;
        nn.init.normal_(scores.weight, 0, 0.1);
        nn.init.constant_(scores.bias!, -3);
        model.call(randn(4, 1, side, side));
        model.eval();
        NetworkGraph graph = model.ToGraph(
            new FeatureShape(1, side, side), new NetworkMetadata("fcos-resnet20", "digits", Names, null, new BoxDecoding(side, side, [8, 16, 32])));
        Tensor image = randn(1, 1, side, side);
        float[] pixels = image.data<float>().ToArray();

        FoundBox[] found = Run(graph, pixels, [1, 1, side, side]);

        List<FoundBox> expected = FcosDecoder.Decode(
            model.call(image).data<float>().ToArray(), new FcosGrid(DetectionModels.Find("fcos-resnet20").Levels, side, side, Names.Length));
        Assert.InRange(expected.Count, 10, 100);
        Assert.Equal(expected.Count, found.Length);
        Assert.All(expected.Zip(found), pair => AssertAlike(pair.First, pair.Second));

        using MemoryStream file = new();
        OnnxFile.Save(graph, file);
        file.Position = 0;
        NetworkGraph read = OnnxFile.Load(file);
        Assert.Equal(graph.Nodes.Select(node => node.Name), read.Nodes.Select(node => node.Name));
        Assert.Equal(graph.Outputs, read.Outputs);
        Assert.Equal([8, 16, 32], read.Metadata.Boxes!.Strides);
        using Engine before = new(graph, threads: 1), after = new(read, threads: 1);
        float[] row = new float[before.OutputLength], again = new float[row.Length];
        before.Run(pixels, row);
        after.Run(pixels, again);
        Assert.Equal(row, again);
    }

    private static void AssertAlike(FoundBox expected, FoundBox found)
    {
        Assert.Equal(expected.Class, found.Class);
        Assert.Equal(expected.Score, found.Score, 1e-4f);
        float[] edges = [expected.Box.X0, expected.Box.Y0, expected.Box.X1, expected.Box.Y1];
        Assert.All(
            edges.Zip([found.Box.X0, found.Box.Y0, found.Box.X1, found.Box.Y1]), pair => Assert.Equal(pair.First, pair.Second, 1e-2f));
    }

    private static FoundBox[] Run(NetworkGraph graph, float[] input, int[] shape)
    {
        using MemoryStream file = new();
        OnnxFile.Save(graph, file);
        using SessionOptions options = new() { LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_ERROR, IntraOpNumThreads = 1 };
        using InferenceSession session = new(file.ToArray(), options);
        using var results = session.Run([NamedOnnxValue.CreateFromTensor(session.InputNames[0], new DenseTensor<float>(input, shape))]);
        float[] boxes = [.. results.Single(r => r.Name == "boxes").AsTensor<float>()], scores = [.. results.Single(r => r.Name == "scores").AsTensor<float>()];
        long[] labels = [.. results.Single(r => r.Name == "labels").AsTensor<long>()];
        return [.. scores.Select((score, i) => new FoundBox((int)labels[i], new(boxes[4 * i], boxes[4 * i + 1], boxes[4 * i + 2], boxes[4 * i + 3]), score))];
    }

    /// <summary>
    /// A row whose scores, in a random order, have all the same distance from the next, so that rounding decides nothing.
    /// </summary>
    /// <param name="grid">The places.</param>
    /// <param name="share">The share of pairs of place and class that are sure enough.</param>
    /// <param name="size">The logarithm of boxes' usual size, in strides.</param>
    private static float[] Row(FcosGrid grid, double share, float size)
    {
        Random random = new(1);
        int[] ranks = [.. Enumerable.Range(0, grid.Places * grid.Classes)];
        random.Shuffle(ranks);
        float[] row = new float[grid.RowLength];
        int next = 0;
        foreach (FcosGrid.Map map in grid.Maps)
        {
            int places = map.Rows * map.Columns;
            Span<float> values = row.AsSpan(map.First * grid.Values, places * grid.Values);
            for (int i = 0; i < places; i++)
            {
                double centre = 0.85 + 0.1 * random.NextDouble();
                values[(grid.Classes + 4) * places + i] = Logit(centre);
                for (int c = 0; c < grid.Classes; c++)
                {
                    double rank = (ranks[next++] + 0.5) / ranks.Length, least = 1 - share;
                    double score = rank < least ? 0.04 : 0.06 + 0.8 * (rank - least) / Math.Max(share, 1e-9);
                    values[c * places + i] = Logit(score * score / centre);
                }

                for (int edge = 0; edge < 4; edge++)
                {
                    values[(grid.Classes + edge) * places + i] = size + random.NextSingle() - 0.5f;
                }
            }
        }

        return row;

        static float Logit(double p) => (float)Math.Log(p / (1 - p));
    }
}
