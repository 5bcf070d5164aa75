using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Parsing;
using System.Reflection;
using AdderNet.Cli.Commands;
using AdderNet.Distributed;

namespace AdderNet.Cli;

/// <summary>The <c>addernet</c> command: understands the arguments, runs the command, and turns whatever goes wrong into one sentence.</summary>
internal sealed class CommandLine
{
    private readonly Host host;
    private readonly Command root;

    public CommandLine(Host host)
    {
        this.host = host;
        var version = new Option<bool>("--version") { Description = "Show the version" };
        root = new CliCommand(
            Host.CommandName,
            "AdderNet: networks that add instead of multiply. Trains, evaluates and inspects them.",
            "train # train an AdderNet on MNIST in about a minute: the place to start",
            "train --model resnet20 --data cifar10 # the paper's recipe for a model and a data set",
            "reproduce --list # the paper's tables and figures, and how long each takes here",
            "predict photo.png # the classes of a picture, by the newest run",
            "info resnet20 # layers, parameters and operations",
            "train --help # what a command can do; each has its examples")
        {
            TrainCommand.Create(host),
            EvalCommand.Create(host),
            PredictCommand.Create(host),
            BenchCommand.Create(host),
            InfoCommand.Create(host),
            ModelsCommand.Create(host),
            DatasetsCommand.Create(host),
            RecipesCommand.Create(host),
            QuantizeCommand.Create(host),
            PruneCommand.Create(host),
            AnalyzeCommand.Create(host),
            ConvertCommand.Create(host),
            ExportCommand.Create(host),
            ReproduceCommand.Create(host),
            version,
            new HelpOption("--help", "-h", "-?") { Description = "Show what the command does, with examples", Action = new HelpWithExamples(), Recursive = true },
        };
        root.SetAction(result => result.GetValue(version) ? ShowVersion() : new HelpWithExamples().Invoke(result));
    }

    /// <summary>Runs the command line to its end and returns the exit code.</summary>
    public int Run(string[] args)
    {
        try
        {
            ParseResult result = Parse(args);
            if ((result.Errors.Count > 0 || args.Any(IsEmpty)) && result.Action is not HelpWithExamples)
            {
                throw CliException.Usage(Complaint(result, args));
            }

            if (Communicator.Launcher is { } launcher && result is { Action: not HelpWithExamples, CommandResult.Command: CliCommand { IsShared: false } command } && command != root)
            {
                // The same is true of all of them, and one says it.
                return Communicator.LaunchedRank > 0 ? ExitCode.Usage : throw CliException.Usage(
                    $"{launcher} started this as one of several processes, of which each would do all of '{command.Name}' by itself; start one without it. "
                    + "Only 'train' shares out its work.");
            }

            return result.Invoke(new InvocationConfiguration
            {
                EnableDefaultExceptionHandler = false,
                ProcessTerminationTimeout = null,
                Output = host.Out,
                Error = host.Error,
            });
        }
        catch (Exception e)
        {
            return Failure.Report(e, host.Error);
        }
    }

    /// <summary>Understands the command line, or notes what is wrong with it.</summary>
    internal ParseResult Parse(string[] args) => root.Parse(args, new ParserConfiguration { EnablePosixBundling = false, ResponseFileTokenReplacer = null });

    private int ShowVersion()
    {
        string version = typeof(CommandLine).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion;
        host.Out.WriteLine($"addernet {version.Split('+')[0]}");
        return ExitCode.Success;
    }

    /// <summary>Nothing is called so, neither files nor runs.</summary>
    private static bool IsEmpty(string argument) =>
        argument.Length == 0 || (argument.StartsWith("--", StringComparison.Ordinal) && argument.EndsWith('='));

    /// <summary>The first thing that is wrong with a command line, and the nearest thing that would be right.</summary>
    private static string Complaint(ParseResult result, string[] args)
    {
        Command command = result.CommandResult.Command;
        string path = string.Join(' ', Path(result.CommandResult));
        if (Array.FindIndex(args, IsEmpty) is >= 0 and int empty)
        {
            string which = args[empty].Length > 0 ? $"{args[empty]} has no value"
                : empty > 0 && args[empty - 1].StartsWith('-') ? $"what follows {args[empty - 1]} is empty"
                : "an argument is empty";
            return $"{path}: {which}; is a variable that stands there not set?";
        }

        string complaint = result.Errors[0].Message.TrimEnd('.');
        if (command.Arguments.FirstOrDefault(a => a.Arity.MinimumNumberOfValues > 0 && result.GetResult(a) is not { Tokens.Count: > 0 }) is { } missing)
        {
            complaint = $"{missing.Name} is missing";
        }

        if (result.UnmatchedTokens is [string word, ..])
        {
            bool option = word.StartsWith('-');
            IEnumerable<string> known = option ? Options(result.CommandResult) : command.Subcommands.Select(c => c.Name);
            complaint = option ? $"there is no option {word}"
                : command.Subcommands.Count > 0 ? $"there is no command '{word}'"
                : $"'{word}' is one argument too many";
            if (Nearest.To(word.Split('=')[0], known) is { } nearest)
            {
                complaint += $"; did you mean {nearest}?";
            }
        }

        return $"{path}: {complaint}{(complaint.EndsWith('?') ? " " : "; ")}'{path} --help' shows what there is.";
    }

    private static IEnumerable<string> Path(SymbolResult? result) =>
        result is CommandResult command ? Path(result.Parent).Append(command.Command.Name) : [];

    private static IEnumerable<string> Options(CommandResult result) =>
        result.Command.Options.SelectMany(o => o.Aliases.Append(o.Name)).Append("--help").Where(n => n.StartsWith("--", StringComparison.Ordinal));
}
