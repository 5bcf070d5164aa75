using AdderNet.Checkpoints;
using AdderNet.Graph;

namespace AdderNet.Inference.Tests;

public class EngineTests
{
    [Theory]
    [InlineData(1, 1)]
    [InlineData(5, 1)]
    [InlineData(1, 2)]
    [InlineData(7, 2)]
    public void Network_of_every_node_gives_what_the_interpreter_gives(int images, int threads)
    {
        NetworkGraph graph = Networks.Everything();
        float[] input = Graphs.Values(new Random(images), images * graph.Inputs[0].Shape.Count);
        using Engine engine = new(graph, threads);

        Networks.AssertClose(Networks.Reference(graph, input), engine.Run(input), 1e-4);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void Residual_network_gives_what_the_interpreter_gives(int images)
    {
        NetworkGraph graph = Networks.ResNet20(16);
        float[] input = Graphs.Values(new Random(images), images * graph.Inputs[0].Shape.Count);
        using Engine engine = new(graph, 2);

        Networks.AssertClose(Networks.Reference(graph, input), engine.Run(input), 1e-3);
    }

    [Fact]
    public void Scores_depend_on_neither_batch_nor_threads()
    {
        NetworkGraph graph = Networks.ResNet20(16);
        float[] input = Graphs.Values(new Random(1), 9 * graph.Inputs[0].Shape.Count);
        using Engine one = new(graph, 1), three = new(graph, 3);
        float[] alone = [.. input.Chunk(graph.Inputs[0].Shape.Count).SelectMany(one.Run)];

        Assert.Equal(alone, one.Run(input));
        Assert.Equal(alone, three.Run(input));
        Assert.Equal(alone, input.Chunk(graph.Inputs[0].Shape.Count).SelectMany(three.Run));
    }

    [Fact]
    public void Many_threads_may_call_at_once()
    {
        NetworkGraph graph = Networks.ResNet20(16);
        using Engine engine = new(graph, 2);
        float[][] inputs = [.. Enumerable.Range(1, 8).Select(n => Graphs.Values(new Random(n), n * graph.Inputs[0].Shape.Count))];
        float[][] expected = [.. inputs.Select(engine.Run)];

        Parallel.For(0, 64, new ParallelOptions { MaxDegreeOfParallelism = 8 }, i => Assert.Equal(expected[i % 8], engine.Run(inputs[i % 8])));
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(1, 2)]
    [InlineData(8, 2)]
    public void Calls_allocate_nothing_after_the_first(int images, int threads)
    {
        NetworkGraph graph = Networks.Everything();
        using Engine engine = new(graph, threads);
        float[] input = new float[images * engine.InputShape.Count], scores = new float[images * engine.OutputLength];
        engine.Run(input, scores);
        engine.Run(input, scores);

        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 10; i++)
        {
            engine.Run(input, scores);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public void Memory_plan_is_smaller_than_all_values_together()
    {
        using Engine engine = new(Networks.ResNet20(32), 1);

        // Nine blocks of three values each, of which a block needs three at most at once, the largest 16 x 32 x 32 floats.
        Assert.Equal(3 * 16 * 32 * 32 * sizeof(float), engine.Memory.Peak);
        Assert.True(engine.Memory.Activations > 3 * engine.Memory.Peak);
        Assert.InRange(engine.Memory.Weights, 100_000, 4_000_000);
    }

    [Fact]
    public void Graph_file_runs_as_it_is()
    {
        using TempFolder folder = new();
        string path = Path.Combine(folder.Path, "net.safetensors");
        NetworkGraph graph = Networks.ResNet20(8);
        graph.Save(path);
        float[] input = Graphs.Values(new Random(1), graph.Inputs[0].Shape.Count);
        using Engine engine = Engine.Load(path), direct = new(graph);

        Assert.Equal(direct.Run(input), engine.Run(input));
    }

    [Fact]
    public void Wrong_sizes_are_refused_in_a_sentence()
    {
        using Engine engine = new(Networks.ResNet20(8), 1);

        Assert.Contains("3x8x8", Assert.Throws<ArgumentException>(() => engine.Run(new float[100], new float[10])).Message);
        Assert.Contains("3x8x8", Assert.Throws<ArgumentException>(() => engine.Run([], [])).Message);
        Assert.Contains("10", Assert.Throws<ArgumentException>(() => engine.Run(new float[192], new float[11])).Message);
        Assert.Contains("2 inputs", Assert.Throws<InferenceException>(() => new Engine(Graphs.Everything())).Message);
        Assert.Throws<ArgumentOutOfRangeException>(() => new Engine(Networks.ResNet20(8), 0));
        Assert.Throws<CheckpointException>(() => Engine.Load("no such file"));
    }

    [Fact]
    public void Disposed_engine_refuses_to_run()
    {
        Engine engine = new(Networks.ResNet20(8), 2);
        engine.Dispose();
        engine.Dispose();

        Assert.Throws<ObjectDisposedException>(() => engine.Run(new float[192], new float[10]));
    }
}
