using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using AdderNet.Data;
using AdderNet.Data.Detection;
using AdderNet.Distributed;
using AdderNet.Models;
using AdderNet.Training.Detection;
using AdderNet.Training.Tests.Detection;
using TorchSharp;
using static TorchSharp.torch;

namespace AdderNet.Training.Tests;

/// <summary>Several processes train together, started by the system's mpirun.</summary>
public class RankTests
{
    public const string HelperArgument = "--as-rank";

    // The last batch has an odd number of images, which two processes share out unequally.
    private static readonly Dataset Uneven = Small.Data(87, seed: 1);

    private static readonly Recipe Plain = Small.Recipe with { Epochs = 3, BatchSize = 36, LearningRate = 0.02, BatchNormBatches = 0, MicroBatches = 2 };

    private static readonly Recipe Synchronized = Small.Recipe with
    {
        Model = "resnet20",
        Layers = LayerKind.Conv,
        Epochs = 2,
        BatchSize = 36,
        MicroBatches = 2,
        LearningRate = 0.01,
        BatchNormBatches = 2,
        SynchronizedBatchNorm = true,
    };

    // Two batches, in pieces of unequal numbers of objects.
    private static readonly Recipe Boxes = DetectionTaskTests.Recipe with
    {
        Epochs = 1,
        WarmupEpochs = 0,
        LearningRate = 0.01,
        SynchronizedBatchNorm = true,
        BatchNormBatches = 1,
        BatchSize = 48,
        MicroBatches = 2,
    };

    private static int Rounds { get; } =
        Environment.GetEnvironmentVariable("ADDERNET_KILL_ROUNDS") is { Length: > 0 } text ? int.Parse(text, CultureInfo.InvariantCulture) : 20;

    private static string Program { get; } =
        Path.ChangeExtension(typeof(RankTests).Assembly.Location, OperatingSystem.IsWindows() ? ".exe" : null);

    /// <summary>What each process does.</summary>
    public static int Work(string scenario, string place)
    {
        using Communicator ranks = Communicator.Start();
        try
        {
            switch (scenario)
            {
                case "train":
                    TrainPlain($"{place}/plain", ranks);
                    TrainPlain($"{place}/again", ranks);
                    TrainSynchronized($"{place}/synchronized", ranks);
                    // Stopped by the second process's user and gone on with.
                    TrainLocal($"{place}/local", ranks);
                    TrainLocal($"{place}/stopped", ranks, p => p.Epoch == 2 && ranks.Rank == 1);
                    TrainLocal($"{place}/stopped", ranks);
                    TrainBoxes($"{place}/boxes", ranks);
                    TrainTaught($"{place}/taught", $"{place}/synchronized", ranks);
                    File.WriteAllText($"{place}/measured-{ranks.Rank}.json", JsonSerializer.Serialize(MeasureBest(place, ranks)));
                    break;
                case "messages":
                    return Exchange(ranks);
                case "fail" or "fail-last":
                    // After the second epoch's last step the next that the others do is something else.
                    Small.Run(
                        place, Plain, null,
                        p => p.Epoch == 2 && ranks.Rank == 1 && (scenario == "fail" || p.Batch == p.Batches) ? throw new IOException("broken pipe") : false,
                        ranks, TrainerOf);
                    break;
                case "save":
                    SaveForEver(place, ranks);
                    break;
                default:
                    Small.Run(place, Small.Recipe with { Epochs = 1000 }, ranks: ranks, stop: p =>
                    {
                        Console.WriteLine(p.Completed is null ? $"{ranks.Rank} {Environment.ProcessId}" : $"saved {p.Epoch}");
                        return false;
                    });
                    break;
            }

            return 0;
        }
        catch (Exception e)
        {
            File.WriteAllText($"{place}-{ranks.Rank}.txt", $"{e.GetType().Name}: {e.Message} {ranks.Failure}");
            if (ranks.Failure is null)
            {
                Console.Error.WriteLine(e);
                ranks.Abort(1);
            }

            return 1;
        }
    }

