using System.CommandLine;
using AdderNet.Graph;
using AdderNet.Inference;
using AdderNet.Models;
using Spectre.Console;

namespace AdderNet.Cli.Commands;

/// <summary><c>addernet bench</c>: how fast a network runs on this machine, in float32 and in integers of each width.</summary>
internal static class BenchCommand
{
    // Enough for layers' ranges, which decide how many taps are skipped; accuracy is not asked for here.
    private const int CalibrationImageCount = 32;

    private sealed record Width(string Name, Engine Engine);

    /// <param name="Width">What the engine computes in.</param>
    /// <param name="Batch">Images at a time.</param>
    /// <param name="Milliseconds">For all of them.</param>
    /// <param name="ImagesPerSecond">The same as a rate.</param>
    /// <param name="WeightBytes">The memory plan: weights.</param>
    /// <param name="ActivationBytes">All values of an image that one layer gives and another reads.</param>
    /// <param name="PeakBytes">What they take, sharing memory.</param>
    private sealed record Measurement(
        string Width, int Batch, double Milliseconds, double ImagesPerSecond, long WeightBytes, long ActivationBytes, long PeakBytes);

    public static Command Create(Host host)
    {
        Argument<string?> run = new("RUN")
        {
            Description = "Run folder, a file of weights, or a graph (.safetensors, .onnx); without it the newest run in runs/",
            Arity = ArgumentArity.ZeroOrOne,
        };
        ModelOptions models = new();
        Option<string[]> with = new("--with")
        {
            HelpName = "RUN",
            Description = "Another network for the same images, timed in turn with the first; can be given again",
        };
        Option<int?> batchSize = CommonOptions.Number("--batch-size", "N", "Images at a time, beside one; 256 by default, 16 for a detector", 2, 1 << 16);
        Option<string?> dataDir = CommonOptions.DataDir();
        Option<int?> threads = CommonOptions.Threads();
        Option<bool> json = CommonOptions.Json();
        CliCommand command = new(
            "bench",
            "Measure how fast a network runs here: in float32, and quantized to 8 down to 4 bits where it is an AdderNet.",
            "bench # the newest run",
            "bench runs/fcos-resnet20-digits # a detector: the network, without what makes boxes of its output",
            "bench runs/resnet20-cifar10 --threads 1 --json # on one thread, for scripts",
            "bench runs/resnet20-cifar10 --with runs/resnet20-cifar10/best-pruned.safetensors # what pruning brings, both in one process",
            "bench resnet20.pth --model resnet20 --data cifar10 # weights saved by the official code")
        {
            run, with, dataDir, batchSize, threads, json,
        };
        models.AddTo(command);
        command.SetAction(arguments =>
        {
            using LoadedModel model = models.Load(host, arguments, arguments.GetValue(run));
            using Interrupt interrupt = new(null);
            CalibrationData data = CalibrationData.Open(
                host, model, arguments.GetValue(models.Data), arguments.GetValue(dataDir), null, interrupt.Token);
            float[] images = data.Take(CalibrationImageCount).Values;
            NetworkGraph graph = model.ToGraph(data.Height, data.Width, data.ClassNames);
            int batch = arguments.GetValue(batchSize) ?? (model.FindsBoxes ? 16 : 256);
            List<Measurement> measurements;
            List<Width> widths = [];
            try
            {
                widths.AddRange(Widths(graph, images, arguments.GetValue(threads), host.Error));
                foreach (string path in arguments.GetValue(with) ?? [])
                {
                    widths.AddRange(Others(model, graph, path, images, arguments.GetValue(threads), host.Error));
                }

                measurements = [.. ((int[])[1, batch]).SelectMany(count => Measure(host, widths, images, count, interrupt.Token))];
            }
            finally
            {
                widths.ForEach(width => width.Engine.Dispose());
            }

            if (arguments.GetValue(json))
            {
                host.Out.WriteJson(new
                {
                    model.Source,
                    Model = model.Name,
                    Layers = model.Layers.Name(),
                    Threads = arguments.GetValue(threads) ?? Environment.ProcessorCount,
                    Measurements = measurements,
                });
                return;
            }

            host.Out.WriteLine($"{model.Title}, {model.Source}");
            Show(host.Tables, measurements);
        });
        return command;
    }

    private static IEnumerable<Width> Others(
        LoadedModel first, NetworkGraph graph, string path, float[] images, int? threads, TextWriter notes)
    {
        using LoadedModel other = LoadedModel.Beside(path, first, notes.WriteLine);
        FeatureShape shape = graph.Inputs[0].Shape;
        NetworkGraph network = other.ToGraph(shape.Height, shape.Width, []);
        return network.Inputs[0].Shape == shape && Outputs(network) == Outputs(graph)
            ? [.. Widths(network, images, threads, notes).Select(width => width with { Name = $"{width.Name}, {path}" })]
            : throw new CliException(
                $"{path} takes {network.Inputs[0].Shape} and gives {Outputs(network)} values, {first.Source} takes {shape} and gives {Outputs(graph)}; they can't be timed in turn.");

        static int Outputs(NetworkGraph network) => network.Outputs.Sum(output => network[output.Node].Shape.Count);
    }

    private static IEnumerable<Width> Widths(NetworkGraph graph, float[] images, int? threads, TextWriter notes)
    {
        if (graph.Nodes.OfType<QuantizedAdderNode>().FirstOrDefault() is { } integers)
        {
            yield return new Width($"{integers.InputGrid.Bits} bits", new Engine(graph, threads));
            yield break;
        }

        yield return new Width("float32", new Engine(graph, threads));
        for (int bits = Quantizer.MostBits; bits >= Quantizer.FewestBits; bits--)
        {
            NetworkGraph quantized;
            try
            {
                quantized = Quantizer.Quantize(graph, images, bits).Graph;
            }
            catch (InferenceException e)
            {
                notes.WriteLine($"Float32 only: {e.Message}");
                yield break;
            }

            yield return new Width($"{bits} bits", new Engine(quantized, threads));
        }
    }

    private static IEnumerable<Measurement> Measure(
        Host host, IReadOnlyList<Width> widths, float[] images, int count, CancellationToken cancel) =>
        widths.Zip(EngineTimes.Measure([.. widths.Select(width => width.Engine)], images, count, host.LeastTime, cancel), (width, median) =>
        {
            EngineMemory memory = width.Engine.Memory;
            return new Measurement(width.Name, count, median, 1000 * count / median, memory.Weights, memory.Activations, memory.Peak);
        });

    private static void Show(IAnsiConsole console, IReadOnlyList<Measurement> measurements)
    {
        Table table = new Table().Border(TableBorder.Horizontal).AddColumns("weights", "batch", "ms", "images/s", "weights KB", "values KB", "peak KB");
        foreach (TableColumn column in table.Columns.Skip(1))
        {
            column.RightAligned();
        }

        foreach (Measurement m in measurements)
        {
            table.AddRow(
                m.Width, FormattableString.Invariant($"{m.Batch}"), FormattableString.Invariant($"{m.Milliseconds:F3}"),
                FormattableString.Invariant($"{m.ImagesPerSecond:N0}"), FormattableString.Invariant($"{m.WeightBytes / 1024.0:N0}"),
                FormattableString.Invariant($"{m.ActivationBytes / 1024.0:N0}"), FormattableString.Invariant($"{m.PeakBytes / 1024.0:N0}"));
        }

        console.Write(table);
    }
}
