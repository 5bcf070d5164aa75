using System.Diagnostics;
using System.Globalization;

namespace AdderNet.Training.Tests;

public class CrashTests
{
    public const string HelperArgument = "--train-to-be-killed";

    private static int Rounds { get; } =
        Environment.GetEnvironmentVariable("ADDERNET_KILL_ROUNDS") is { Length: > 0 } text ? int.Parse(text, CultureInfo.InvariantCulture) : 20;

    // More epochs than the rounds can get through, so that each round finds a training process to kill.
    private static Recipe Recipe { get; } = Small.Recipe with { Epochs = 80 * Rounds / 20 };

    /// <summary>What the process to be killed does: it starts or continues the run and tells of each epoch that is safe.</summary>
    public static int TrainForEver(string folder)
    {
        Small.Run(folder, Recipe, stop: p =>
        {
            if (p.Completed is { } epoch)
            {
                Console.WriteLine(epoch.Epoch);
            }

            return false;
        });
        return 0;
    }

    [Fact]
    public void Killed_at_random_moments_a_run_loses_no_completed_epoch_and_ends_in_the_same_bits()
    {
        using TempFolder folder = new();
        TrainingResult undisturbed = Small.Run(folder["undisturbed"], Recipe);
        TimeSpan epoch = undisturbed.History[^1].Finished - undisturbed.History[0].Finished;
        epoch /= undisturbed.History.Count - 1;

        string path = folder["killed"];
        Random random = new(1);
        int killed = 0, inTraining = 0, progress = 0;
        for (int round = 0; round < Rounds; round++)
        {
            // One in five dies while it starts, the others in one of the next few epochs, wherever in it.
            bool atStart = round % 5 == 0;
            (int whole, TimeSpan rest) = atStart ? (0, TimeSpan.FromSeconds(random.NextDouble() * 0.7)) : (1 + random.Next(3), epoch * random.NextDouble());
            progress = Math.Max(progress, Kill(path, whole, rest, ref killed, ref inTraining));
            if (!RunFolder.HoldsRun(path))
            {
                Assert.Equal(0, progress);
                continue;
            }

            CheckpointStore store = new(path);
            int complete = store.Index?.History.Count ?? 0;
            Assert.True(complete >= progress, $"Round {round}: epoch {progress} was reported as saved, but the checkpoint is of epoch {complete}.");
            progress = complete;
            if (store.Index is { } index)
            {
                Assert.NotEmpty(Small.State(path));
                using TrainedModel best = TrainedModel.Load(path, model: Small.Model);
                Assert.Equal(index.Best, best.Metrics);
                Assert.Equal(Small.WithoutTimes(undisturbed.History.Take(complete)), Small.WithoutTimes(index.History));
            }
        }

        Assert.Equal(Rounds, killed);
        Assert.True(inTraining >= Rounds / 2, $"only {inTraining} of {Rounds} rounds were killed in training");
        Small.Run(path);
        Assert.Equal(Small.State(folder["undisturbed"]), Small.State(path));
        Assert.DoesNotContain(Directory.GetFiles(path, "*", SearchOption.AllDirectories), f => f.EndsWith(".tmp", StringComparison.Ordinal));
    }

    /// <summary>
    /// Starts a training process and kills it. Epochs are counted by what it tells, whatever else the machine is doing meanwhile, so that
    /// rounds don't outlast the run.
    /// </summary>
    /// <returns>The last epoch it said was saved.</returns>
    private static int Kill(string path, int epochs, TimeSpan delay, ref int killed, ref int inTraining)
    {
        string program = Path.ChangeExtension(typeof(CrashTests).Assembly.Location, OperatingSystem.IsWindows() ? ".exe" : null);
        using Process process = Process.Start(new ProcessStartInfo(program, [HelperArgument, path]) { RedirectStandardOutput = true })!;
        int last = 0;
        for (int i = 0; i < epochs && process.StandardOutput.ReadLine() is { } told; i++)
        {
            last = int.Parse(told, CultureInfo.InvariantCulture);
            inTraining += i == 0 ? 1 : 0;
        }

        // A sleep is too coarse for a moment within a save.
        long end = Stopwatch.GetTimestamp() + (long)(delay.TotalSeconds * Stopwatch.Frequency);
        while (Stopwatch.GetTimestamp() < end)
        {
            Thread.Yield();
        }

        killed += process.HasExited ? 0 : 1;
        process.Kill();
        while (process.StandardOutput.ReadLine() is { } line)
        {
            last = int.Parse(line, CultureInfo.InvariantCulture);
        }

        process.WaitForExit();
        return last;
    }
}
