using System.CommandLine;
using AdderNet.Reproduction;
using Spectre.Console;

namespace AdderNet.Cli.Commands;

/// <summary><c>addernet reproduce</c>: the paper's tables and figures, with our numbers beside the paper's.</summary>
internal sealed class ReproduceCommand
{
    private readonly Argument<string?> name = new("NAME") { Description = "Experiment to make ('--list' shows them)", Arity = ArgumentArity.ZeroOrOne };
    private readonly Option<bool> list = new("--list") { Description = "List the experiments, with the time each takes on this machine by a short measurement" };
    private readonly Option<int?> epochs = CommonOptions.Number("--epochs", "N", "Epochs of each run; the paper's by default", 1, 1_000_000);
    private readonly Option<int?> seeds = CommonOptions.Number("--seeds", "K", "Make each run with the seeds 1 to K; 1 by default", 1, 1000);
    private readonly Option<string?> dataDir = CommonOptions.DataDir();
    private readonly Option<int?> threads = CommonOptions.Threads();
    private readonly Option<string?> output = new("--out") { HelpName = "DIR", Description = "Folder of the experiment; reproduction/NAME by default" };
    private readonly Host host;
    private readonly ExperimentDisplay display;

    private ReproduceCommand(Host host) => (this.host, display) = (host, new ExperimentDisplay(host));

    public static Command Create(Host host)
    {
        ReproduceCommand reproduce = new(host);
        CliCommand command = new(
            "reproduce",
            "Reproduce a table or a figure of the paper: trains what it needs and writes a report with our numbers beside the paper's. "
            + "Stopped at any time, the same command goes on.",
            "reproduce --list # what there is, and how long it takes here",
            "reproduce mnist --epochs 5 # a short version of the paper's 50 epochs",
            "reproduce mnist --seeds 5 # with mean and spread over five seeds",
            "reproduce cifar10 --epochs 30 --data-dir ~/cifar10 # a shorter cosine, the same for every version",
            "reproduce detection --epochs 5 # detectors on digits; with --data-dir on your own images as Pascal VOC")
        {
            reproduce.name, reproduce.list, reproduce.epochs, reproduce.seeds, reproduce.dataDir, reproduce.threads, reproduce.output,
        };
        command.SetAction(reproduce.Run);
        return command;
    }

    private int Run(ParseResult arguments)
    {
        using Interrupt interrupt = new(host.Live is null ? host.Error : null);
        string? asked = arguments.GetValue(name);
        if (arguments.GetValue(list))
        {
            return asked is null ? List(arguments, interrupt.Token) : throw CliException.Usage($"--list shows every experiment; leave out '{asked}'.");
        }

        if (asked is null)
        {
            throw CliException.Usage($"Name an experiment: {string.Join(", ", Experiments.All.Select(e => e.Name))}; '{Host.CommandName} reproduce --list' tells about them.");
        }

        Experiment experiment = Experiments.All.FirstOrDefault(e => string.Equals(e.Name, asked, StringComparison.OrdinalIgnoreCase))
            ?? throw CliException.Usage(Names.Unknown("experiment", asked, Experiments.All.Select(e => e.Name)));
        ReproduceOptions options = Options(experiment, arguments);
        if (experiment.DefaultEpochs == 0 && ((arguments.Has(epochs) ? epochs : arguments.Has(seeds) ? seeds : null) is { } useless))
        {
            throw CliException.Usage($"{useless.Name} means nothing to '{experiment.Name}', which trains nothing; leave it out.");
        }

        TorchThreads.Use(options.Threads);
        try
        {
            if (new ExperimentRunner(display, experiment, options, Command(experiment, options)).Run(interrupt.Token))
            {
                return ExitCode.Success;
            }
        }
        catch (OperationCanceledException) when (interrupt.Token.IsCancellationRequested)
        {
            // Between two runs there is nothing to finish.
        }

        host.Out.WriteLine("Interrupted. Every complete epoch is saved; continue with:");
        host.Out.WriteLine();
        host.Out.WriteLine($"  {Command(experiment, options)}");
        return ExitCode.Interrupted;
    }

    private ReproduceOptions Options(Experiment experiment, ParseResult arguments) => new(
        arguments.GetValue(epochs) ?? experiment.DefaultEpochs,
        arguments.GetValue(seeds) ?? 1,
        arguments.GetValue(dataDir) is { } folder ? Path.GetFullPath(folder) : null,
        ThreadCount(arguments),
        arguments.GetValue(output) ?? DefaultFolder(experiment));

    private int ThreadCount(ParseResult arguments) => arguments.GetValue(threads) ?? Environment.ProcessorCount;

    /// <summary>What to type to make the same again, on any machine: the number of threads decides the last bits, so it is always named.</summary>
    private static string Command(Experiment experiment, ReproduceOptions options)
    {
        List<string> words = [Host.CommandName, "reproduce", experiment.Name];
        Add("--epochs", options.Epochs != experiment.DefaultEpochs, options.Epochs);
        Add("--seeds", options.Seeds != 1, options.Seeds);
        Add("--data-dir", options.DataDir is not null, options.DataDir);
        words.AddRange(["--threads", $"{options.Threads}"]);
        Add("--out", options.Out != DefaultFolder(experiment), options.Out);
        return string.Join(' ', words);

        void Add(string option, bool given, object? value)
        {
            if (given)
            {
                words.AddRange([option, Host.Quoted($"{value}")]);
            }
        }
    }

    private static string DefaultFolder(Experiment experiment) => Path.Combine("reproduction", experiment.Name);

    private int List(ParseResult arguments, CancellationToken cancel)
    {
        var plans = Experiments.All.Select(e => (Experiment: e, Options: Options(e, arguments))).Select(e => (e.Experiment, e.Options, Runs: e.Experiment.Plan(e.Options))).ToArray();
        TimeEstimate estimate = new(TorchThreads.Use(ThreadCount(arguments)));
        display.Measure(estimate, plans.SelectMany(p => p.Runs), cancel);
        Table table = new Table().Border(TableBorder.Horizontal).AddColumns("Name", "What it is", "In the paper", "Epochs", "Runs", "Time here");
        foreach (var (experiment, options, runs) in plans)
        {
            table.AddRow(
                experiment.Name, Markup.Escape(experiment.Title), Markup.Escape(experiment.PaperSource), runs.Count == 0 ? "-" : $"{options.Epochs}", runs.Count == 0 ? "-" : $"{runs.Count}",
                runs.Count == 0 ? "no training" : Duration.Words(Duration.Sum(runs, r => estimate.Left(r, 0))));
        }

        host.Tables.Write(table);
        host.Out.WriteLine("Times are estimated from a short measurement on random images. '--epochs N' makes a shorter version: the learning rate then falls to 0 within N epochs.");
        return ExitCode.Success;
    }
}
