using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

namespace AdderNet.Cli;

/// <summary>The usual help, and then the command's examples.</summary>
internal sealed class HelpWithExamples : SynchronousCommandLineAction
{
    /// <summary>Help may be asked for in the middle of an otherwise wrong command line.</summary>
    public override bool ClearsParseErrors => true;

    /// <inheritdoc/>
    public override int Invoke(ParseResult parseResult)
    {
        new HelpAction().Invoke(parseResult);
        if (parseResult.CommandResult.Command is CliCommand { Examples: { Count: > 0 } examples })
        {
            TextWriter writer = parseResult.InvocationConfiguration.Output;
            string[][] parts = [.. examples.Select(e => e.Split(" # "))];
            int width = parts.Max(p => p[0].Length);
            writer.WriteLine("Examples:");
            foreach (string[] part in parts)
            {
                writer.WriteLine($"  {Host.CommandName} {part[0].PadRight(width)}   {part[1]}");
            }

            writer.WriteLine();
        }

        return ExitCode.Success;
    }
}
