using System.CommandLine;
using AdderNet.Graph;
using AdderNet.Models;
using AdderNet.Reproduction;
using AdderNet.Training;

namespace AdderNet.Cli.Commands;

/// <summary><c>addernet analyze</c>: a page on what a network has learned.</summary>
internal static class AnalyzeCommand
{
    public static Command Create(Host host)
    {
        Argument<string?> run = new("RUN")
        {
            Description = "Run folder, a file of weights, or a graph (.safetensors, .onnx); without it the newest run in runs/",
            Arity = ArgumentArity.ZeroOrOne,
        };
        ModelOptions models = new();
        Option<string?> with = new("--with")
        {
            HelpName = "RUN",
            Description = "Another run or graph to show beside it, such as the CNN of the same model",
        };
        Option<string?> output = new("--out") { HelpName = "FILE.html", Description = "The page to write; analysis.html in the run's folder by default" };
        Option<int?> calibration = CommonOptions.Number(
            "--calibration", "N", "Training images to look at the layers with; 256 by default, fewer of large ones", 1, 1 << 20);
        Option<string?> dataDir = CommonOptions.DataDir();
        Option<int?> threads = CommonOptions.Threads();
        Option<bool> force = new("--force") { Description = "Replace the page where it exists" };
        CliCommand command = new(
            "analyze",
            "Write a page on what a network has learned: filters against inputs, taps that cost nothing, dead channels, BatchNorm's scales, gradients.",
            "analyze # the newest run",
            "analyze runs/fcos-resnet20-voc --data-dir ~/voc # a detector",
            "analyze runs/resnet20-cifar10 --with runs/resnet20-cnn-cifar10 --out resnet20.html # AdderNet and CNN side by side",
            "analyze resnet20.pth --model resnet20 --data cifar10 --out resnet20.html # weights saved by the official code")
        {
            run, with, output, calibration, dataDir, threads, force,
        };
        models.AddTo(command);
        command.SetAction(arguments =>
        {
            TorchThreads.Use(arguments.GetValue(threads));
            string? named = arguments.GetValue(run);
            using LoadedModel model = models.Load(host, arguments, named);
            string path = arguments.GetValue(output) ?? Path.Combine(Folder(named, model.Source), "analysis.html");
            OutputFile.Refuse(path, arguments.GetValue(force));
            using LoadedModel? other = arguments.GetValue(with) is { } second ? LoadedModel.Beside(second, model, host.Error.WriteLine) : null;
            (LoadedModel Model, string Named)[] all = [(model, named ?? Folder(null, model.Source)), .. other is null ? [] : ((LoadedModel, string)[])[(other, arguments.GetValue(with)!)]];
            using Interrupt interrupt = new(null);
            CalibrationData data = CalibrationData.Open(
                host, model, arguments.GetValue(models.Data), arguments.GetValue(dataDir), null, interrupt.Token);
            List<NetworkAnalysis> networks = [];
            int images = 0;
            foreach ((LoadedModel one, string name) in all)
            {
                CalibrationImages seen = (one == model ? data : data.For(one)).Take(arguments.GetValue(calibration));
                images = seen.Labels.Length;
                NetworkGraph graph = one.ToGraph(seen.Height, seen.Width, data.ClassNames);
                string label = all.Count(o => o.Model.Title == one.Title) > 1 ? Path.GetFileName(Path.TrimEndingDirectorySeparator(name)) : one.Title;
                networks.Add(NetworkAnalysis.Of(
                    label, one.Source, one.Layers, graph, seen.Values, seen.Labels,
                    one.Recipe ?? Recipe.For(one.Name, data.Info.Name), arguments.GetValue(threads)));
                interrupt.Token.ThrowIfCancellationRequested();
            }

            Report report = AnalysisPage.Of(
                networks, $"What {string.Join(" and ", networks.Select(n => n.Label))} {(networks.Count > 1 ? "have" : "has")} learned",
                FormattableString.Invariant($"{string.Join(" and ", all.Select(o => o.Model.Source))}, measured with {images:N0} training images of {data.Info.Title}."));
            report.SavePage(path);
            host.Out.WriteLine($"Wrote {path}");
        });
        return command;
    }

    /// <summary>The run's folder, where a run is meant, else that of the file.</summary>
    private static string Folder(string? named, string source) => named is not null && !Directory.Exists(named)
        ? Path.GetDirectoryName(named) ?? ""
        : named ?? Path.GetDirectoryName(Path.GetDirectoryName(source)) ?? "";
}
