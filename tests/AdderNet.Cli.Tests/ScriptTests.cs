using System.Diagnostics;

namespace AdderNet.Cli.Tests;

/// <summary>
/// The scripts <c>addernet</c> and <c>test</c> in a checkout of their own, whose path has a space, with a stand-in for <c>dotnet</c> that notes how it is
/// called and builds nothing.
/// </summary>
public sealed class ScriptTests : IDisposable
{
    private const string Dotnet = """
        #!/bin/sh
        printf '%s\n' "$1 home=${HOME-unset} packages=${NUGET_PACKAGES-unset}" >>"$CALLS"
        case $1 in
            build) sleep 0.3 ;;
            *) printf 'ran %s\n' "$@" ;;
        esac
        """;

    private readonly TempFolder folder = new();
    private readonly string checkout;

    public ScriptTests()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no sh");
        checkout = Path.GetDirectoryName(folder["my checkout/addernet"])!;
        string scripts = Path.Combine(AppContext.BaseDirectory, "scripts");
        foreach (string file in (string[])["addernet", "test", ".ci/dotnet.sh"])
        {
            File.Copy(Path.Combine(scripts, file), folder[$"my checkout/{file}"]);
        }

        folder.Write("my checkout/src/AdderNet.Cli/Program.cs", []);
        folder.Write("my checkout/Directory.Build.props", []);
        folder.Write("my checkout/global.json", []);
        folder.Write("my checkout/tests/Some.Tests/Some.Tests.csproj", []);
        Executable(folder["tools/dotnet"], Dotnet);
        Directory.CreateDirectory(folder["home"]);
    }

    public void Dispose() => folder.Dispose();

    [Fact]
    public void A_checkout_is_built_once_and_again_when_a_source_changes()
    {
        Assert.Contains("ran models", Run("addernet", "models").Succeeds());
        Run("addernet", "models").Succeeds();
        Assert.Single(Builds());
        folder.Write("my checkout/src/AdderNet.Cli/New.cs", []);
        Run("addernet", "models").Succeeds();
        Assert.Equal(2, Builds().Length);
    }

    [Fact]
    public void A_link_from_elsewhere_runs_the_checkout_it_points_to()
    {
        string link = folder["other place/adn"];
        File.CreateSymbolicLink(link, Path.Combine(checkout, "addernet"));
        Directory.CreateSymbolicLink(folder["linked"], checkout);

        string output = Start(link, ["models"]).Succeeds() + Start(folder["linked/addernet"], ["models"]).Succeeds();

        Assert.Equal(2, output.Split($"ran {checkout}/src/AdderNet.Cli/bin/Release/net10.0/AdderNet.Cli.dll").Length - 1);
        Assert.Single(Builds());
    }

    [Fact]
    public void Two_first_starts_at_once_build_once()
    {
        Assert.SkipUnless(File.Exists("/usr/bin/flock"), "flock, which keeps builds apart, is not installed");
        Task<Outcome>[] starts = [.. Enumerable.Range(0, 3).Select(_ => Task.Run(() => Run("addernet", "models")))];
        Assert.All(starts, start => start.Result.Succeeds());
        Assert.Single(Builds());
    }

    [Theory]
    [InlineData("addernet")]
    [InlineData("test")]
    public void Without_a_home_the_build_gets_one_in_the_checkout(string script)
    {
        WithHome(script, null);
        Assert.Equal($"build home={checkout}/artifacts/home packages=unset", Assert.Single(Builds()));
    }

    [Theory]
    [InlineData("addernet")]
    [InlineData("test")]
    public void A_home_that_can_be_written_to_is_the_builds(string script)
    {
        WithHome(script, folder["home"]);
        Assert.Equal($"build home={folder["home"]} packages=unset", Assert.Single(Builds()));
    }

    [Fact]
    public void A_read_only_home_lends_its_NuGet_settings_to_the_build_and_stays_the_programs()
    {
        using TinyMount home = new(folder["mounted"], "size=64k");
        folder.Write("mounted/.nuget/NuGet/NuGet.Config", "<configuration />"u8.ToArray());
        home.MakeReadOnly();

        WithHome("addernet", folder["mounted"]).Succeeds();

        Assert.Equal($"build home={checkout}/artifacts/home packages=unset", Assert.Single(Builds()));
        Assert.Equal("<configuration />", File.ReadAllText(Path.Combine(checkout, "artifacts/home/.nuget/NuGet/NuGet.Config")));
        Assert.Contains($"AdderNet.Cli.dll home={folder["mounted"]}", Calls()[^1], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("addernet")]
    [InlineData("test")]
    public void A_read_only_checkout_is_told_in_a_sentence(string script)
    {
        using TinyMount disk = new(folder["disk"], "size=256k");
        Process.Start("cp", ["-r", checkout, folder["disk/checkout"]])!.WaitForExit();
        disk.MakeReadOnly();

        Outcome outcome = Start(folder[$"disk/checkout/{script}"], []);

        Assert.Equal(1, outcome.ExitCode);
        Assert.Equal($"This checkout can't be written to ({folder["disk/checkout"]}), and what is built goes into it; clone it to a place where you may write.", outcome.Error.Trim());
        Assert.Empty(Builds());
    }

    [Fact]
    public void Skipped_tests_are_counted_and_named_with_their_reasons_at_the_end()
    {
        Executable(folder["tools/dotnet"], """
            #!/bin/sh
            [ "$1" = build ] && exit
            cat <<END
                Some.Tests.A.Is_skipped [SKIP]
                  needs a thing
              Some.Tests  Total: 3, Errors: 0, Failed: 0, Skipped: 1, Not Run: 0, Time: 0.7s
            END
            """);

        string output = Run("test").Succeeds();

        Assert.EndsWith("Skipped:\n  Some.Tests.A.Is_skipped: needs a thing\n\n2 passed, 0 failed, 1 skipped\n", output, StringComparison.Ordinal);
    }

    private static void Executable(string path, string text)
    {
        File.WriteAllText(path, text + "\n");
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }
    }

    private Outcome Run(string script, params string[] arguments) => Start(Path.Combine(checkout, script), arguments);

    private Outcome WithHome(string script, string? home) => Start(Path.Combine(checkout, script), [], home);

    private Outcome Start(string script, string[] arguments) => Start(script, arguments, folder["home"]);

    private Outcome Start(string script, string[] arguments, string? home)
    {
        ProcessStartInfo start = new(script, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["PATH"] = $"{folder["tools"]}:/usr/bin:/bin";
        start.Environment["CALLS"] = folder["calls"];
        start.Environment["HOME"] = home;
        start.Environment.Remove("NUGET_PACKAGES");
        return Addernet.Finish(Process.Start(start)!);
    }

    private string[] Calls() => File.Exists(folder["calls"]) ? File.ReadAllLines(folder["calls"]) : [];

    private string[] Builds() => [.. Calls().Where(call => call.StartsWith("build ", StringComparison.Ordinal))];
}
