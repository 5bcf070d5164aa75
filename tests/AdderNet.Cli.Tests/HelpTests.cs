namespace AdderNet.Cli.Tests;

public class HelpTests
{
    public static TheoryData<string> Commands =>
        ["train", "eval", "predict", "bench", "info", "models", "datasets", "recipes", "quantize", "prune", "analyze", "convert", "export", "reproduce"];

    [Theory]
    [MemberData(nameof(Commands))]
    public void Every_command_explains_itself_with_examples(string command)
    {
        string help = Addernet.Run(command, "--help").Succeeds();
        Assert.Contains("Usage:", help);
        Assert.Contains("Examples:", help);
        Assert.Contains($"  {Host.CommandName} {command}", help);
    }

    [Fact]
    public void Without_arguments_the_program_lists_its_commands()
    {
        string help = Addernet.Run().Succeeds();
        Assert.All(Commands, command => Assert.Contains($"\n  {command.Data} ", help));
        Assert.Contains("Examples:", help);
    }

    [Fact]
    public void The_version_is_that_of_the_package() => Assert.Equal("addernet 0.1.0", Addernet.Run("--version").Succeeds().Trim());

    [Fact]
    public void Every_example_is_understood()
    {
        foreach (string command in Commands.Select(c => c.Data))
        {
            string help = Addernet.Run(command, "--help").Succeeds();
            foreach (string line in help[help.IndexOf("Examples:", StringComparison.Ordinal)..].Split('\n').Where(l => l.StartsWith($"  {Host.CommandName} ", StringComparison.Ordinal)))
            {
                string example = line.Trim().Split("   ")[0].Split(" > ")[0];
                string[] arguments = example.Split(' ')[Host.CommandName.Split(' ').Length..];
                Assert.True(Addernet.Parses(arguments), example);
            }
        }
    }
}
