using System.CommandLine;
using AdderNet.Data;
using AdderNet.Distributed;
using AdderNet.Reproduction;
using AdderNet.Training;

namespace AdderNet.Cli.Commands;

/// <summary><c>addernet train</c>: a recipe and some data become a run folder.</summary>
internal sealed class TrainCommand
{
    private readonly RecipeOptions recipe = new();
    private readonly Option<string?> dataDir = CommonOptions.DataDir();
    private readonly Option<bool> skipDamaged = DataSource.SkipDamaged();
    private readonly Option<int?> threads = CommonOptions.Threads();

    private readonly Option<bool> detectAnomaly = new("--detect-anomaly")
    {
        Description = "Check every layer for NaN and infinity at every step (slower)",
    };

    private readonly Option<string?> output = new("--out")
    {
        HelpName = "DIR",
        Description = "Folder to save the run in; by default a new one in runs/",
    };

    private readonly Option<string?> resume = new("--resume")
    {
        HelpName = "RUN",
        Description = "Continue an interrupted run after its last epoch; without a folder, the newest run in runs/",
        Arity = ArgumentArity.ZeroOrOne,
    };

    private readonly Option<bool> printRecipe = new("--print-recipe")
    {
        Description = "Print the recipe as JSON instead of training; change it and pass it back with --recipe",
    };

    private readonly Option<bool> json = new("--json") { Description = "Write a JSON object an epoch, and at the end one with the result" };
    private readonly Host host;

    private TrainCommand(Host host) => this.host = host;

    public static Command Create(Host host)
    {
        TrainCommand train = new(host);
        CliCommand command = new(
            "train",
            "Train a model. Without arguments: an AdderNet LeNet-5-BN on MNIST, in about a minute.",
            "train # the default run",
            "train --data cifar10 --data-dir ~/cifar # CIFAR-10 from files you have",
            "train --model resnet20 --data cifar10 --epochs 30 # a short version of the paper's 400 epochs",
            "train --model resnet20 --layers cnn # the CNN the paper compares with; bnn is the binary network",
            "train --data digits # a detector, on digits at random places",
            "train --data voc --data-dir ~/voc --backbone runs/resnet20-cifar10 # on your own images with boxes, from a classifier's weights",
            "train --from runs/resnet20-cnn-cifar10 --epochs 10 # an AdderNet that starts from a trained CNN of the same model",
            "train --teacher runs/resnet20-cnn-cifar10 # an AdderNet that learns from a trained network, too, with that one's recipe",
            "train --data cifar10 --distill progressive # the authors' way: a CNN is trained at the same time and teaches",
            "train --scaling ilr --gradient sign # one row of the paper's ablation",
            "train --recipe mnist --print-recipe > my.json # get a recipe to edit...",
            "train --recipe my.json # ...and train it",
            "train --resume # continue the newest run after Ctrl-C")
        {
            IsShared = true,
        };
        train.recipe.AddTo(command);
        foreach (Option option in (Option[])[train.dataDir, train.skipDamaged, train.threads, train.detectAnomaly, train.output, train.resume, train.printRecipe, train.json])
        {
            command.Add(option);
        }

        command.SetAction(train.Run);
        return command;
    }

    private int Run(ParseResult arguments)
    {
        if (arguments.GetValue(printRecipe) && !arguments.Has(resume))
        {
            host.Out.WriteLine(recipe.Resolve(arguments).ToJson());
            return ExitCode.Success;
        }

        return Member.Run(host, member => arguments.Has(resume) ? Resume(member, arguments) : Begin(member, arguments));
    }

    private int Begin(Member member, ParseResult arguments)
    {
        Communicator ranks = member.Ranks;
        Recipe chosen = ranks.Agree(() => recipe.Resolve(arguments));
        RunOptions options = OptionsOver(new RunOptions(), arguments, ranks);
        return WithInterrupt(member, cancel =>
        {
            // The folder comes after the data: without data there is nothing to keep.
            TrainingData data = ranks.Agree(() => TrainingData.Open(member.Host, chosen, options, cancel));
            string path = ranks.FromFirst(() => arguments.GetValue(output) ?? Runs.NewPath(chosen));
            using RunFolder folder = RunFolder.Create(path, chosen, options, ranks);
            return Train(member, folder, data, arguments.GetValue(json), cancel);
        });
    }