    [Fact]
    public void Two_processes_train_like_one()
    {
        Assert.SkipUnless(MpiLaunch.OpenMpi is not null, MpiLaunch.Missing);
        using TempFolder folder = new();
        Succeeds(MpiLaunch.Run(MpiLaunch.Start(MpiLaunch.OpenMpi!, 2, Program, HelperArgument, "train", folder.Path)));

        // The same bits each time...
        Assert.Equal(Small.State(folder["plain"]), Small.State(folder["again"]));
        Assert.Equal(Small.WithoutTimes(History(folder["plain"])), Small.WithoutTimes(History(folder["again"])));
        Assert.Equal(Small.State(folder["local"]), Small.State(folder["stopped"]));
        Assert.Equal(Small.WithoutTimes(History(folder["local"])), Small.WithoutTimes(History(folder["stopped"])));
        // ... and, but for rounding, those of one process.
        Same(TrainPlain(folder["one/plain"]).History, History(folder["plain"]), 1e-4);
        Same(TrainSynchronized(folder["one/synchronized"]).History, History(folder["synchronized"]), 1e-3);
        Same(TrainBoxes(folder["one/boxes"]).History, History(folder["boxes"]), 1e-3);
        // (At the size of their filters adder layers make a thousand times as much of rounding.)
        Same(TrainTaught(folder["one/taught"], folder["synchronized"]).History, History(folder["taught"]), 5e-3);
        // What the best epoch reaches on images of which each process has seen its part is known to all, and is what one process says.
        double[] measured = MeasureBest(folder.Path);
        Assert.All([0, 1], rank => Assert.Equal(
            measured, JsonSerializer.Deserialize<double[]>(File.ReadAllText(folder[$"measured-{rank}.json"]))!, (one, two) => Math.Abs(one - two) < 1e-5));
        // BatchNorms by themselves see other statistics, and learn all the same.
        Assert.True(History(folder["local"])[^1].TestTop1 > 0.6);

        // One process goes on with the run of two, and says what that changes.
        using RunFolder run = RunFolder.Open(folder["plain"], new RunOptions { Threads = 1 });
        Assert.Contains("by 2 processes so far and goes on with 1 process:", Assert.Single(run.Differences));
        using Trainer trainer = TrainerOf(run);
        Assert.Equal(3, trainer.Run(null, TestContext.Current.CancellationToken).History.Count);
    }

