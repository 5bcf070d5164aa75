using System.Diagnostics;
using Spectre.Console;

namespace AdderNet.Cli;

/// <summary>Some lines at the bottom of the terminal that are redrawn a few times a second; what else is written scrolls above them.</summary>
internal sealed class LiveLines
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(100);

    private readonly IAnsiConsole console;
    private readonly LiveDisplayContext context;
    private readonly Stopwatch sinceDrawn = Stopwatch.StartNew();

    private LiveLines(IAnsiConsole console, LiveDisplayContext context) => (this.console, this.context) = (console, context);

    /// <summary>Runs some work that may show lines; they are gone when it ends.</summary>
    public static T Run<T>(IAnsiConsole console, Func<LiveLines, T> work) =>
        console.Live(new Markup("")).AutoClear(true).Start(context => work(new LiveLines(console, context)));

    /// <summary>Shows these lines (markup), unless others were shown a moment ago.</summary>
    public void Show(Func<IEnumerable<string>> lines, bool now = false)
    {
        if (now || sinceDrawn.Elapsed >= Interval)
        {
            context.UpdateTarget(new Rows(lines().Select(l => new Markup(l))));
            context.Refresh();
            sinceDrawn.Restart();
        }
    }

    /// <summary>Writes a line that stays.</summary>
    /// <param name="text">The line.</param>
    /// <param name="style">How it looks.</param>
    // It is drawn over a line that was there, so it has to cover that.
    public void Keep(string text, string style = "default") => console.MarkupLine($"[{style}]{Markup.Escape(text.PadRight(Width - 1))}[/]");

    /// <summary>A bar that is so far full.</summary>
    /// <param name="fraction">0 to 1.</param>
    /// <param name="width">Letters.</param>
    /// <param name="colour">Of the full part.</param>
    public string Bar(double fraction, int width, string colour)
    {
        int full = (int)Math.Round(Math.Clamp(fraction, 0, 1) * width);
        (char done, char left) = console.Profile.Capabilities.Unicode ? ('━', '─') : ('#', '-');
        return $"[{colour}]{new string(done, full)}[/][grey]{new string(left, width - full)}[/]";
    }

    /// <summary>Letters a line has room for.</summary>
    public int Width => console.Profile.Width;
}
