using AdderNet.Graph;

namespace AdderNet.Inference;

/// <summary>
/// Runs a network without libtorch. Weights are laid out once, memory is planned once, and a call allocates nothing after the first with as
/// many images. Any number of threads may call at once: each call has memory of its own, the weights are shared, and the engine's threads
/// serve one call at a time while the others compute on the thread that called.
/// </summary>
/// <example>
/// <code>
/// using Engine engine = Engine.Load("resnet20.safetensors");
/// float[] scores = new float[engine.OutputLength];
/// engine.Run(image, scores); // image: [3, 32, 32], normalized as engine.Graph.Metadata.Preparation says
/// </code>
/// </example>
public sealed class Engine : IDisposable
{
    private readonly Plan plan;
    private readonly Lock gate = new();
    private readonly Stack<Session> idle = [];
    private Session? team;
    private bool disposed;

    /// <summary>Prepares a network.</summary>
    /// <param name="graph">The network; it has one input. Fused or not: the engine fuses what it can.</param>
    /// <param name="threads">Threads for one call, the caller's among them; null for one a processor.</param>
    /// <exception cref="InferenceException">The network has several inputs.</exception>
    /// <exception cref="ArgumentOutOfRangeException">Threads are below 1.</exception>
    public Engine(NetworkGraph graph, int? threads = null)
    {
        ArgumentNullException.ThrowIfNull(graph);
        Threads = threads ?? Environment.ProcessorCount;
        ArgumentOutOfRangeException.ThrowIfLessThan(Threads, 1, nameof(threads));
        Graph = graph;
        plan = new Plan(graph);
        team = new Session(plan, Threads);
    }

    /// <summary>The network as it was given.</summary>
    public NetworkGraph Graph { get; }

    /// <summary>Threads for one call, the caller's among them.</summary>
    public int Threads { get; }

    /// <summary>The size of an input image, [C, H, W].</summary>
    public FeatureShape InputShape => plan.InputShape;

    /// <summary>The size of an image's output; of the first, where the network has several.</summary>
    public FeatureShape OutputShape => plan.Outputs[0].Shape;

    /// <summary>Floats of an image's outputs: those of a network with several lie one after another, in the order of the graph's outputs.</summary>
    public int OutputLength => plan.OutputLength;

    /// <summary>What it needs of memory.</summary>
    public EngineMemory Memory => plan.Memory;

    /// <summary>Loads a network from a file that has its graph (see <see cref="GraphFile"/>).</summary>
    /// <param name="path">The file.</param>
    /// <param name="threads">Threads for one call, the caller's among them; null for one a processor.</param>
    /// <returns>The engine; to be disposed.</returns>
    /// <exception cref="Checkpoints.CheckpointException">The file is missing or damaged, or has no graph.</exception>
    /// <exception cref="InferenceException">The engine can't run it.</exception>
    public static Engine Load(string path, int? threads = null) => new(GraphFile.Load(path), threads);

    /// <summary>Computes the outputs of one image or of a batch.</summary>
    /// <param name="input">Images [N, C, H, W]; N follows from the length.</param>
    /// <param name="output">[N, <see cref="OutputLength"/>]; overwritten.</param>
    /// <exception cref="ArgumentException">The input is no whole number of images, or the output has another length.</exception>
    /// <exception cref="ObjectDisposedException">The engine is disposed.</exception>
    public void Run(ReadOnlySpan<float> input, Span<float> output)
    {
        int images = input.Length / InputShape.Count;
        if (images == 0 || input.Length != images * InputShape.Count)
        {
            throw new ArgumentException(
                $"The input has {input.Length} values; images of {InputShape} have {InputShape.Count} each.", nameof(input));
        }

        if (output.Length != (long)images * OutputLength)
        {
            throw new ArgumentException(
                $"The output has room for {output.Length} values; {images} image(s) give {(long)images * OutputLength}.", nameof(output));
        }

        Session session = Rent();
        try
        {
            session.Run(input, output, images);
        }
        finally
        {
            Return(session);
        }
    }

    /// <summary>Ends the threads and frees the memory, once calls under way are over.</summary>
    public void Dispose()
    {
        lock (gate)
        {
            disposed = true;
            team?.Dispose();
            team = null;
            while (idle.TryPop(out Session? session))
            {
                session.Dispose();
            }
        }
    }

    private Session Rent()
    {
        lock (gate)
        {
            ObjectDisposedException.ThrowIf(disposed, this);
            if (team is { } whole)
            {
                team = null;
                return whole;
            }

            return idle.TryPop(out Session? session) ? session : new Session(plan, threads: 1);
        }
    }

    private void Return(Session session)
    {
        lock (gate)
        {
            if (disposed || (session.Threads == 1 && Threads > 1 && idle.Count >= Environment.ProcessorCount))
            {
                session.Dispose();
            }
            else if (session.Threads == Threads && team is null)
            {
                team = session;
            }
            else
            {
                idle.Push(session);
            }
        }
    }
}
