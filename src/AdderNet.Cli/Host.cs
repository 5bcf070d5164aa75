using Spectre.Console;

namespace AdderNet.Cli;

/// <summary>Where a command reads and writes: the process's console, or what a test puts in its place.</summary>
/// <param name="Out">Results, and what a script reads.</param>
/// <param name="Error">Messages about the run.</param>
/// <param name="Live">The terminal that a live display may redraw; null where lines must be plain.</param>
internal sealed record Host(TextWriter Out, TextWriter Error, IAnsiConsole? Live)
{
    /// <summary>How long the speed of networks is measured at least, for each number of images.</summary>
    public TimeSpan LeastTime { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>What users type to start this program; the wrapper in the repository's root says so.</summary>
    public static string CommandName => Environment.GetEnvironmentVariable("ADDERNET_COMMAND") is { Length: > 0 } name
        ? Quoted(name)
        : "addernet";

    /// <summary>A word as users type it.</summary>
    public static string Quoted(string word) => word.Contains(' ', StringComparison.Ordinal) ? $"\"{word}\"" : word;

    /// <summary>The console of this process; live unless its output is redirected, or the terminal or the user (TERM=dumb, CI) says no.</summary>
    public static Host OfThisProcess()
    {
        bool live = !Console.IsOutputRedirected
            && Environment.GetEnvironmentVariable("TERM") != "dumb"
            && string.IsNullOrEmpty(Environment.GetEnvironmentVariable("CI"));
        return new Host(Console.Out, Console.Error, live ? AnsiConsole.Console : null);
    }

    /// <summary>A console for tables: the live one, or one without colours and with room for every column.</summary>
    public IAnsiConsole Tables => Live ?? Plain(Out);

    private static IAnsiConsole Plain(TextWriter writer)
    {
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = AnsiSupport.No,
            ColorSystem = ColorSystemSupport.NoColors,
            Interactive = InteractionSupport.No,
            Out = new AnsiConsoleOutput(writer),
        });
        console.Profile.Width = 160;
        return console;
    }
}
