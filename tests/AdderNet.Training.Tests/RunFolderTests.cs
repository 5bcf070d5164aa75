using System.Text;
using Google.Protobuf;

namespace AdderNet.Training.Tests;

public class RunFolderTests
{
    [Fact]
    public void A_folder_that_holds_a_run_is_not_used_for_another()
    {
        using TempFolder folder = new();
        RunFolder.Create(folder["run"], Small.Recipe).Dispose();
        TrainingException e = Assert.Throws<TrainingException>(() => RunFolder.Create(folder["run"], Small.Recipe));
        Assert.Equal($"The folder {folder["run"]} already holds a run.", e.Message);
        Assert.Equal((TrainingProblem.FolderHoldsRun, folder["run"]), (e.Problem, e.Folder));
    }

    [Fact]
    public void A_folder_with_other_files_is_left_alone()
    {
        using TempFolder folder = new();
        string notes = folder.Write("run/notes.txt", [1]);
        Assert.Contains("it holds notes.txt", Assert.Throws<TrainingException>(() => RunFolder.Create(folder["run"], Small.Recipe)).Message, StringComparison.Ordinal);
        Assert.Equal([notes], Directory.GetFileSystemEntries(folder["run"]));
    }

    [Fact]
    public void An_open_run_folder_belongs_to_one_process()
    {
        using TempFolder folder = new();
        using (RunFolder.Create(folder["run"], Small.Recipe))
        {
            Assert.StartsWith("Another process is training in", Assert.Throws<TrainingException>(() => RunFolder.Open(folder["run"])).Message, StringComparison.Ordinal);
        }

        RunFolder.Open(folder["run"]).Dispose();
    }

    [Fact]
    public void A_folder_without_a_run_can_not_be_resumed()
    {
        using TempFolder folder = new();
        Assert.Equal($"The folder {folder.Path} holds no run: it has no recipe.json.", Assert.Throws<TrainingException>(() => RunFolder.Open(folder.Path)).Message);
        Assert.Equal("There is no folder /nowhere.", Assert.Throws<TrainingException>(() => RunFolder.Open("/nowhere")).Message);
        Assert.Equal($"The folder {folder.Path} holds no checkpoint.", Assert.Throws<TrainingException>(() => TrainedModel.Load(folder.Path)).Message);
    }

    [Fact]
    public void What_a_killed_process_was_writing_goes_when_its_run_is_opened()
    {
        using TempFolder folder = new();
        RunFolder.Create(folder["run"], Small.Recipe).Dispose();
        string mine = folder.Write("run/notes.tmp", [1]);
        string[] abandoned = [folder.Write($"run/checkpoint.json.{Guid.NewGuid():N}.tmp", []), folder.Write($"run/checkpoints/epoch-0001.safetensors.{Guid.NewGuid():N}.tmp", [1, 2])];
        RunFolder.Open(folder["run"]).Dispose();
        Assert.All(abandoned, f => Assert.False(File.Exists(f)));
        Assert.True(File.Exists(mine));
    }

    [Fact]
    public void The_weights_of_a_run_with_a_module_of_its_own_are_read_without_the_module()
    {
        using TempFolder folder = new();
        Small.Run(folder["run"], Small.Recipe with { Epochs = 2 });
        foreach (CheckpointChoice choice in Enum.GetValues<CheckpointChoice>())
        {
            using TrainedModel model = TrainedModel.Load(folder["run"], choice, Small.Model);
            var file = TrainedModel.ReadWeights(folder["run"], choice);
            Assert.Equal(Checkpoints.StateDict.FromModule(model.Model).Select(t => $"{t.Key} {Convert.ToHexString(t.Value.Data.Span)}"), file.Tensors.Select(t => $"{t.Key} {Convert.ToHexString(t.Value.Data.Span)}"));
            Assert.Contains("addernet", file.Metadata.Keys);
        }
    }