    [Theory]
    [InlineData("fail")]
    [InlineData("fail-last")]
    public void What_one_process_fails_with_ends_all_of_them(string scenario)
    {
        Assert.SkipUnless(MpiLaunch.OpenMpi is not null, MpiLaunch.Missing);
        using TempFolder folder = new();
        Assert.NotEqual(0, MpiLaunch.Run(MpiLaunch.Start(MpiLaunch.OpenMpi!, 2, Program, HelperArgument, scenario, folder["run"])).ExitCode);
        Assert.StartsWith(
            $"TrainingException: broken pipe. The checkpoint of epoch 1 in {folder["run"]} is whole. RankFailure", File.ReadAllText(folder["run-1.txt"]));
        Assert.StartsWith("PeerException: ", File.ReadAllText(folder["run-0.txt"]));
        Assert.Single(History(folder["run"]));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Messages_arrive_whatever_the_family_of_the_MPI_library(bool mpich)
    {
        string? launcher = mpich ? MpiLaunch.Mpich : MpiLaunch.OpenMpi;
        using TempFolder folder = new();
        Assert.SkipUnless(launcher is not null, mpich ? "there is no mpirun of MPICH (Debian's mpich)" : MpiLaunch.Missing);
        (int exitCode, string output, string error) = MpiLaunch.Run(MpiLaunch.Start(launcher!, 3, Program, HelperArgument, "messages", folder["at"]));
        Assert.True(exitCode == 0, output + error);
        // (Open MPI gives its processes a terminal, to which .NET says more than the lines.)
        Assert.Equal(3, output.Split('\n').Count(line => line.Contains(mpich ? "MPICH" : "Open MPI", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData("forever")]
    [InlineData("save")]
    public void Killed_at_random_moments_no_process_takes_a_checkpoint_with_it(string scenario)
    {
        Assert.SkipUnless(MpiLaunch.OpenMpi is not null, MpiLaunch.Missing);
        // Most of a short training is its start: most rounds do of it only what saves.
        int rounds = scenario == "forever" ? Rounds / 5 : Rounds - Rounds / 5;
        using TempFolder folder = new();
        Random random = new(1);
        int saved = 0;
        for (int round = 0; round < rounds; round++)
        {
            saved = Math.Max(
                saved, Kill(folder["run"], scenario, random.Next(2), after: random.Next(2, 40), TimeSpan.FromMilliseconds(20 * random.NextDouble())));
            CheckpointStore store = new(folder["run"]);
            Assert.True((store.Index?.History.Count ?? 0) >= saved, $"epoch {saved} was told to be saved, but {store.Index?.History.Count} is");
            if (store.Index is not null)
            {
                Assert.NotEmpty(Small.State(folder["run"]));
            }
        }

        Assert.True(saved > 0);
    }

    [Fact]
    public void A_process_on_its_own_needs_no_MPI_and_one_of_several_says_what_is_missing()
    {
        Assert.Null(Of());
        Assert.Null(Of(("OMPI_COMM_WORLD_RANK", "0"), ("OMPI_COMM_WORLD_SIZE", "1")));
        Launch open = Of(("OMPI_COMM_WORLD_RANK", "1"), ("OMPI_COMM_WORLD_SIZE", "4"), ("OMPI_COMM_WORLD_LOCAL_RANK", "1"))!;
        Assert.Equal((1, 4, true, false), (open.Rank, open.Size, open.PrefersOpenMpi, open.IsFirstOfMachine));
        Launch hydra = Of(("PMI_RANK", "2"), ("PMI_SIZE", "3"), ("MPI_LOCALRANKID", "0"))!;
        Assert.Equal((2, 3, false, true), (hydra.Rank, hydra.Size, hydra.PrefersOpenMpi, hydra.IsFirstOfMachine));
        Assert.Equal((5, null), Of(("PMIX_RANK", "5")) is { } bare ? (bare.Rank, bare.Size) : default);

        // What srun sets without an option, with --mpi=pmi2, and with --mpi=pmix.
        (string, string)[] step = [("SLURM_PROCID", "5"), ("SLURM_STEP_NUM_TASKS", "8"), ("SLURM_LOCALID", "1")];
        Launch none = Of(step)!, pmi = Of([.. step, ("PMI_RANK", "5"), ("PMI_SIZE", "8")])!, pmix = Of([.. step, ("PMIX_RANK", "5")])!;
        Assert.All([none, pmi, pmix], launch => Assert.Equal((5, 8, 1), (launch.Rank, launch.Size, launch.LocalRank)));
        Assert.Equal((false, true, true), (none.IsOfMpi, pmi.IsOfMpi, pmix.IsOfMpi));
        Assert.Equal((false, true), (pmi.PrefersOpenMpi, pmix.PrefersOpenMpi));
        // The script of a job of Slurm's, a step of one process, and mpirun within a job.
        Assert.Null(Of(("SLURM_PROCID", "0"), ("SLURM_NTASKS", "8"), ("SLURM_LOCALID", "0")));
        Assert.Null(Of(("SLURM_PROCID", "0"), ("SLURM_STEP_NUM_TASKS", "1")));
        Assert.Equal(3, Of([.. step, ("OMPI_COMM_WORLD_RANK", "3"), ("OMPI_COMM_WORLD_SIZE", "4")])!.Rank);

        Assert.SkipWhen(OperatingSystem.IsWindows(), "there is no MPI for it");
        Assert.Contains(
            "can't be loaded (/nowhere/libmpi.so: cannot open shared object file",
            Assert.Throws<DistributedException>(() => MpiLibrary.Load(open, "/nowhere/libmpi.so")).Message);
        // A library it is, but none of MPI.
        Assert.Contains("is none", Assert.Throws<DistributedException>(() => MpiLibrary.Load(open, "libc.so.6")).Message);

        static Launch? Of(params (string Name, string Value)[] environment) =>
            Launch.Of(name => Array.Find(environment, variable => variable.Name == name).Value);
    }

    /// <summary>What a training does beside learning: processes sum up numbers, and the first saves what there is after each epoch.</summary>
    private static void SaveForEver(string path, Communicator ranks)
    {
        bool holdsRun = ranks.FromFirst(() => RunFolder.HoldsRun(path) ? "yes" : "no") == "yes";
        using RunFolder folder = holdsRun ? RunFolder.Open(path, null, ranks) : RunFolder.Create(path, Small.Recipe, null, ranks);
        Console.WriteLine($"{ranks.Rank} {Environment.ProcessId}");
        float[] numbers = new float[20_000];
        while (true)
        {
            int epoch = folder.History.Count + 1;
            Array.Fill(numbers, 1f / ranks.Size);
            ranks.Sum(numbers);
            ranks.Agree(() => _ = folder.IsOwn && folder.Checkpoints.Save(
                new EpochMetrics
                {
                    Epoch = epoch,
                    LearningRate = 1,
                    Train = new(),
                    Test = new((ClassificationMetrics.Top1Name, epoch)),
                    TrainSeconds = 1,
                    TestSeconds = 1,
                    ImagesPerSecond = 1,
                    Finished = DateTimeOffset.UtcNow,
                },
                (values, best) => values[ClassificationMetrics.Top1Name] > best[ClassificationMetrics.Top1Name], Write, Write));
            folder.TellOfCheckpoints();
            Console.WriteLine($"saved {epoch}");
        }

        void Write(Stream stream) => Checkpoints.Safetensors.Write(
            stream, new OrderedDictionary<string, Checkpoints.TensorData> { ["numbers"] = Checkpoints.TensorData.FromFloats(numbers, numbers.Length) });
    }

    /// <summary>Starts two processes that train, and kills one of them after some lines of what they tell and a moment.</summary>
    /// <returns>The last epoch that was told to be saved.</returns>
    private static int Kill(string path, string scenario, int victim, int after, TimeSpan moment)
    {
        using Process launcher = Process.Start(MpiLaunch.Start(MpiLaunch.OpenMpi!, 2, Program, HelperArgument, scenario, path))!;
        launcher.StandardInput.Close();
        Task<string> error = launcher.StandardError.ReadToEndAsync();
        int saved = 0, id = 0;
        while (launcher.StandardOutput.ReadLine() is { } line)
        {
            // Open MPI gives its processes a terminal, to which .NET says more than the lines.
            string[] words = line.Split('=')[^1].Split(' ');
            saved = words[0] == "saved" ? Math.Max(saved, int.Parse(words[1])) : saved;
            id = words[0] == $"{victim}" ? int.Parse(words[1]) : id;
            if (--after <= 0 && id > 0)
            {
                // A sleep is too coarse for a moment within a save.
                for (long start = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(start) < moment;)
                {
                    Thread.Yield();
                }

                Process.GetProcessById(id).Kill();
                after = int.MaxValue;
            }
        }

        launcher.WaitForExit();
        Assert.NotEqual(0, launcher.ExitCode);
        Assert.Contains("signal 9", error.Result);
        return saved;
    }

    /// <summary>Sums, messages and agreements; it ends with 0 where all are right.</summary>
    private static int Exchange(Communicator ranks)
    {
        Require(ranks.Size == 3 && ranks.Rank is >= 0 and < 3 && ranks.Sharing == 3);
        float[] floats = [.. Enumerable.Range(0, 100_000).Select(i => i % 7 + ranks.Rank)];
        ranks.Sum(floats);
        Require(floats.Select((f, i) => f == 3 * (i % 7) + 3).All(same => same));
        double[] doubles = [0.1 * ranks.Rank, ranks.Rank == 2 ? 1 : 0];
        ranks.Sum(doubles);
        Require(Math.Abs(doubles[0] - 0.3) < 1e-15 && doubles[1] == 1);
        Require(ranks.Broadcast(ranks.Rank == 0 ? [1, 2, 3] : null).SequenceEqual((byte[])[1, 2, 3]));
        Require(ranks.FromFirst(() => $"from {ranks.Rank}") == "from 0");
        byte[][] all = ranks.Gather([.. Enumerable.Repeat((byte)ranks.Rank, 1 + ranks.Rank)]);
        Require(all.Select((bytes, rank) => bytes.Length == 1 + rank && bytes.All(b => b == rank)).All(same => same));
        Require(ranks.Agree(() => ranks.Rank) == ranks.Rank && ranks.Failure is null);
        // The runtime's own use of signals survives MPI's start.
        string? nothing = Environment.GetEnvironmentVariable("ADDERNET_NOTHING");
        Assert.Throws<NullReferenceException>(() => nothing!.Length);
        Exception? caught = null;
        try
        {
            ranks.Agree(() =>
            {
                if (ranks.Rank > 0)
                {
                    throw new InvalidDataException($"{ranks.Rank}");
                }
            });
        }
        catch (Exception e)
        {
            caught = e;
        }

        Require(ranks.Rank == 1 ? caught is InvalidDataException : caught is PeerException);
        Require(ranks.Failure == new RankFailure(1, 2));
        Console.WriteLine(ranks.Version);
        return 0;

        void Require(bool right, [System.Runtime.CompilerServices.CallerLineNumber] int line = 0)
        {
            if (!right)
            {
                throw new InvalidOperationException($"Rank {ranks.Rank}, line {line}.");
            }
        }
    }

    private static TrainingResult TrainPlain(string path, Communicator? ranks = null) => Small.Run(path, Plain, ranks: ranks, trainerOf: TrainerOf);

    private static TrainingResult TrainLocal(string path, Communicator ranks, Func<TrainingProgress, bool>? stop = null) =>
        Small.Run(path, stop: stop, ranks: ranks);

    private static TrainingResult TrainSynchronized(string path, Communicator? ranks = null) =>
        Small.Run(path, Synchronized, ranks: ranks, trainerOf: folder => new Trainer(folder, Uneven, Small.Test));

    private static TrainingResult TrainBoxes(string path, Communicator? ranks = null) => Small.Run(
        path, Boxes, ranks: ranks,
        trainerOf: folder => new Trainer(
            folder, r => new DetectionTask(r, DetectionTaskTests.Scenes.Train, DetectionTaskTests.Scenes.Validation!, measuresValidation: true, shard: folder.Shard)));

    /// <summary>An AdderNet that starts from a CNN, which teaches it, too.</summary>
    private static TrainingResult TrainTaught(string path, string cnn, Communicator? ranks = null) => Small.Run(
        path, Synchronized.StartingFrom(cnn) with
        {
            Epochs = 1,
            BatchNormBatches = 2,
            Distillation = new() { Teachers = [new(cnn)], Hints = [new("layer2", "layer2")] },
        },
        ranks: ranks, trainerOf: folder => new Trainer(folder, Uneven, Small.Test));

    /// <summary>Measures the best epochs of two runs: images, accuracy and loss of the one, images and precision of the other.</summary>
    private static double[] MeasureBest(string place, Communicator? ranks = null)
    {
        using RunFolder classes = RunFolder.Open($"{place}/synchronized", null, ranks ?? Communicator.Alone);
        using TrainedModel classifier = TrainedModel.Load(classes);
        using DataLoader images = new(Uneven, classifier.Preparation, 25, shuffle: false, seed: 0, shard: classes.Shard);
        EvaluationResult told = Evaluation.Run(classifier.Model, images, ranks: ranks);
        using RunFolder boxes = RunFolder.Open($"{place}/boxes", null, ranks ?? Communicator.Alone);
        using TrainedModel detector = TrainedModel.Load(boxes);
        // The last batch has an image for one process and none for the other.
        using DetectionLoader scenes = new(
            DetectionTaskTests.Scenes.Train, detector.Preparation, DetectionTaskTests.Scenes.Train.Count - 1, shuffle: false, seed: 0, shard: boxes.Shard);
        DetectionEvaluationResult found = DetectionEvaluation.Run(
            detector.Model, DetectionModels.Find(boxes.Recipe.Model).Levels, scenes, ranks: ranks);
        return
        [
            told.Count, told.Values[ClassificationMetrics.Top1Name], told.Loss,
            found.Found.Count, found.ToResult().Values[DetectionMetrics.Map50Name], found.Found.Sum(boxes => boxes.Count),
        ];
    }

    /// <summary>A network without BatchNorm and dropout.</summary>
    private static Trainer TrainerOf(RunFolder folder) => new(folder, Uneven, Small.Test, () => nn.Sequential(
        ("conv", nn.Conv2d(1, 4, 3, padding: 1)),
        ("relu1", nn.ReLU()),
        ("adder", Layers.Adder2d(4, 8, 3, stride: 2, padding: 1)),
        ("norm", nn.InstanceNorm2d(8)),
        ("relu2", nn.ReLU()),
        ("flat", nn.Flatten()),
        ("fc", nn.Linear(8 * 16, Small.Classes))));

    private static IReadOnlyList<EpochMetrics> History(string path) => new CheckpointStore(path).Index!.History;

    private static void Succeeds((int ExitCode, string Out, string Error) run) => Assert.True(run.ExitCode == 0, run.Out + run.Error);

    private static void Same(IReadOnlyList<EpochMetrics> expected, IReadOnlyList<EpochMetrics> actual, double tolerance)
    {
        Assert.Equal(expected.Count, actual.Count);
        Assert.All(expected.Zip(actual), pair =>
        {
            Assert.Equal(pair.First.LearningRate, pair.Second.LearningRate);
            Near(pair.First.Train, pair.Second.Train);
            Near(pair.First.Measured, pair.Second.Measured);
        });

        // One image of those that are measured may fall on the other side.
        void Near(MetricValues values, MetricValues others) => Assert.All(
            values, v => Assert.Equal(v.Value, others[v.Key], v.Key is ClassificationMetrics.Top1Name ? Math.Max(tolerance, 1.01 / Small.Test.Count) : tolerance));
    }
}