    private int Resume(Member member, ParseResult arguments)
    {
        Communicator ranks = member.Ranks;
        string path = ranks.FromFirst(() => (recipe.FirstGiven(arguments) ?? GivenName(output) ?? GivenName(printRecipe)) is { } other
            ? throw CliException.Usage($"{other} can't be combined with --resume, which continues a run as its recipe says; start a new run without --resume.")
            : arguments.GetValue(resume) ?? Runs.Newest());
        RunOptions options;
        using (RunFolder recorded = RunFolder.Open(path, null, ranks))
        {
            if (recorded.History.Count >= recorded.Recipe.Epochs)
            {
                return ReportResult(
                    member.Host, recorded.Recipe, recorded.Options.DataDir,
                    new TrainingResult(path, recorded.History, recorded.Best, false), TimeSpan.Zero, arguments.GetValue(json));
            }

            options = OptionsOver(recorded.Options, arguments, ranks);
        }

        return WithInterrupt(member, cancel =>
        {
            using RunFolder folder = RunFolder.Open(path, options, ranks);
            TrainingData data = ranks.Agree(() => TrainingData.Open(member.Host, folder.Recipe, options, cancel));
            return Train(member, folder, data, arguments.GetValue(json), cancel);
        });

        string? GivenName(Option option) => arguments.Has(option) ? option.Name : null;
    }

    private RunOptions OptionsOver(RunOptions options, ParseResult arguments, Communicator ranks) => options with
    {
        DataDir = arguments.GetValue(dataDir) is { } folder ? Path.GetFullPath(folder) : options.DataDir,
        // Another number of processes shares out the processors anew.
        Threads = arguments.GetValue(threads) ?? (options.Ranks == ranks.Size ? options.Threads : 0),
        DetectAnomaly = arguments.GetValue(detectAnomaly) || options.DetectAnomaly,
        SkipDamaged = arguments.GetValue(skipDamaged) || options.SkipDamaged,
    };

    private static int WithInterrupt(Member member, Func<CancellationToken, int> work)
    {
        // A launcher also stops the other processes so when one has died, which that one's end tells.
        using Interrupt interrupt = new(member.Host.Live is null && member.Ranks.Size == 1 ? member.Host.Error : null);
        return work(interrupt.Token);
    }

    private static int Train(Member member, RunFolder folder, TrainingData data, bool asJson, CancellationToken cancel)
    {
        Host host = member.Host;
        using Trainer trainer = data.Trainer(folder);
        // A new folder in which no training can begin goes away again, and must be empty for it.
        member.LogIn(folder);
        Recipe chosen = folder.Recipe;
        foreach (string notice in trainer.Notices)
        {
            host.Error.WriteLine($"Note: {notice}");
        }

        if (!asJson)
        {
            host.Out.WriteLine(FormattableString.Invariant(
                $"{Names.Network(chosen.Layers, chosen.Model)} on {data.Info.Title}: {Counts(data)}, {chosen.Epochs} epoch{(chosen.Epochs == 1 ? "" : "s")} of batches of {chosen.BatchSize}"));
            if (member.Ranks.Size > 1)
            {
                host.Out.WriteLine($"{member.Ranks.Size} processes share out each batch ({member.Ranks.Version}), {folder.Options.Threads} thread(s) each");
            }

            if (chosen.From is { } from && folder.History.Count == 0)
            {
                host.Out.WriteLine($"Starting from the CNN in {from.Cnn}");
            }

            if (chosen.Distillation is { } distillation)
            {
                host.Out.WriteLine(distillation.Progressive is null
                    ? $"Learning from {string.Join(", ", distillation.Teachers.Select(t => t.Path))}, too"
                    : "Learning from a CNN of the same model, too, which is trained at the same time");
            }

            host.Out.WriteLine($"Saving in {folder.Path}");
            if (ExpectedTime(host, folder, data, cancel) is { } expected)
            {
                host.Out.WriteLine(expected);
            }

            host.Out.WriteLine();
        }

        DateTime start = DateTime.UtcNow;
        TrainingResult result = asJson
            ? TrainingDisplay.RunAsJson(host, progress => trainer.Run(progress, cancel))
            : TrainingDisplay.Run(host, trainer.Metrics, folder.History, chosen.Epochs, progress => trainer.Run(progress, cancel), whole: null, cancel, data.Validation is null ? "test" : "val");
        // Test images beside validation images have had no part in the run so far: they tell what its best epoch is worth.
        EvaluationResult? test = result.Interrupted || data.Validation is null || data.Test is null ? null : data.MeasureTest(folder, cancel);
        if (member.Ranks.Rank > 0)
        {
            host.Out.WriteLine(FormattableString.Invariant(
                $"Gradients of {trainer.Traffic!.Bytes:N0} bytes a step in {trainer.Traffic.Buckets} part(s); waited {trainer.Traffic.Waited.TotalSeconds:F1} s for their sums."));
            return result.Interrupted ? ExitCode.Interrupted : ExitCode.Success;
        }

        return ReportResult(host, chosen, folder.Options.DataDir, result, DateTime.UtcNow - start, asJson, test);
    }

