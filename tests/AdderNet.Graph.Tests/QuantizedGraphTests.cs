using AdderNet.Checkpoints;

namespace AdderNet.Graph.Tests;

public class QuantizedGraphTests
{
    private static readonly Grid Four = new(0.5, 4), Signed = new(0.5, 4, zero: 8);

    [Fact]
    public void Codes_are_rounded_halves_up_and_clamped_to_the_grid()
    {
        Grid grid = new(0.5, 4, zero: 2);

        Assert.Equal(
            [0, 0, 1, 2, 3, 15, 15, 0], ((double[])[-9, -1.26, -0.5, 0.24, 0.25, 6.5, double.PositiveInfinity, double.NaN]).Select(grid.Code));
        Assert.Equal(-1, grid.Value(0));
        Assert.Equal(0.5, Grid.To(7.5, 4).Step);
    }

    [Theory]
    [InlineData(0, 4, 0)]
    [InlineData(double.NaN, 4, 0)]
    [InlineData(1, 25, 0)]
    [InlineData(1, 4, 16)]
    public void Grids_that_make_no_sense_are_refused(double step, int bits, int zero) =>
        Assert.Throws<GraphException>(() => new Grid(step, bits, zero));

    [Fact]
    public void An_adder_layer_compares_codes_and_padding_is_code_zero()
    {
        // x = 1, 3, 9 and filter 2, 4, with a zero on each side: -(2 + 3), -(1 + 1), -(1 + 5), -(7 + 4).
        float[] y = Run([1, 3, 9], Adder([2, 4], Epilogue(multiplier: 2, offset: 30, shift: 1)) with { Window = new WindowGeometry(1, 2, PaddingW: 1) });

        // (2 * sum + 30 + 1) >> 1 is sum + 15.
        Assert.Equal([10, 13, 9, 4], y);
    }

    [Fact]
    public void A_convolution_counts_from_the_inputs_zero_and_padding_adds_nothing()
    {
        // x - 8 = -7, -5, 1; filter 1, -2: 14, -7 + 10, -5 - 2, 1; codes (3 * sum + 20 + 2) >> 2, clamped at 0 and 15.
        float[] y = Run([1, 3, 9], Convolution([1, -2], Epilogue(multiplier: 3, offset: 20, shift: 2)) with { Window = new WindowGeometry(1, 2, PaddingW: 1) });

        Assert.Equal([15, 7, 0, 6], y);
    }

    [Fact]
    public void A_residual_is_added_before_the_one_rounding()
    {
        QuantizedAdderNode layer = Adder([2], Epilogue(multiplier: -1, offset: 0, shift: 2, residual: 3)) with { Inputs = ["x", "x"] };

        // (|x - 2| + 3 x + 2) >> 2
        Assert.Equal([(1 + 3 + 2) >> 2, (1 + 9 + 2) >> 2, (7 + 27 + 2) >> 2], Run([1, 3, 9], layer));
    }

    [Fact]
    public void Sums_of_codes_on_grids_of_their_own_are_rounded_once()
    {
        Grid quarter = new(0.25, 4);
        NetworkGraph graph = new(
            [
                .. Graph(new RequantizeNode { Name = "y", Inputs = ["x"], InputGrid = Four, Grid = quarter, Multiplier = 2, Offset = 0, Shift = 1 }).Nodes,
                new QuantizedAddNode
                {
                    Name = "sum", Inputs = ["x", "y", "x"], InputGrids = [Four, quarter, Four], Grid = Four, Multipliers = [2, 1, -1], Offset = -4, Shift = 2,
                },
            ],
            [new GraphOutput("sum", "sum")]);

        // x = 1, 3, 9 and y the same codes: (2 x + y - x - 4 + 2) >> 2, clamped at 0.
        Assert.Equal([0, 1, 4], ReferenceInterpreter.Run(graph, [0.5f, 1.5f, 4.5f]));
        Assert.Equal(Graphs.Bytes(graph), Graphs.Bytes(GraphFile.Load(new MemoryStream(Graphs.Bytes(graph)))));
        string message = Assert.Throws<GraphException>(() => new NetworkGraph(
            graph.Nodes.Select(n => n is QuantizedAddNode add ? add with { InputGrids = [Four, Four, Four] } : n), graph.Outputs)).Message;
        Assert.Contains("an input has codes of 4 bits in steps of 0.25", message);
    }

    [Fact]
    public void Sums_of_planes_are_their_means_on_a_finer_grid()
    {
        Grid sums = GlobalSumNode.Sums(Four, 3);

        Assert.Equal(new Grid(0.5 / 3, 6), sums);
        Assert.Equal([13], Run([1, 3, 9], new GlobalSumNode { Name = "y", Inputs = ["x"], InputGrid = Four, Grid = sums }));
    }

    [Fact]
    public void Codes_become_codes_of_another_grid_and_values()
    {
        Assert.Equal(
            [0, 1, 4], Run([1, 3, 9], new RequantizeNode { Name = "y", Inputs = ["x"], InputGrid = Four, Grid = new Grid(1, 4), Multiplier = 1, Offset = -1, Shift = 1 }));
        Assert.Equal([.5f, 1.5f, 4.5f], Run([1, 3, 9], new DequantizeNode { Name = "y", Inputs = ["x"], InputGrid = Four }));
        Assert.Equal([9], Run([1, 3, 9], new MaxPoolNode { Name = "y", Inputs = ["x"], Window = new WindowGeometry(1, 3) }));
    }

