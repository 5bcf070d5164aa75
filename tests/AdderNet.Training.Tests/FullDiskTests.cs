using AdderNet.Checkpoints;

namespace AdderNet.Training.Tests;

public class FullDiskTests
{
    [Theory]
    [InlineData("epoch-0003.safetensors")]
    [InlineData("epoch-0003.optimizer.safetensors")]
    [InlineData("checkpoint.json")]
    [InlineData("metrics.csv")]
    [InlineData("metrics.jsonl")]
    public void A_disk_that_fills_up_while_a_file_is_written_leaves_the_last_checkpoint_whole(string file)
    {
        using TempFolder folder = new();
        Small.Run(folder["straight"]);
        using (RunFolder run = RunFolder.Create(folder["run"], Small.Recipe, new RunOptions { Threads = 1 }))
        {
            using Trainer trainer = Small.Trainer(run);
            run.Checkpoints.WriteFile = (path, write) => AtomicFile.Write(path, stream =>
            {
                bool full = run.History.Count >= 2 && Path.GetFileName(path) == file && trainer.Model.training;
                write(full ? new FullDisk(stream, room: 100) : stream);
            });
            TrainingException e = Assert.Throws<TrainingException>(() => trainer.Run(cancel: TestContext.Current.CancellationToken));
            Assert.StartsWith("No space left on the disk while writing", e.Message, StringComparison.Ordinal);
            Assert.Contains($"The checkpoint of epoch 2 in {run.Path} is whole.", e.Message, StringComparison.Ordinal);
            Assert.Equal((TrainingProblem.Stopped, run.Path), (e.Problem, e.Folder));
        }

        Assert.Equal(2, new CheckpointStore(folder["run"]).Index!.History.Count);
        Assert.NotEmpty(Small.State(folder["run"]));
        Assert.DoesNotContain(Directory.GetFiles(folder["run"], "*", SearchOption.AllDirectories), f => f.EndsWith(".tmp", StringComparison.Ordinal));
        Small.Run(folder["run"]);
        Assert.Equal(Small.State(folder["straight"]), Small.State(folder["run"]));
    }

    [Fact]
    public void On_a_small_file_system_that_is_really_full_the_last_checkpoint_stays_whole()
    {
        using TempFolder folder = new();
        string mount = folder["mount"];
        using TinyMount disk = new(mount, "size=256k");
        string path = Path.Combine(mount, "run"), ballast = Path.Combine(mount, "ballast");
        TrainingException e = Assert.Throws<TrainingException>(() => Small.Run(path, stop: p =>
        {
            if (p.Completed?.Epoch == 2)
            {
                Fill(ballast);
            }

            return false;
        }));
        Assert.StartsWith("No space left on the disk while writing", e.Message, StringComparison.Ordinal);
        Assert.Contains("The checkpoint of epoch 2 in", e.Message, StringComparison.Ordinal);
        Assert.Equal(2, new CheckpointStore(path).Index!.History.Count);
        Assert.NotEmpty(Small.State(path));
        File.Delete(ballast);
        Small.Run(path);
        Small.Run(folder["straight"]);
        Assert.Equal(Small.State(folder["straight"]), Small.State(path));
    }

    private static void Fill(string path)
    {
        using FileStream file = new(path, FileMode.Create, FileAccess.Write, FileShare.None, 0);
        foreach (int size in (int[])[4096, 512, 1])
        {
            try
            {
                while (true)
                {
                    file.Write(new byte[size]);
                }
            }
            catch (IOException)
            {
            }
        }
    }

    /// <summary>A stream on a disk with room for so many bytes.</summary>
    private sealed class FullDisk(Stream inner, long room) : Stream
    {
        private const int NoSpaceLeft = 28;

        public override bool CanRead => false;

        public override bool CanSeek => inner.CanSeek;

        public override bool CanWrite => true;

        public override long Length => inner.Length;

        public override long Position { get => inner.Position; set => inner.Position = value; }

        public override void Write(byte[] buffer, int offset, int count)
        {
            if (count > room)
            {
                throw new IOException("No space left on device", NoSpaceLeft);
            }

            room -= count;
            inner.Write(buffer, offset, count);
        }

        public override void Flush() => inner.Flush();

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => inner.Seek(offset, origin);

        public override void SetLength(long value) => inner.SetLength(value);
    }
}
