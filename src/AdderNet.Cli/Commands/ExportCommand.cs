using System.CommandLine;
using AdderNet.Export;
using AdderNet.Graph;

namespace AdderNet.Cli.Commands;

/// <summary><c>addernet export</c>: a trained network for other programs.</summary>
internal static class ExportCommand
{
    /// <summary>What a network can be exported as.</summary>
    /// <param name="Word">What <c>--to</c> takes.</param>
    /// <param name="Write">Writes the network to a path, whole or not at all, and returns what to say of it.</param>
    private sealed record Target(string Word, Func<NetworkGraph, string, string> Write);

    private static readonly Target[] targets =
    [
        new("onnx", ToOnnx),
    ];

    public static Command Create(Host host)
    {
        Argument<string> run = new("RUN") { Description = "Run folder, a file of weights, or a file of a graph" };
        Argument<string> path = new("PATH") { Description = "File or folder to write" };
        Option<Target?> to = new("--to")
        {
            HelpName = string.Join('|', targets.Select(target => target.Word)),
            Description = "What to write: onnx, a file for ONNX Runtime and other programs that read ONNX",
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
        Option<bool> force = new("--force") { Description = "Replace PATH where it exists" };
        ModelOptions models = new();
        CliCommand command = new(
            "export",
            "Write a trained network for other programs.",
            "export runs/lenet5-bn-mnist --to onnx lenet.onnx # for ONNX Runtime",
            "export resnet20.pth --model resnet20 --data cifar10 --to onnx resnet20.onnx # weights saved by the official code")
        {
            run, path, to, force,
        };
        models.AddTo(command);
        command.SetAction(arguments =>
        {
            (string from, string destination) = (arguments.GetValue(run)!, arguments.GetValue(path)!);
            if (Path.Exists(destination) && !arguments.GetValue(force))
            {
                throw new CliException($"{destination} exists; choose another name, or replace it with --force.");
            }

            NetworkGraph graph = GraphModels.IsGraph(from) ? GraphFile.Load(from) : OfModel(host, models, arguments, from);
            host.Out.WriteLine(arguments.GetValue(to)!.Write(graph, destination));
        });
        return command;
    }

    private static NetworkGraph OfModel(Host host, ModelOptions models, ParseResult arguments, string path)
    {
        using LoadedModel model = models.Load(host, arguments, path);
        return model.ToGraph();
    }

    private static string ToOnnx(NetworkGraph graph, string path)
    {
        OnnxFile.Save(graph, path);
        string sizes = string.Join(", ", graph.Inputs[0].Shape.Sizes);
        return FormattableString.Invariant($"Wrote {path}: {new FileInfo(path).Length:N0} bytes for inputs [N, {sizes}].");
    }
}