    [Fact]
    public async Task A_checkpoint_that_training_replaces_while_it_is_read_is_read_all_the_same()
    {
        using TempFolder folder = new();
        CheckpointStore store = new(folder.Path);
        int saved = 0;
        void Save()
        {
            saved++;
            EpochMetrics metrics = new()
            {
                Epoch = saved,
                LearningRate = 0,
                Train = new(("loss", 1)),
                Test = new(("loss", saved % 7)),
                TrainSeconds = 0,
                TestSeconds = 0,
                ImagesPerSecond = 0,
                Finished = default,
            };
            Checkpoints.TensorData epoch = Checkpoints.TensorData.FromFloats([saved], 1);
            store.Save(metrics, (_, _) => saved % 3 == 0, s => Checkpoints.Safetensors.Write(s, [new("epoch", epoch)]), s => Checkpoints.Safetensors.Write(s, []));
        }

        Save();
        Task training = Task.Run(() =>
        {
            for (int i = 0; i < 60; i++)
            {
                Save();
            }
        }, TestContext.Current.CancellationToken);
        float last = 0;
        while (!training.IsCompleted)
        {
            float epoch = TrainedModel.ReadWeights(folder.Path, CheckpointChoice.Last).Tensors["epoch"].ToFloats()[0];
            Assert.InRange(epoch, last, saved);
            last = epoch;
            TrainedModel.ReadWeights(folder.Path);
        }

        await training;
        Assert.Equal(61, TrainedModel.ReadWeights(folder.Path, CheckpointChoice.Last).Tensors["epoch"].ToFloats()[0]);
    }

    [Fact]
    public void Options_are_remembered_unless_others_are_given()
    {
        using TempFolder folder = new();
        RunOptions options = new() { DataDir = "/data", Threads = 3, DetectAnomaly = true };
        RunFolder.Create(folder["run"], Small.Recipe, options).Dispose();
        using (RunFolder run = RunFolder.Open(folder["run"]))
        {
            Assert.Equal(options, run.Options);
            Assert.Equal(Small.Recipe.ToJson(), run.Recipe.ToJson());
        }

        RunFolder.Open(folder["run"], options with { Threads = 1 }).Dispose();
        using RunFolder again = RunFolder.Open(folder["run"]);
        Assert.Equal(1, again.Options.Threads);
    }

    [Fact]
    public void The_number_of_threads_is_recorded_where_all_processors_were_asked_for()
    {
        using TempFolder folder = new();
        RunFolder.Create(folder["run"], Small.Recipe).Dispose();
        Assert.Equal(Environment.ProcessorCount, TrainingJson.Read<RunOptions>(folder["run/run.json"]).Threads);
    }

    [Fact]
    public void A_run_that_goes_on_with_other_threads_or_on_another_processor_says_that_its_bits_will_differ()
    {
        using TempFolder folder = new();
        Small.Run(folder["run"], stop: p => p.Epoch == 2);
        RunOptions recorded = TrainingJson.Read<RunOptions>(folder["run/run.json"]);
        Assert.Equal((1, ProcessorKind.Current), (recorded.Threads, recorded.Processor));
        Assert.Empty(Differences());
        Assert.Equal("This run was computed with 1 thread(s) so far and goes on with 2, slightly differently than it would have.", Assert.Single(Differences(recorded with { Threads = 2 })));
        Record("""{ "threads": 1, "processor": "GenuineIntel X64 with 512-bit vectors" }""");
        Assert.StartsWith("This run was computed on GenuineIntel X64 with 512-bit vectors so far and goes on with", Assert.Single(Differences()), StringComparison.Ordinal);
        Record("""{ "dataDir": null, "threads": 0, "detectAnomaly": false }""");
        Assert.StartsWith("This run does not say how many threads computed it so far", Assert.Single(Differences()), StringComparison.Ordinal);

        void Record(string json) => File.WriteAllText(folder["run/run.json"], json);

        IReadOnlyList<string> Differences(RunOptions? options = null)
        {
            using RunFolder run = RunFolder.Open(folder["run"], options);
            using Trainer trainer = Small.Trainer(run);
            return trainer.Notices;
        }
    }

