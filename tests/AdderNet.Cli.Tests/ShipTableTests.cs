using System.Text.RegularExpressions;
using AdderNet.Bench;

namespace AdderNet.Cli.Tests;

/// <summary>What the README says of shipped networks is what the benchmark writes, and its commands are there.</summary>
public class ShipTableTests
{
    private static readonly string Readme = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "README.md"));

    public static TheoryData<string> Networks =>
        [.. Regex.Matches(Readme, "<!-- written by bench/run ship: (.+) -->").Select(m => m.Groups[1].Value)];

    [Theory]
    [MemberData(nameof(Networks))]
    public void The_section_of_a_network_is_what_the_benchmark_writes(string network)
    {
        ShipTable table = ShipTable.In(Readme, network);

        Assert.Equal(Readme, table.InsteadOfThatIn(Readme));
        Assert.Equal(
            ["AdderNet float32", "AdderNet 8 bits", "AdderNet 7 bits", "AdderNet 6 bits", "CNN float32", "CNN int8"],
            table.Rows.Select(r => r.Network.Split(',')[0]));
        Assert.All(table.Rows, r => Assert.True(r is { One: > 0, Many: > 0, Kilobytes: > 0 }));
        Assert.All(table.Rows.Take(4), r => Assert.InRange(r.Accuracy!.Value, 50, 100));
    }

    [Fact]
    public void Commands_of_the_section_are_understood()
    {
        string section = Readme[Readme.IndexOf("## Ship it", StringComparison.Ordinal)..];
        section = section[..section.IndexOf("\n## ", StringComparison.Ordinal)];
        string[] commands =
        [
            .. Regex.Matches(section, "^    \\./addernet (.+?)( +#.*)?$", RegexOptions.Multiline).Select(m => m.Groups[1].Value),
        ];

        Assert.NotEmpty(commands);
        Assert.All(commands, c => Assert.True(Addernet.Parses(c.Split(' ', StringSplitOptions.RemoveEmptyEntries)), c));
    }

    [Fact]
    public void A_new_table_takes_the_place_of_the_old_one()
    {
        ShipTable table = new(
            "Net-1", "Data", 10_000, 2, "a processor, today", "bench/run ship",
            [new ShipRow("AdderNet, here", 99.5, 1.25, 0.5, 12), new ShipRow("CNN, there", null, 1, 2, 3)]);
        string document = "before\n<!-- written by bench/run ship: Net-1 -->\nold\n<!-- end -->\nafter\n";

        string written = table.InsteadOfThatIn(document);

        Assert.StartsWith("before\n<!--", written, StringComparison.Ordinal);
        Assert.EndsWith("<!-- end -->\nafter\n", written, StringComparison.Ordinal);
        Assert.Equal(table.Rows, ShipTable.In(written, "Net-1").Rows);
        Assert.Equal(table with { Rows = [] }, ShipTable.In(written, "Net-1") with { Rows = [] });
        Assert.Throws<FormatException>(() => ShipTable.In(document, "Net-1"));
        ShipTable.RequireSection(document, "Net-1");
        Assert.Contains("Net-2", Assert.Throws<FormatException>(() => ShipTable.RequireSection(document, "Net-2")).Message);
        Assert.Throws<FormatException>(() => table.InsteadOfThatIn("nothing"));
    }
}
