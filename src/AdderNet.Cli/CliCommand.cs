using System.CommandLine;

namespace AdderNet.Cli;

/// <summary>A command whose help ends with examples, each "arguments # what they do".</summary>
internal sealed class CliCommand(string name, string description, params string[] examples) : Command(name, description)
{
    /// <summary>Whether several processes share out its work.</summary>
    public bool IsShared { get; init; }

    /// <summary>What follows the program's name, and after # what it does.</summary>
    public IReadOnlyList<string> Examples { get; } = examples;
}
