using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using AdderNet.Data;
using AdderNet.Distributed;
using AdderNet.Training;
using Spectre.Console;

namespace AdderNet.Bench;

/// <summary>
/// Training on several processes of one thread each: images a second with two against one, where a step's time goes, and how that would be on
/// a network, from <see cref="Predicted"/>, which runs over a slowed loopback check.
/// </summary>
internal static class ScalingSuite
{
    /// <summary>The word by which the benchmark starts itself as one of several processes.</summary>
    public const string RankArgument = "scaling-rank";

    private const int WarmupSteps = 2, Rounds = 3, Batch = 256, Steps = 4;

    /// <summary>What the first process tells of some training steps; each number is of one step.</summary>
    /// <param name="Ranks">Processes.</param>
    /// <param name="Step">Seconds from step to step.</param>
    /// <param name="Ahead">Seconds of backward after the first gradients were sent.</param>
    /// <param name="Waited">Seconds spent waiting for gradients after backward.</param>
    /// <param name="Bytes">Bytes of gradients.</param>
    /// <param name="Parts">In how many parts they are sent.</param>
    /// <param name="SumSeconds">What summing up 25 MB takes; 0 where it is not asked for.</param>
    /// <param name="Version">The MPI library.</param>
    private sealed record Measured(int Ranks, double Step, double Ahead, double Waited, long Bytes, int Parts, double SumSeconds, string Version)
    {
        public double Compute => Step - Waited;
    }

    /// <summary>Measures and writes the tables of a part: "processes", "network" or "projection".</summary>
    /// <exception cref="BenchException">Something is missing, or a program failed.</exception>
    public static void Run(string part)
    {
        string mpirun = Tool("mpirun.openmpi", "mpirun");
        switch (part)
        {
            case "processes": Compare(mpirun); break;
            case "network": CheckModel(mpirun); break;
            default: Project(mpirun); break;
        }
    }

    private static void Compare(string mpirun)
    {
        double[][] step = [new double[Rounds], new double[Rounds]];
        Measured two = null!;
        for (int round = 0; round < Rounds; round++)
        {
            step[0][round] = Start(null, 1, "resnet20", Batch, Steps).Step;
            two = Start(mpirun, 2, "resnet20", Batch, Steps);
            step[1][round] = two.Step;
        }

        double alone = Interleaved.Median(step[0]), both = Interleaved.Median(step[1]);
        Table table = Columns(
            $"ResNet-20, {Batch} images a process of one thread, {two.Version}", "processes", "images/s", "times", "ms a step", "waiting, ms", "MB summed up a step");
        table.AddRow("1", F(Batch / alone, 1), "1", F(1e3 * alone, 0), "", "");
        table.AddRow("2", F(2 * Batch / both, 1), F(2 * alone / both, 3), F(1e3 * both, 0), F(1e3 * two.Waited, 1), $"{F(two.Bytes / 1e6, 2)} in {two.Parts} parts");
        AnsiConsole.Write(table);
    }

