using System.CommandLine;
using AdderNet.Cli.Detection;
using AdderNet.Data;
using AdderNet.Models;
using AdderNet.Reproduction;
using AdderNet.Training;

namespace AdderNet.Cli.Commands;

/// <summary><c>addernet eval</c>: loss and accuracy of a model on test images.</summary>
internal static class EvalCommand
{
    public static Command Create(Host host)
    {
        Argument<string?> run = new("RUN")
        {
            Description = "Run folder, a file of weights, or a graph (.safetensors, .onnx); without it the newest run in runs/",
            Arity = ArgumentArity.ZeroOrOne,
        };
        ModelOptions models = new();
        Option<string?> dataDir = CommonOptions.DataDir();
        Option<int?> batchSize = CommonOptions.Number("--batch-size", "N", "Images at a time, 256 by default, 16 for a detector", 1, 1 << 20), threads = CommonOptions.Threads();
        Option<string?> report = new("--report")
        {
            HelpName = "FILE.html",
            Description = "Detection: where to write curves, confusion matrix and pictures; eval.html in a run's folder by default",
        };
        Option<bool> json = CommonOptions.Json(), skipDamaged = DataSource.SkipDamaged();
        Option<bool> force = new("--force") { Description = "Detection: replace the file of --report where it exists; eval.html always is" };
        CliCommand command = new(
            "eval",
            "Measure a model on test images; of a data set without test images on its validation images.",
            "eval # the newest run",
            "eval runs/lenet5-bn-mnist --json # for scripts",
            "eval runs/fcos-resnet20-voc --data-dir ~/voc # a detector: precision, recall and mAP of each class, and a report with pictures",
            "eval resnet20.pth --model resnet20 --data cifar10 # weights saved by the official code")
        {
            run, dataDir, skipDamaged, batchSize, threads, report, force, json,
        };
        models.AddTo(command);
        command.SetAction(arguments =>
        {
            TorchThreads.Use(arguments.GetValue(threads));
            using LoadedModel model = models.Load(host, arguments, arguments.GetValue(run));
            using Interrupt interrupt = new(null);
            string dataName = arguments.GetValue(models.Data) is { } other ? Datasets.Find(other).Name : model.Dataset;
            int images = arguments.GetValue(batchSize) ?? (model.FindsBoxes ? 16 : 256);
            model.RefuseOtherTask(Datasets.Find(dataName));
            if (model.FindsBoxes)
            {
                string? folder = arguments.GetValue(run) is not { } named ? Path.GetDirectoryName(Path.GetDirectoryName(model.Source))
                    : Directory.Exists(named) ? named : null;
                if (arguments.GetValue(report) is { } page)
                {
                    OutputFile.Refuse(page, arguments.GetValue(force), report.Name);
                }

                string? file = arguments.GetValue(report) ?? (folder is null ? null : Path.Combine(folder, "eval.html"));
                DetectionEval.Run(
                    host, model, dataName, arguments.GetValue(dataDir), arguments.GetValue(skipDamaged), images, file, arguments.GetValue(json),
                    interrupt.Token);
                return;
            }

            if (((Option[])[report, force]).FirstOrDefault(arguments.Has) is { } useless)
            {
                throw CliException.Usage($"{useless.Name} is for detectors; leave it out.");
            }

            Dataset data = DataSource.Open(host, dataName, train: false, arguments.GetValue(dataDir), interrupt.Token, arguments.GetValue(skipDamaged));
            model.RefuseOtherChannels(data.Info);
            using DataLoader loader = new(data, model.Preparation, images, shuffle: false, seed: 0);
            EvaluationResult result = Measure(host, arguments.GetValue(json), model, loader, interrupt.Token);
            if (arguments.GetValue(json))
            {
                host.Out.WriteJson(new
                {
                    model.Source,
                    Model = model.Name,
                    Layers = model.Layers.Name(),
                    Data = dataName,
                    result.Count,
                    result.Loss,
                    result.Top1,
                    result.Top5,
                    result.Seconds,
                    result.ImagesPerSecond,
                });
                return;
            }

            host.Out.WriteLine($"{model.Title}, {model.Source}");
            host.Out.WriteLine(FormattableString.Invariant($"{data.Info.Title}: accuracy {100 * result.Top1:F2} %, top-5 {100 * result.Top5:F2} %, loss {result.Loss:F4}"));
            host.Out.WriteLine(FormattableString.Invariant($"{result.Count:N0} images in {Duration.Words(TimeSpan.FromSeconds(result.Seconds))}, {result.ImagesPerSecond:N0} images/s"));
        });
        return command;
    }

    private static EvaluationResult Measure(Host host, bool quiet, LoadedModel model, DataLoader loader, CancellationToken cancel) => host.Live is null || quiet
        ? Evaluation.Run(model.Model, loader, cancel: cancel)
        : LiveLines.Run(host.Live, lines => Evaluation.Run(model.Model, loader, new Bar(lines), cancel: cancel));

    private sealed class Bar(LiveLines lines) : IProgress<EvaluationProgress>
    {
        public void Report(EvaluationProgress p) => lines.Show(() =>
        [
            FormattableString.Invariant($"{lines.Bar((double)p.Batch / p.Batches, 30, "deepskyblue1")}  {p.SoFar.ImagesPerSecond:N0} images/s   accuracy {100 * p.SoFar.Top1:F2} %"),
        ]);
    }
}
