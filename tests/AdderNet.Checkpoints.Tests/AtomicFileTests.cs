namespace AdderNet.Checkpoints.Tests;

public sealed class AtomicFileTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void The_new_content_replaces_the_old_and_leaves_no_other_file()
    {
        string path = _folder.Write("last.safetensors", "the old content, which is longer"u8.ToArray());
        AtomicFile.Write(path, stream => stream.Write("new"u8));
        Assert.Equal("new", File.ReadAllText(path));
        Assert.Equal([path], Directory.GetFiles(_folder.Path));
    }

    [Fact]
    public void Until_all_is_written_readers_see_the_old_content()
    {
        string path = _folder.Write("last.safetensors", "old"u8.ToArray());
        AtomicFile.Write(path, stream =>
        {
            stream.Write("new"u8);
            stream.Flush();
            Assert.Equal("old", File.ReadAllText(path));
        });
    }

    [Fact]
    public void A_failure_leaves_the_old_content_and_no_other_file()
    {
        string path = _folder.Write("last.safetensors", "old"u8.ToArray());
        Assert.Throws<InvalidOperationException>(() => AtomicFile.Write(path, stream =>
        {
            stream.Write("new"u8);
            throw new InvalidOperationException();
        }));
        Assert.Equal("old", File.ReadAllText(path));
        Assert.Equal([path], Directory.GetFiles(_folder.Path));
    }

    [Fact]
    public void A_full_disk_is_named_and_the_previous_checkpoint_stays()
    {
        Assert.SkipUnless(File.Exists("/dev/full"), "needs /dev/full, a device on which every write finds the disk full");
        string path = _folder.Write("last.safetensors", "old"u8.ToArray());
        CheckpointException e = Assert.Throws<CheckpointException>(() => AtomicFile.Write(path, stream =>
        {
            stream.Write("new"u8);
            using FileStream full = new("/dev/full", FileMode.Open, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);
            full.Write("x"u8);
        }));
        Assert.Equal($"No space left on the disk while writing {path}; the previous file is untouched.", e.Message);
        Assert.Equal("old", File.ReadAllText(path));
        Assert.Equal([path], Directory.GetFiles(_folder.Path));
    }

    [Fact]
    public void A_missing_folder_is_named()
    {
        string path = Path.Combine(_folder.Path, "nowhere", "a.safetensors");
        CheckpointException e = Assert.Throws<CheckpointException>(() => AtomicFile.Write(path, _ => { }));
        Assert.Contains($"There is no folder {Path.GetDirectoryName(path)}", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_folder_in_the_way_is_named_and_stays()
    {
        string path = Directory.CreateDirectory(Path.Combine(_folder.Path, "folder")).FullName;
        CheckpointException e = Assert.Throws<CheckpointException>(() => AtomicFile.Write(path, _ => { }));
        Assert.Contains("A folder of that name is in the way", e.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(_folder.Path));
    }

    [Fact]
    public void What_a_killed_process_left_behind_is_removed_but_nothing_else()
    {
        string path = _folder["last.safetensors"];
        _folder.Write($"last.safetensors.{Guid.NewGuid():N}.tmp", [1]);
        string[] others = [
            _folder.Write($"best.safetensors.{Guid.NewGuid():N}.tmp", [1]), _folder.Write("last.safetensors.tmp", [1]),
            _folder.Write("last.safetensors.backup", [1])];
        AtomicFile.Write(path, stream => stream.Write("new"u8));
        Assert.Equal(others.Append(path).Order(), Directory.GetFiles(_folder.Path).Order());
    }

    [Fact]
    public void Another_write_of_the_same_file_under_way_is_left_alone()
    {
        string path = _folder["last.safetensors"];
        AtomicFile.Write(path, outer =>
        {
            AtomicFile.Write(path, inner => inner.Write("first"u8));
            outer.Write("second"u8);
        });
        Assert.Equal("second", File.ReadAllText(path));
        Assert.Equal([path], Directory.GetFiles(_folder.Path));
    }

    [Fact]
    public void Many_writers_of_one_file_leave_one_whole_content()
    {
        string path = _folder["last.safetensors"];
        Parallel.For(0, 64, i => AtomicFile.Write(path, stream =>
        {
            for (int part = 0; part < 100; part++) stream.Write(Enumerable.Repeat((byte)i, 1000).ToArray());
        }));
        byte[] content = File.ReadAllBytes(path);
        Assert.Equal(100_000, content.Length);
        Assert.Single(content.Distinct());
        Assert.Equal([path], Directory.GetFiles(_folder.Path));
    }
}