    /// <summary>Measures how long the training will take, and says so; null where that is not done, for several processes for one, or was interrupted.</summary>
    private static string? ExpectedTime(Host host, RunFolder folder, TrainingData data, CancellationToken cancel)
    {
        try
        {
            if (folder.Ranks.Size > 1 || data.Cost is not { } measure)
            {
                return null;
            }

            host.Error.WriteLine("Measuring how fast this machine trains the network...");
            ImageCost cost = measure(folder.Options.Threads, cancel);
            int epochs = folder.Recipe.Epochs - folder.History.Count;
            TimeSpan left = epochs * cost.Epoch(folder.Recipe, data.Train, data.Validation ?? data.Test!.Value);
            return FormattableString.Invariant(
                $"{epochs} epoch{(epochs == 1 ? "" : "s")} will take about {Duration.Words(left)} on this machine: ")
                + FormattableString.Invariant($"it learns from {1 / cost.Train:0.#} images/s by a short measurement");
        }
        catch (OperationCanceledException) when (cancel.IsCancellationRequested)
        {
            // The training, which has not begun, tells how to continue.
            return null;
        }
    }

    private static string Counts(TrainingData data) => FormattableString.Invariant(
        $"{data.Train:N0} training{(data.Validation is { } validation ? $"{(data.Test is null ? " and" : ",")} {validation:N0} validation" : "")}{(data.Test is { } test ? $" and {test:N0} test" : "")} images");

    private static int ReportResult(
        Host host, Recipe chosen, string? dataDir, TrainingResult result, TimeSpan time, bool asJson, EvaluationResult? test = null)
    {
        if (asJson)
        {
            Dictionary<string, object>? measured = test?.Values.ToDictionary(v => v.Key, v => (object)v.Value);
            measured?.Add("count", test!.Count);
            host.Out.WriteJsonLine(new { result.Folder, Epochs = result.History.Count, result.Interrupted, result.Best, result.Last, Test = measured });
        }
        else
        {
            Tell(host, chosen.Metrics, dataDir, result, time, test);
        }

        return result.Interrupted ? ExitCode.Interrupted : ExitCode.Success;
    }

    private static void Tell(
        Host host, IReadOnlyList<Metric> metrics, string? dataDir, TrainingResult result, TimeSpan time, EvaluationResult? test)
    {
        host.Out.WriteLine();
        if (result.Interrupted)
        {
            string kept = result.History.Count switch { 0 => "No epoch was complete yet", 1 => "1 epoch is saved", var n => $"{n} epochs are saved" };
            host.Out.WriteLine($"Interrupted. {kept} in {result.Folder}. Continue with:");
            host.Out.WriteLine();
            host.Out.WriteLine($"  {Host.CommandName} train --resume {result.Folder}");
            return;
        }

        string took = time > TimeSpan.Zero ? $", trained in {Duration.Words(time)}" : "; the run is complete";
        Metric deciding = metrics.Single(m => m.Best is not null);
        string best = result.Best!.Epoch == result.Last!.Epoch ? "" : $" (best: {Shown(result.Best.Measured)} after epoch {result.Best.Epoch})";
        string measured = result.Last.Validation is null ? "Test" : "Validation";
        host.Out.WriteLine($"{measured} {deciding.Title} {Shown(result.Last.Measured)}{best}{took}.");
        if (test is not null)
        {
            host.Out.WriteLine(FormattableString.Invariant($"Test {deciding.Title} {Shown(test.Values)}, of the epoch that is best by validation, over {test.Count:N0} image{(test.Count == 1 ? "" : "s")}."));
        }

        host.Out.WriteLine($"Saved in {result.Folder}: weights, metrics and TensorBoard events. What to type next:");
        host.Out.WriteLine();
        host.Out.WriteLine($"  {Host.CommandName} eval {result.Folder}{(dataDir is null ? "" : $" --data-dir {Host.Quoted(dataDir)}")}");
        host.Out.WriteLine($"  {Host.CommandName} predict IMAGE.png --run {result.Folder}");
        host.Out.WriteLine($"  {Host.CommandName} train --help");

        string Shown(MetricValues values) => deciding.Format(values[deciding.Name]);
    }
}