    [Fact]
    public void Checkpoint_lists_from_before_there_were_tasks_are_read()
    {
        using TempFolder folder = new();
        const string epoch = """{ "epoch": 1, "learningRate": 0.1, "trainLoss": 0.5, "trainTop1": 0.75, "trainTop5": 0.9, "testLoss": 0.25, "testTop1": 0.8, "testTop5": 1, "trainSeconds": 2, "testSeconds": 1, "imagesPerSecond": 30, "finished": "2026-01-02T03:04:05.6+00:00" }""";
        string second = epoch.Replace("\"epoch\": 1", "\"epoch\": 2", StringComparison.Ordinal).Replace("0.8,", "0.7,", StringComparison.Ordinal);
        const string file = """{ "name": "a.safetensors", "bytes": 1, "sha256": "00" }""";
        folder.Write("checkpoint.json", Encoding.UTF8.GetBytes($$"""{ "format": 1, "weights": {{file}}, "optimizer": {{file}}, "bestWeights": {{file}}, "history": [{{epoch}}, {{second}}] }"""));
        CheckpointIndex index = new CheckpointStore(folder.Path).Index!;
        Assert.Equal(1, index.Best.Epoch);
        Assert.Equal(new MetricValues(("loss", 0.25), ("top1", 0.8), ("top5", 1)), index.Best.Test);
        Assert.Equal((0.5, 0.75, 30), (index.Best.TrainLoss, index.Best.TrainTop1, index.Best.ImagesPerSecond));
        Assert.Equal(epoch.Replace(" ", "", StringComparison.Ordinal), System.Text.Json.JsonSerializer.Serialize(index.Best, TrainingJson.Line));
    }

    [Fact]
    public void A_run_leaves_only_what_it_should_and_keeps_the_best_and_the_last_weights()
    {
        using TempFolder folder = new();
        TrainingResult result = Small.Run(folder["run"], Small.Recipe with { Epochs = 7 });
        string last = "epoch-0007", best = $"epoch-{result.Best!.Epoch:0000}";
        Assert.Equal(
            new SortedSet<string> { $"{last}.safetensors", $"{last}.optimizer.safetensors", $"{best}.safetensors" },
            new SortedSet<string>(Directory.GetFiles(folder["run/checkpoints"]).Select(f => Path.GetFileName(f))));
        string[] files = [.. Directory.GetFiles(folder["run"]).Select(f => Path.GetFileName(f)).Where(f => !f.StartsWith("events.", StringComparison.Ordinal)).Order()];
        Assert.Equal(["checkpoint.json", "metrics.csv", "metrics.jsonl", "recipe.json", "run.json"], files);
        using TrainedModel loaded = TrainedModel.Load(folder["run"], model: Small.Model);
        Assert.Equal(result.Best, loaded.Metrics);
        Assert.Equal(result.History.Max(e => e.TestTop1), loaded.Metrics.TestTop1);
    }

    [Fact]
    public void Metrics_have_one_row_an_epoch_after_resuming_too()
    {
        using TempFolder folder = new();
        Small.Run(folder["run"], stop: p => p is { Epoch: 3 });
        TrainingResult result = Small.Run(folder["run"]);
        string[] csv = File.ReadAllLines(folder["run/metrics.csv"]), lines = File.ReadAllLines(folder["run/metrics.jsonl"]);
        Assert.Equal("epoch,learningRate,trainLoss,trainTop1,trainTop5,testLoss,testTop1,testTop5,trainSeconds,testSeconds,imagesPerSecond,finished", csv[0]);
        Assert.Equal(["1", "2", "3", "4"], csv.Skip(1).Select(l => l.Split(',')[0]));
        Assert.All(csv, l => Assert.Equal(12, l.Split(',').Length));
        Assert.Equal(result.History, lines.Select(l => TrainingJson.Parse<EpochMetrics>(l, "line")));
    }

    [Fact]
    public void TensorBoard_finds_one_file_with_every_epoch_once()
    {
        using TempFolder folder = new();
        Small.Run(folder["run"], stop: p => p is { Epoch: 3 });
        TrainingResult result = Small.Run(folder["run"]);
        string file = Assert.Single(Directory.GetFiles(folder["run"], "events.out.tfevents.*"));
        List<(long Step, string? Version, Dictionary<string, float> Values)> events = [.. Records(File.ReadAllBytes(file)).Select(Event)];
        Assert.Equal("brain.Event:2", events[0].Version);
        Assert.Equal([1, 2, 3, 4], events.Skip(1).Select(e => e.Step));
        foreach ((EpochMetrics epoch, var logged) in result.History.Zip(events.Skip(1)))
        {
            Assert.Equal(8, logged.Values.Count);
            Assert.Equal((float)epoch.TestLoss, logged.Values["loss/test"]);
            Assert.Equal((float)epoch.TrainTop1, logged.Values["top1/train"]);
            Assert.Equal((float)epoch.LearningRate, logged.Values["learning_rate"]);
        }
    }

    [Fact]
    public void The_record_checksum_is_the_masked_CRC_32C()
    {
        // RFC 3720: CRC-32C of "123456789" is E3069283; the mask is rotate right by 15 and add a282ead8.
        uint expected = ((0xE3069283u >> 15) | (0xE3069283u << 17)) + 0xa282ead8u;
        Assert.Equal(expected, TensorBoardLog.MaskedCrc("123456789"u8));
    }

