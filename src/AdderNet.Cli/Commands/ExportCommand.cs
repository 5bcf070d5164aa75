using System.CommandLine;
using AdderNet.Export;
using AdderNet.Export.C;
using AdderNet.Export.Native;
using AdderNet.Export.Web;
using AdderNet.Graph;
using AdderNet.Inference;
using AdderNet.Training;

namespace AdderNet.Cli.Commands;

/// <summary><c>addernet export</c>: a trained network for other programs.</summary>
internal static class ExportCommand
{
    /// <summary>What a network can be exported as.</summary>
    /// <param name="Word">What <c>--to</c> takes.</param>
    /// <param name="Write">Writes the network to a path, whole or not at all, and returns what to say of it.</param>
    /// <param name="IsFolder">Whether the path is a folder, which may be there if it is empty.</param>
    private sealed record Target(string Word, Func<NetworkGraph, string, string> Write, bool IsFolder = false);

    private static readonly Target denseC = new("c", (graph, path) => ToC(graph, path, dense: true), IsFolder: true);

    private static readonly Target[] targets =
    [
        new("onnx", ToOnnx),
        new("graph", ToGraph),
        new("c", (graph, path) => ToC(graph, path, dense: false), IsFolder: true),
        new("web", ToWeb, IsFolder: true),
        new("native", ToNative, IsFolder: true),
    ];

    public static Command Create(Host host)
    {
        Argument<string> run = new("RUN") { Description = "Run folder, a file of weights, or a file of a graph" };
        Argument<string> path = new("PATH") { Description = "File or folder to write" };
        Option<Target?> to = new("--to")
        {
            HelpName = string.Join('|', targets.Select(target => target.Word)),
            Description = "What to write: onnx, a file for ONNX Runtime and other programs that read ONNX; graph, a .safetensors file for eval, "
                + "predict, bench and the engine; c, a folder of C99 without dependencies; web, a folder with a page for the browser, of a "
                + "quantized network; native, a folder with the engine as a shared library for C, Python and others",
            Required = true,
            CustomParser = result =>
            {
                string word = result.Tokens.Single().Value;
                Target? target = targets.FirstOrDefault(t => string.Equals(t.Word, word, StringComparison.OrdinalIgnoreCase));
                if (target is null)
                {
                    result.AddError($"--to takes {string.Join(", ", targets.Select(t => t.Word))}, not '{word}'");
                }

                return target;
            },
        };
        Option<bool> dense = new("--dense")
        {
            Description = "With --to c: adder layers that go over all taps, a byte each, rather than over lists of those that need work",
        };
        Option<bool> force = new("--force") { Description = "Replace PATH where it exists; of a folder, the files of the same names" };
        ModelOptions models = new();
        CliCommand command = new(
            "export",
            "Write a trained network for other programs.",
            "export runs/lenet5-bn-mnist --to onnx lenet.onnx # for ONNX Runtime",
            "export runs/fcos-resnet20-digits --to onnx digits.onnx # a detector: boxes, scores and labels",
            "export resnet20.pth --model resnet20 --data cifar10 --to onnx resnet20.onnx # weights saved by the official code",
            "export lenet-7bit.safetensors lenet-c --to c # a quantized network for a microcontroller",
            "export lenet-7bit.safetensors lenet-page --to web # a page that runs it in a browser",
            "export lenet-7bit.safetensors lenet --to native # a shared library, its header, and examples in C and Python")
        {
            run, path, to, dense, force,
        };
        models.AddTo(command);
        command.SetAction(arguments =>
        {
            (string from, string destination) = (arguments.GetValue(run)!, arguments.GetValue(path)!);
            Target target = arguments.GetValue(to)!;
            if (arguments.GetValue(dense))
            {
                target = target.Word == denseC.Word ? denseC : throw CliException.Usage("--dense is for --to c.");
            }

            using LoadedModel? model = GraphFiles.IsGraph(from) ? null : models.Load(host, arguments, from);
            NetworkGraph graph = model?.ToGraph() ?? GraphFiles.Read(from);
            if (graph.Metadata.Boxes is not null && target.IsFolder)
            {
                throw new CliException($"{from} is a detector, and --to {target.Word} has no boxes; use --to onnx, or --to graph.");
            }

            bool isThere = target.IsFolder && Directory.Exists(destination)
                ? Directory.EnumerateFileSystemEntries(destination).Any()
                : Path.Exists(destination);
            if (isThere && !arguments.GetValue(force))
            {
                throw new CliException($"{destination} exists; choose another name, or replace it with --force.");
            }

            host.Out.WriteLine(target.Write(graph, destination));
        });
        return command;
    }

    private static string ToOnnx(NetworkGraph graph, string path)
    {
        OnnxFile.Save(graph, path);
        string sizes = string.Join(", ", graph.Inputs[0].Shape.Sizes), length = FormattableString.Invariant($"{new FileInfo(path).Length:N0}");
        return graph.Metadata.Boxes is null
            ? $"Wrote {path}: {length} bytes for inputs [N, {sizes}]."
            : $"Wrote {path}: {length} bytes for an image [1, {sizes}]; it gives boxes, scores and labels, the surest first.";
    }

    private static string ToGraph(NetworkGraph graph, string path)
    {
        if (!string.Equals(Path.GetExtension(path), ".safetensors", StringComparison.OrdinalIgnoreCase))
        {
            throw new CliException($"A graph is a safetensors file, which {path} does not say; choose a name that ends in .safetensors.");
        }

        graph.Save(path);
        return FormattableString.Invariant($"Wrote {path}: {new FileInfo(path).Length:N0} bytes. To try it: {Host.CommandName} eval {path}");
    }

    private static string ToC(NetworkGraph graph, string path, bool dense)
    {
        CExporter.Export(graph, path, dense);
        return $"Wrote {path}: C99. To try it: cd {path} && cc -std=c99 -O3 main.c model.c -o classify && ./classify";
    }

    private static string ToWeb(NetworkGraph graph, string path)
    {
        WebExporter.Export(graph, path);
        return $"Wrote {path}: open {Path.Combine(path, "index.html")} in a browser.";
    }

    private static string ToNative(NetworkGraph graph, string path)
    {
        string engine = Path.Combine(AppContext.BaseDirectory, "native");
        if (!NativeExporter.IsEngine(engine))
        {
            throw new CliException(
                "This addernet was built without its native library; run ./native in its checkout (on Linux; it needs gcc or clang, and zlib's files for "
                + "development: apt install gcc zlib1g-dev), and build or pack it again.");
        }

        // What the engine cannot run is said before anything is written.
        new Engine(graph, threads: 1).Dispose();
        NativeExporter.Export(graph, engine, path);
        return $"Wrote {path}: the engine for C (addernet.h) and the network. To try it: "
            + $"{Path.Combine(path, "addernet-infer")} {Path.Combine(path, NativeExporter.ModelFile)} IMAGE.png";
    }
}
