using System.Diagnostics;
using Spectre.Console;

namespace AdderNet.Cli.Tests;

/// <summary>What a run of the command gave.</summary>
internal sealed record Outcome(int ExitCode, string Out, string Error)
{
    /// <summary>Asserts that it failed with one sentence on standard error, and returns the sentence.</summary>
    public string FailsWith(int exitCode)
    {
        Assert.True(ExitCode == exitCode, $"Exit code {ExitCode} instead of {exitCode}.\n{Out}\n{Error}");
        string message = Assert.Single(Error.TrimEnd().Split('\n'));
        Assert.StartsWith("Error: ", message);
        Assert.DoesNotContain("ADDERNET_TRACE", message);
        return message;
    }

    /// <summary>Asserts that it succeeded, and returns what it wrote.</summary>
    public string Succeeds()
    {
        Assert.True(ExitCode == 0, $"Exit code {ExitCode}.\n{Out}\n{Error}");
        return Out;
    }
}

/// <summary>Runs <c>addernet</c>, within this process or as one of its own.</summary>
internal static class Addernet
{
    private static readonly string Program = Path.Combine(AppContext.BaseDirectory, "AdderNet.Cli.dll");

    /// <summary>Runs the real entry point in this process, with plain output.</summary>
    public static Outcome Run(params string[] arguments)
    {
        StringWriter output = new(), error = new();
        int exitCode = new CommandLine(new Host(output, error, null) { LeastTime = TimeSpan.Zero }).Run(arguments);
        return new Outcome(exitCode, output.ToString(), error.ToString());
    }

    /// <summary>Runs the real entry point in this process, on a terminal of 120 columns.</summary>
    public static Outcome RunLive(params string[] arguments)
    {
        StringWriter output = new(), error = new();
        IAnsiConsole terminal = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = AnsiSupport.Yes,
            ColorSystem = ColorSystemSupport.TrueColor,
            Interactive = InteractionSupport.Yes,
            Out = new AnsiConsoleOutput(output),
        });
        terminal.Profile.Width = 120;
        terminal.Profile.Height = 40;
        int exitCode = new CommandLine(new Host(output, error, terminal)).Run(arguments);
        return new Outcome(exitCode, output.ToString(), error.ToString());
    }

    /// <summary>Whether a command line is understood; nothing is run.</summary>
    public static bool Parses(params string[] arguments) =>
        new CommandLine(new Host(TextWriter.Null, TextWriter.Null, null)).Parse(arguments).Errors.Count == 0;

    /// <summary>How to start it as a process.</summary>
    public static ProcessStartInfo Start(string workingFolder, params IEnumerable<string> arguments) =>
        new("dotnet", [Program, .. arguments])
        {
            WorkingDirectory = workingFolder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
        };

    /// <summary>
    /// Starts it as a process that hears SIGINT however the tests were started: what a shell without job control puts into the background ignores it,
    /// and so does all that is started from there.
    /// </summary>
    public static Process StartInterruptible(string workingFolder, params IEnumerable<string> arguments)
    {
        ProcessStartInfo start = Start(workingFolder, arguments);
        if (OperatingSystem.IsLinux())
        {
            start.ArgumentList.Insert(0, start.FileName);
            start.ArgumentList.Insert(0, "--default-signal=INT");
            start.FileName = "env";
        }

        return Process.Start(start)!;
    }

    /// <summary>Runs it as a process to its end.</summary>
    public static Outcome RunProcess(string workingFolder, params IEnumerable<string> arguments) => Finish(Process.Start(Start(workingFolder, arguments))!);

    /// <summary>Waits for the end of a process.</summary>
    public static Outcome Finish(Process process)
    {
        using (process)
        {
            Task<string> error = process.StandardError.ReadToEndAsync();
            string output = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            return new Outcome(process.ExitCode, output, error.Result);
        }
    }
}