    [Fact]
    public void A_damaged_checkpoint_is_refused_and_named()
    {
        using TempFolder folder = new();
        Small.Run(folder["run"], Small.Recipe with { Epochs = 1 });
        string weights = folder["run/checkpoints/epoch-0001.safetensors"];
        byte[] bytes = File.ReadAllBytes(weights);
        bytes[^1] ^= 1;
        File.WriteAllBytes(weights, bytes);
        Assert.StartsWith($"{weights} is damaged:", Assert.Throws<TrainingException>(() => Small.Run(folder["run"])).Message, StringComparison.Ordinal);
        Assert.StartsWith($"{weights} is damaged:", Assert.Throws<TrainingException>(() => TrainedModel.Load(folder["run"])).Message, StringComparison.Ordinal);
        File.Delete(weights);
        Assert.StartsWith("The checkpoint in", Assert.Throws<TrainingException>(() => Small.Run(folder["run"])).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_checkpoint_of_another_model_is_refused_with_the_tensor_that_differs()
    {
        using TempFolder folder = new();
        Small.Run(folder["run"], Small.Recipe with { Epochs = 1 });
        using RunFolder run = RunFolder.Open(folder["run"]);
        string message = Assert.Throws<TrainingException>(() => new Trainer(run, Small.Train, Small.Test, () => TorchSharp.torch.nn.Sequential(
            ("fc", TorchSharp.torch.nn.Linear(64, 4))))).Message;
        Assert.Contains("does not fit the model: ", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Damaged_checkpoint_lists_are_read_or_refused()
    {
        using TempFolder folder = new();
        Small.Run(folder["run"], Small.Recipe with { Epochs = 2 });
        Fuzz.Check(File.ReadAllBytes(folder["run/checkpoint.json"]), bytes =>
        {
            using TempFolder damaged = new();
            damaged.Write("checkpoint.json", bytes);
            CheckpointStore store = new(damaged.Path);
            Assert.Throws<TrainingException>(() => store.Verified(store.Index!.Weights));
        }, typeof(TrainingException));
    }

    [Fact]
    public void Damaged_weight_files_are_read_or_refused()
    {
        using TempFolder folder = new();
        Small.Run(folder["run"], Small.Recipe with { Epochs = 1 });
        Fuzz.Check(File.ReadAllBytes(folder["run/checkpoints/epoch-0001.safetensors"]), bytes =>
        {
            string path = folder.Write("damaged.safetensors", bytes);
            TrainedModel.Load(path, model: Small.Model).Dispose();
        }, typeof(TrainingException));
    }

    private static IEnumerable<byte[]> Records(byte[] file)
    {
        for (int at = 0; at < file.Length;)
        {
            int length = (int)BitConverter.ToInt64(file, at);
            Assert.Equal(TensorBoardLog.MaskedCrc(file.AsSpan(at, 8)), BitConverter.ToUInt32(file, at + 8));
            byte[] data = file[(at + 12)..(at + 12 + length)];
            Assert.Equal(TensorBoardLog.MaskedCrc(data), BitConverter.ToUInt32(file, at + 12 + length));
            at += 16 + length;
            yield return data;
        }
    }

    private static (long, string?, Dictionary<string, float>) Event(byte[] data)
    {
        (long step, string? version, Dictionary<string, float> values) = (-1, null, []);
        CodedInputStream input = new(data);
        while (input.ReadTag() is not 0 and var tag)
        {
            switch (tag >> 3)
            {
                case 1: Assert.True(input.ReadDouble() > 1.7e9); break;
                case 2: step = input.ReadInt64(); break;
                case 3: version = input.ReadString(); break;
                case 5:
                    CodedInputStream summary = new(input.ReadBytes().ToByteArray());
                    while (summary.ReadTag() != 0)
                    {
                        CodedInputStream value = new(summary.ReadBytes().ToByteArray());
                        Assert.Equal(0x0Au, value.ReadTag());
                        string name = value.ReadString();
                        Assert.Equal(0x15u, value.ReadTag());
                        values.Add(name, value.ReadFloat());
                    }

                    break;
                default: Assert.Fail($"unexpected field {tag >> 3}"); break;
            }
        }

        return (step, version, values);
    }
}
