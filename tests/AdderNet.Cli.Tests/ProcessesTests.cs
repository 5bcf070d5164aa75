using System.Diagnostics;
using System.Text.Json;

namespace AdderNet.Cli.Tests;

/// <summary><c>mpirun addernet train</c>: one display, one log for each other process, one message of what went wrong.</summary>
public class ProcessesTests(TinyRun tiny) : IClassFixture<TinyRun>
{
    [Fact]
    public void Processes_train_a_run_together_and_one_goes_on_with_it()
    {
        Assert.SkipUnless(MpiLaunch.OpenMpi is not null, MpiLaunch.Missing);
        string run = tiny["together"], hosts = tiny["hosts"];
        File.WriteAllText(hosts, "localhost slots=2\n");
        (int exitCode, string output, string error) = Mpirun(
            ["--hostfile", hosts],
            "train", "--data-dir", tiny.Data, "--epochs", "2", "--batch-size", "16", "--threads", "1", "--out", run);
        Assert.True(exitCode == 0, output + error);
        Assert.Contains("2 processes share out each batch (Open MPI", output);
        Assert.Single(output.Split('\n'), line => line.TrimStart().StartsWith("2/2", StringComparison.Ordinal));
        string log = File.ReadAllText(Path.Combine(run, "rank-1.log"));
        Assert.Contains("rank 1 of 2", log);
        Assert.Contains("waited", log);

        // Two more epochs, in one process: what was recorded of two is shared out anew.
        string recipe = Path.Combine(run, "recipe.json");
        File.WriteAllText(recipe, File.ReadAllText(recipe).Replace("\"epochs\": 2", "\"epochs\": 3"));
        Outcome resumed = Addernet.Run("train", "--resume", run, "--threads", "1");
        Assert.Contains("3/3", resumed.Succeeds());
        Assert.Contains("by 2 processes so far and goes on with 1 process", resumed.Error);
    }

    [Fact]
    public void Test_images_are_shared_out_and_their_result_is_said_once()
    {
        Assert.SkipUnless(MpiLaunch.OpenMpi is not null, MpiLaunch.Missing);
        string data = tiny["boxes"], run = tiny["boxes-run"];
        Addernet.Run("datasets", "--write", "voc", "--out", data, "--images", "16").Succeeds();
        (int exitCode, string output, string error) = Mpirun(
            [], "train", "--data", "voc", "--data-dir", data, "--image-size", "32", "--epochs", "1", "--batch-size", "8", "--threads", "1", "--out", run);
        Assert.True(exitCode == 0, output + error);
        string said = Assert.Single(output.Split('\n'), line => line.StartsWith("Test mAP50-95", StringComparison.Ordinal));
        JsonElement alone = JsonDocument.Parse(Addernet.Run("eval", run, "--data-dir", data, "--threads", "1", "--json").Succeeds()).RootElement;
        Assert.Contains(FormattableString.Invariant($"over {alone.GetProperty("count").GetInt32()} image"), said);
        Assert.Contains(FormattableString.Invariant($"Test mAP50-95 {100 * alone.GetProperty("all").GetProperty("map").GetDouble():F2} %"), said);
    }

    [Fact]
    public void What_goes_wrong_in_all_processes_is_said_once()
    {
        Assert.SkipUnless(MpiLaunch.OpenMpi is not null, MpiLaunch.Missing);
        (int exitCode, string output, string error) = Mpirun([], [.. tiny.Train, "--lr", "1000000", "--out", tiny["diverges"]]);
        Assert.NotEqual(0, exitCode);
        // (Open MPI gives its processes a terminal, to which .NET says something at the end, with no line's end behind it.)
        string message = Assert.Single(
            (string[])[.. output.Split('\n'), .. error.Split('\n')], line => line.Contains("Error: ", StringComparison.Ordinal));
        Assert.Contains("NaN", message);
        Assert.Contains("No epoch", message);
    }

    [Fact]
    public void A_missing_MPI_library_is_one_sentence()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "there is no MPI for it");
        string message = Finish(
            Addernet.Start(tiny[""], [.. tiny.Train, "--out", tiny["alone"]]),
            ("OMPI_COMM_WORLD_RANK", "0"), ("OMPI_COMM_WORLD_SIZE", "2"), ("ADDERNET_MPI", "/nowhere/libmpi.so")).FailsWith(1);
        Assert.Contains("the MPI library (/nowhere/libmpi.so) can't be loaded", message);
        Assert.False(Directory.Exists(tiny["alone"]));
    }

    [Fact]
    public void An_MPI_library_that_knows_nothing_of_the_launcher_is_one_sentence()
    {
        Assert.SkipUnless(MpiLaunch.Mpich is not null, "there is no MPICH (Debian's mpich)");
        // The second process on its machine leaves it to the first.
        Outcome first = Launched(("PMIX_RANK", "2"), ("SLURM_LOCALID", "0"), ("ADDERNET_MPI", "libmpich.so.12"));
        Assert.Contains("made this process number 2 (from 0), but the MPI library found (MPICH", first.FailsWith(1));
        Assert.Contains("rank 2 on ", first.Error);
        Assert.Equal(new Outcome(1, "", ""), Launched(("PMIX_RANK", "3"), ("SLURM_LOCALID", "1"), ("ADDERNET_MPI", "libmpich.so.12")));
        Assert.False(Directory.Exists(tiny["alone"]));

        Outcome Launched(params (string Name, string Value)[] environment) =>
            Finish(Addernet.Start(tiny[""], [.. tiny.Train, "--out", tiny["alone"]]), environment);
    }

    [Fact]
    public void What_several_processes_cannot_share_out_is_refused_once()
    {
        Assert.Contains("each would do all of 'models' by itself", Launched("0").FailsWith(2));
        Assert.Equal(new Outcome(2, "", ""), Launched("1"));

        Outcome Launched(string rank) => Finish(Addernet.Start(tiny[""], ["models"]), ("OMPI_COMM_WORLD_RANK", rank), ("OMPI_COMM_WORLD_SIZE", "2"));
    }

    private static Outcome Finish(ProcessStartInfo start, params (string Name, string Value)[] environment)
    {
        foreach ((string name, string value) in environment)
        {
            start.Environment[name] = value;
        }

        return Addernet.Finish(Process.Start(start)!);
    }

    private static (int ExitCode, string Out, string Error) Mpirun(IEnumerable<string> options, params IEnumerable<string> arguments) => MpiLaunch.Run(
        MpiLaunch.Start(MpiLaunch.OpenMpi!, 2, "dotnet", [Path.Combine(AppContext.BaseDirectory, "AdderNet.Cli.dll"), .. arguments], options));
}