    [Fact]
    public void Sums_of_the_whole_range_stay_exact()
    {
        // The extremes of multiplier and offset: v needs 63 bits.
        Assert.Equal(15, IntegerEpilogue.Code(int.MinValue, int.MinValue, 1L << 60, 40, 15));
        Assert.Equal(0, IntegerEpilogue.Code(int.MaxValue, int.MinValue, -(1L << 60), 40, 15));
    }

    [Fact]
    public void What_is_compared_or_added_must_be_on_one_grid()
    {
        Grid other = new(0.25, 4);

        Assert.Contains(
            "its input has codes of 4 bits in steps of 0.5, and it takes codes of 4 bits in steps of 0.25",
            Refused(Adder([1], Epilogue()) with { InputGrid = other }));
        Assert.Contains(
            "its residual has codes",
            Refused(Adder([1], Epilogue(residual: 1) with { ResidualGrid = other }) with { Inputs = ["x", "x"] }));
        Assert.Contains("computes with values", Refused(new ReluNode { Name = "y", Inputs = ["x"] }));
        Assert.Contains("has no codes", Refused(Adder([1], Epilogue()) with { Inputs = ["values"] }));
        Assert.Contains("codes already", Refused(new QuantizeNode { Name = "y", Inputs = ["x"], Grid = Four }));
    }

    [Fact]
    public void Integers_that_do_not_fit_are_refused()
    {
        Assert.Contains("beyond 15", Refused(Adder([16], Epilogue())));
        Assert.Contains("4 to 8 bits", Refused(Adder([1], Epilogue()) with { InputGrid = Signed }));
        Assert.Contains("shift of 41", Refused(Adder([1], Epilogue(shift: 41))));
        Assert.Contains("offset", Refused(Adder([1], Epilogue(offset: long.MaxValue))));
        Assert.Contains("no grid", Refused(Adder([1], Epilogue()) with { Grid = null }));
        Assert.Contains("not U8", Refused(Adder([1], Epilogue()) with { Filters = TensorData.FromFloats([1], 1, 1, 1, 1) }));
    }

    [Fact]
    public void A_quantized_graph_comes_back_from_its_file()
    {
        NetworkGraph graph = Graph(Adder([2, 4], Epilogue(residual: 1)) with { Inputs = ["x", "x"], Window = new WindowGeometry(1, 1), Filters = IntegerTensors.Of((byte[])[2], 1, 1, 1, 1) });

        NetworkGraph read = GraphFile.Load(new MemoryStream(Graphs.Bytes(graph)));

        Assert.Equal(Graphs.Bytes(graph), Graphs.Bytes(read));
        Assert.Equal(graph.Nodes.Select(n => n.Grid), read.Nodes.Select(n => n.Grid));
        Assert.Equal(Four, ((QuantizedAdderNode)read["y"]).Epilogue.ResidualGrid);
        Assert.Equal(Graphs.Bytes(graph), Graphs.Bytes(graph.Fuse()));
    }

    [Fact]
    public void Cost_is_that_of_the_integers()
    {
        NetworkGraph graph = Graph(Adder([2, 4], Epilogue()) with { Window = new WindowGeometry(1, 2) });

        // Two weights, a factor and an offset; two sums of two terms.
        Assert.Equal(new OperationCounts(4, 0, 8, 0), OperationCounts.Of(graph["y"]));
        // 2 bytes of filters, 4 + 8 + 4 of the epilogue; values are float32, codes bytes: 12 + 3 at once.
        Assert.Equal(new MemoryEstimate(18, 15), MemoryEstimate.Of(graph));
    }

    private static float[] Run(float[] codes, GraphNode node)
    {
        Grid grid = node is QuantizedConvolutionNode ? Signed : Four;
        return ReferenceInterpreter.Run(Graph(node), Array.ConvertAll(codes, code => (float)grid.Value((int)code)));
    }

    private static string Refused(GraphNode node) => Assert.Throws<GraphException>(() => Graph(node)).Message;

    /// <summary>Three values as codes, and a node that reads them.</summary>
    private static NetworkGraph Graph(GraphNode node) => new(
        [
            InputNode.Of("values", new FeatureShape(1, 1, 3)),
            new QuantizeNode { Name = "x", Inputs = ["values"], Grid = node is QuantizedConvolutionNode ? Signed : Four },
            node,
        ],
        [new GraphOutput("y", "y")]);

    private static QuantizedAdderNode Adder(byte[] codes, IntegerEpilogue epilogue) => new()
    {
        Name = "y",
        Inputs = ["x"],
        Filters = IntegerTensors.Of(codes, 1, 1, 1, codes.Length),
        Window = new WindowGeometry(1, codes.Length),
        InputGrid = Four,
        Grid = Four,
        Epilogue = epilogue,
    };

    private static QuantizedConvolutionNode Convolution(sbyte[] weights, IntegerEpilogue epilogue) => new()
    {
        Name = "y",
        Inputs = ["x"],
        Filters = IntegerTensors.Of(weights, 1, 1, 1, weights.Length),
        Window = new WindowGeometry(1, weights.Length),
        InputGrid = Signed,
        Grid = Four,
        Epilogue = epilogue,
    };

    private static IntegerEpilogue Epilogue(int multiplier = 1, long offset = 0, int shift = 1, int? residual = null) => new()
    {
        Multiplier = IntegerTensors.Of((int[])[multiplier], 1),
        Offset = IntegerTensors.Of((long[])[offset], 1),
        Shift = IntegerTensors.Of((int[])[shift], 1),
        ResidualMultiplier = residual is { } r ? IntegerTensors.Of((int[])[r], 1) : null,
        ResidualGrid = residual is null ? null : Four,
    };
}
