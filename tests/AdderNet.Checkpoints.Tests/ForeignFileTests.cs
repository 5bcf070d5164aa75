using System.IO.Compression;
using System.Text;

namespace AdderNet.Checkpoints.Tests;

/// <summary>Whatever people download or pass by mistake: one sentence says what it is.</summary>
public sealed class ForeignFileTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("", "is empty")]
    [InlineData("version https://git-lfs.github.com/spec/v1\noid sha256:0d71\nsize 1121093\n", "Git LFS pointer to it, a short text in place of the file of 1121093 bytes; fetch the file with 'git lfs pull'")]
    [InlineData("<!DOCTYPE html><html><head><title>Google Drive - Virus scan warning</title></head></html>", "is a web page ('Google Drive - Virus scan warning')")]
    [InlineData("\n\n  <HTML lang=en>\n<body>", "is a web page, not a checkpoint")]
    [InlineData("<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>", "is a web page")]
    [InlineData("{\"error\": \"Repository not found\"}", "is JSON text (it begins '{\"error\": \"Repository not found\"}')")]
    [InlineData("{\"metadata\": {}, \"weight_map\": {\"a\": \"model-00001-of-00002.safetensors\"}}", "index of a checkpoint in several files")]
    [InlineData("hello, world\nand more", "is a text file (it begins 'hello, world')")]
    [InlineData("\u001f\u008b\u0008\0\0\0\0\0", "gzip")]
    [InlineData("\u00fd7zXZ\0\0", "xz")]
    [InlineData("BZh91AY", "bzip2")]
    [InlineData("\u0089HDF\r\n\u001a\n\0\0", "HDF5")]
    [InlineData("\u0093NUMPY\u0001\0", "NumPy array")]
    [InlineData("%PDF-1.7\n%\u00e2", "PDF")]
    [InlineData("\u0089PNG\r\n\u001a\n\0", "an image")]
    [InlineData("\u0008\u0007\u0012\u0007pytorch\u001a\u00051.13\0", "ONNX")]
    [InlineData("\u0080\u0004\u0095\u0005\0\0\0\0\0\0\0}\u0094.", "a pickle that torch.save did not write")]
    [InlineData("\u0001\u0002\u0003\0\0\0\0\0\0", "neither a PyTorch checkpoint")]
    public void It_is_told_what_a_file_is(string content, string expected)
    {
        string path = _folder.Write("a.pth", Encoding.Latin1.GetBytes(content));
        string message = Assert.Throws<CheckpointException>(() => CheckpointFiles.ReadStateDict(path)).Message;
        Assert.Contains(expected, message, StringComparison.Ordinal);
        Assert.StartsWith(path, message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', message);
    }

    [Theory]
    [InlineData("weights.npy", "NumPy arrays")]
    [InlineData("model.weights.h5", "Keras")]
    [InlineData("folder/best.pth", "is a zip archive with folder/best.pth in it; unpack it")]
    [InlineData("readme.txt", "PyTorch did not write it")]
    [InlineData("archive_format", "torch.export")]
    [InlineData("x/constants.pkl x/data.pkl", "TorchScript")]
    [InlineData("x/code/__torch__.py x/data.pkl", "TorchScript")]
    public void It_is_told_what_an_archive_is(string entries, string expected)
    {
        using (ZipArchive zip = ZipFile.Open(_folder["a.pt"], ZipArchiveMode.Create))
            foreach (string name in entries.Split(' ')) zip.CreateEntry(name);
        Assert.Contains(
            expected, Assert.Throws<CheckpointException>(() => CheckpointFiles.ReadStateDict(_folder["a.pt"])).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("sys_info", "PyTorch's first format, a tar archive")]
    [InlineData("run/checkpoint.pth", "a tar archive that begins with run/checkpoint.pth")]
    public void It_is_told_what_a_tar_archive_is(string member, string expected)
    {
        using (FileStream stream = File.Create(_folder["a.tar"]))
        using (System.Formats.Tar.TarWriter tar = new(stream, System.Formats.Tar.TarEntryFormat.Gnu))
            tar.WriteEntry(new System.Formats.Tar.GnuTarEntry(System.Formats.Tar.TarEntryType.RegularFile, member) { DataStream = new MemoryStream([1, 2]) });
        Assert.Contains(
            expected, Assert.Throws<CheckpointException>(() => CheckpointFiles.ReadStateDict(_folder["a.tar"])).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Cut_safetensors_are_told_as_such()
    {
        Safetensors.Write(_folder["a.safetensors"], [new("a", TensorData.FromFloats(new float[100], 100))]);
        byte[] file = File.ReadAllBytes(_folder["a.safetensors"]);
        foreach (int length in (int[])[30, file.Length - 1])
            Assert.Contains(
                "cut off",
                Assert.Throws<CheckpointException>(() => CheckpointFiles.ReadStateDict(_folder.Write("b.safetensors", file[..length]))).Message,
                StringComparison.Ordinal);
    }
}