    /// <summary>One of the processes.</summary>
    public static void RunRank(string model, int batch, int steps)
    {
        using Communicator ranks = Communicator.Start();
        DirectoryInfo folder = Directory.CreateTempSubdirectory("addernet-bench-");
        try
        {
            int side = model == "resnet20" ? 32 : 224, all = batch * ranks.Size;
            DatasetInfo info = new("generated", "Generated", 3, side, side, [.. Enumerable.Range(0, 10).Select(i => $"{i}")], 0, 0, false, "");
            Augmentation plain = new() { Mean = [0.5f, 0.5f, 0.5f], Std = [0.25f, 0.25f, 0.25f] };
            Recipe recipe = new()
            {
                Model = model,
                Dataset = info.Name,
                Epochs = 1,
                BatchSize = all,
                BatchNormBatches = 0,
                TrainAugmentation = plain,
                TestAugmentation = plain,
            };
            // Told of the large network alone: over a slow loopback it would take minutes.
            double sum = side == 224 ? SumSeconds(ranks) : 0;
            using RunFolder run = RunFolder.Create(Path.Combine(folder.FullName, "run"), recipe, new RunOptions { Threads = 1 }, ranks);
            using Trainer trainer = new(run, Images(info, all * (WarmupSteps + steps)), Images(info, 2 * ranks.Size));
            List<(long Time, TimeSpan Ahead, TimeSpan Waited)> marks = [];
            trainer.Run(new Marker(() => marks.Add((Stopwatch.GetTimestamp(), trainer.Traffic?.Ahead ?? default, trainer.Traffic?.Waited ?? default))));
            (long Time, TimeSpan Ahead, TimeSpan Waited) first = marks[WarmupSteps - 1], last = marks[^1];
            if (ranks.Rank == 0)
            {
                Console.WriteLine(JsonSerializer.Serialize(new Measured(
                    ranks.Size, Stopwatch.GetElapsedTime(first.Time, last.Time).TotalSeconds / steps, (last.Ahead - first.Ahead).TotalSeconds / steps,
                    (last.Waited - first.Waited).TotalSeconds / steps, trainer.Traffic?.Bytes ?? 0, trainer.Traffic?.Buckets ?? 0, sum, ranks.Version)));
            }
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    /// <summary>
    /// A step on some processes: what it computes, and the part of the sums that backward does not hide. Each process sends and receives
    /// 2 (n - 1) / n of the gradients' bytes, and the last part can only be sent when backward is over.
    /// </summary>
    /// <param name="compute">Seconds of computing.</param>
    /// <param name="ahead">Seconds of backward after the first part was sent.</param>
    /// <param name="bytes">Bytes of gradients.</param>
    /// <param name="parts">In how many parts they are sent.</param>
    /// <param name="ranks">Processes.</param>
    /// <param name="bandwidth">Bytes a second that one process can send while it receives as many.</param>
    private static double Predicted(double compute, double ahead, long bytes, int parts, int ranks, double bandwidth)
    {
        double sums = 2.0 * (ranks - 1) / ranks * bytes / bandwidth;
        return compute + Math.Max(sums / parts, sums - ahead);
    }

    private static void CheckModel(string mpirun)
    {
        const int batch = 64;
        // Not slowed first, and all by the same transport, whose own work is no matter of bandwidth.
        int?[] rates = [null, 100, 20, 5];
        Measured[][] measured = [.. rates.Select(_ => new Measured[Rounds])];
        for (int round = 0; round < Rounds; round++)
        {
            for (int i = 0; i < rates.Length; i++)
            {
                measured[i][round] = Start(mpirun, 2, "resnet20", batch, Steps, alone: true, rates[i]);
            }
        }

        double compute = Median(0, m => m.Compute), ahead = Median(0, m => m.Ahead), unslowed = Median(0, m => m.Waited);
        Measured two = measured[0][0];
        Table table = Columns(
            $"The model against two processes over a slowed loopback, {batch} images a process and step, {two.Bytes / 1e6:F2} MB in {two.Parts} parts",
            "Mbit/s", "ms a step", "waiting, ms", "model: ms a step", "waiting, ms");
        table.AddRow("not slowed", F(1e3 * Median(0, m => m.Step), 0), F(1e3 * unslowed, 0), "", "");
        for (int i = 1; i < rates.Length; i++)
        {
            // What both send shares the loopback's rate. That one process waits for the other is the same at any rate.
            double bandwidth = rates[i]!.Value * 1e6 / 8 / 2;
            double waited = unslowed + Predicted(0, ahead, two.Bytes, two.Parts, 2, bandwidth);
            table.AddRow(
                $"{rates[i]}", F(1e3 * Median(i, m => m.Step), 0), F(1e3 * Median(i, m => m.Waited), 0), F(1e3 * (compute + waited), 0), F(1e3 * waited, 0));
        }

        AnsiConsole.Write(table);

        double Median(int rate, Func<Measured, double> of) => Interleaved.Median([.. measured[rate].Select(of)]);
    }

    private static void Project(string mpirun)
    {
        const int measuredBatch = 4, batch = 32;
        Measured measured = Start(mpirun, 2, "resnet50", measuredBatch, 2);
        double compute = measured.Compute * batch / measuredBatch, ahead = measured.Ahead * batch / measuredBatch;
        AnsiConsole.WriteLine(FormattableString.Invariant(
            $"ResNet-50 on ImageNet: {measuredBatch} images a step on one thread here take {measured.Compute:F2} s; {measured.Bytes / 1e6:F0} MB of gradients in {measured.Parts} parts; summing up 25 MB within this machine takes {1e3 * measured.SumSeconds:F0} ms."));
        Table table = Columns(
            $"Model: ResNet-50, {batch} images a process and step, share of the images a second that as many processes compute by themselves",
            "threads a process", "Gbit/s", "8", "64", "512", "images/s with 512");
        foreach (int threads in (int[])[1, 16, 64])
        {
            foreach (int gigabits in (int[])[10, 100])
            {
                double own = compute / threads;
                double[] steps = [.. ((int[])[8, 64, 512]).Select(n => Predicted(own, ahead / threads, measured.Bytes, measured.Parts, n, gigabits * 1e9 / 8))];
                table.AddRow([$"{threads}", $"{gigabits}", .. steps.Select(s => $"{F(100 * own / s, 1)} %"), F(512 * batch / steps[^1], 0)]);
            }
        }

        AnsiConsole.Write(table);
    }

    /// <param name="mpirun">The launcher; null for one process without MPI.</param>
    /// <param name="ranks">Processes.</param>
    /// <param name="model">The network.</param>
    /// <param name="batch">Images a process and step.</param>
    /// <param name="steps">Steps that are measured.</param>
    /// <param name="alone">Whether processes speak by TCP over a loopback of their own.</param>
    /// <param name="megabits">That loopback's Mbit/s; null for what it has.</param>
    private static Measured Start(string? mpirun, int ranks, string model, int batch, int steps, bool alone = false, int? megabits = null)
    {
        string[] own = ["dotnet", typeof(ScalingSuite).Assembly.Location, RankArgument, model, $"{batch}", $"{steps}"];
        string[] tcp = alone ? ["--mca", "btl", "tcp,self", "--mca", "btl_tcp_if_include", "lo", "--mca", "oob_tcp_if_include", "lo"] : [];
        string[] command = mpirun is null ? own : [mpirun, "-n", $"{ranks}", "--bind-to", "none", .. tcp, .. own];
        if (alone)
        {
            string slow = megabits is null ? "" : FormattableString.Invariant($"&& tc qdisc add dev lo root tbf rate {megabits}mbit burst 64kb latency 2s ");
            command = [Tool("unshare"), "--net", "sh", "-c", $"ip link set lo up mtu 1500 {slow}&& exec \"$@\"", "sh", .. command];
        }

        ProcessStartInfo start = new(command[0], command[1..]) { RedirectStandardOutput = true };
        start.Environment["OMPI_ALLOW_RUN_AS_ROOT"] = start.Environment["OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"] = "1";
        using Process process = Process.Start(start)!;
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        // (Open MPI gives its processes a terminal, to which .NET says more than the line.)
        return process.ExitCode == 0 && output.IndexOf('{', StringComparison.Ordinal) is >= 0 and var from
            ? JsonSerializer.Deserialize<Measured>(output[from..(output.IndexOf('}', from) + 1)])!
            : throw new BenchException("The processes could not be measured; the lines above say why.");
    }

    /// <summary>Median seconds of summing up a bucket of 25 MB.</summary>
    private static double SumSeconds(Communicator ranks)
    {
        float[] numbers = GC.AllocateArray<float>((25 << 20) / sizeof(float), pinned: true);
        double[] seconds = new double[5];
        for (int i = 0; i < seconds.Length; i++)
        {
            long start = Stopwatch.GetTimestamp();
            ranks.Sum(numbers.AsSpan());
            seconds[i] = Stopwatch.GetElapsedTime(start).TotalSeconds;
        }

        return Interleaved.Median(seconds);
    }

    private static Dataset Images(DatasetInfo info, int count)
    {
        byte[] pixels = new byte[count * info.Height * info.Width * info.Channels];
        new Random(1).NextBytes(pixels);
        return Dataset.FromMemory(info, pixels, [.. Enumerable.Range(0, count).Select(i => i % 10)]);
    }

    private static Table Columns(string title, params string[] names)
    {
        Table table = new Table().Title(Markup.Escape(title));
        foreach (string name in names)
        {
            table.AddColumn(new TableColumn(name).RightAligned());
        }

        return table;
    }

    private static string F(double value, int digits) => value.ToString($"F{digits}", CultureInfo.InvariantCulture);

    private static string Tool(params string[] names) => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
        .SelectMany(_ => names, (folder, name) => Path.Combine(folder, name)).FirstOrDefault(File.Exists)
        ?? throw new BenchException($"The program '{names[^1]}' is needed and not on the PATH; on Debian or Ubuntu: apt install openmpi-bin iproute2 util-linux");

    private sealed class Marker(Action mark) : IProgress<TrainingProgress>
    {
        public void Report(TrainingProgress value)
        {
            if (value is { Phase: TrainingPhase.Train, Completed: null })
            {
                mark();
            }
        }
    }
}
