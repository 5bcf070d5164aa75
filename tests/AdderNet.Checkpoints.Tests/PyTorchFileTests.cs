using System.IO.Compression;

namespace AdderNet.Checkpoints.Tests;

public class PyTorchFileTests
{
    [Fact]
    public void The_official_checkpoint_has_the_official_names_and_shapes()
    {
        OrderedDictionary<string, TensorData> tensors = PyTorchFile.Read(TestFiles.Path("resnet20_mnist_official.pt"));

        Assert.Equal(132, tensors.Count);
        Assert.Equal("conv1.weight", tensors.GetAt(0).Key);
        Assert.Equal("F32 [16, 1, 3, 3]", tensors["conv1.weight"].ToString());
        Assert.Equal("F32 [32, 16, 1, 1]", tensors["layer2.0.downsample.0.adder"].ToString());
        Assert.Equal("F32 [64, 64, 3, 3]", tensors["layer3.2.conv2.adder"].ToString());
        Assert.Equal("F32 [10, 64, 1, 1]", tensors["fc.weight"].ToString());
        Assert.Equal("I64 []", tensors["bn2.num_batches_tracked"].ToString());
        Assert.All(tensors.Values, tensor => Assert.All(tensor.ToFloats(), value => Assert.True(float.IsFinite(value))));
    }

    [Fact]
    public void Every_element_type_reads_as_the_numbers_that_were_saved()
    {
        OrderedDictionary<string, TensorData> tensors = PyTorchFile.Read(TestFiles.Path("torch_dtypes.pth"));

        float[] quarters = [0, 0.25f, 0.5f, 0.75f, 1, 1.25f];
        foreach (string name in (string[])["f16", "bf16", "f32", "f64"]) Assert.Equal(quarters, tensors[name].ToFloats());
        Assert.Equal([-3, -2, -1, 0, 1, 2], tensors["i8"].ToFloats());
        Assert.Equal([250, 251, 252, 253, 254, 255], tensors["u8"].ToFloats());
        Assert.Equal([-300, -299, -298, -297, -296, -295], tensors["i16"].ToFloats());
        Assert.Equal([-70000, -69999, -69998, -69997, -69996, -69995], tensors["i32"].ToFloats());
        Assert.Equal(-5_000_000_000 + 5, BitConverter.ToInt64(tensors["i64"].Data.Span[40..]));
        Assert.Equal([0, 0, 0, 1, 1, 1], tensors["bool"].ToFloats());
        Assert.Equal([2.5f], tensors["scalar"].ToFloats());
        Assert.Equal("F32 [0, 3]", tensors["empty"].ToString());
    }

    [Fact]
    public void Views_of_a_shared_storage_read_as_their_own_elements()
    {
        OrderedDictionary<string, TensorData> tensors = PyTorchFile.Read(TestFiles.Path("torch_views.pth"));

        float[] all = [.. Enumerable.Range(0, 24)];
        Assert.Equal(all, tensors["base"].ToFloats());
        Assert.Equal([6, 4], tensors["transposed"].Shape);
        Assert.Equal([0, 6, 12, 18, 1, 7], tensors["transposed"].ToFloats()[..6]);
        Assert.Equal(all[6..18], tensors["rows"].ToFloats());
        Assert.Equal([1, 3, 5, 7, 9, 11], tensors["columns"].ToFloats()[..6]);
        Assert.Equal([0, 0, 0, 0, 0], tensors["expanded"].ToFloats());
        Assert.Equal(all[12..18], tensors["parameter"].ToFloats());
        Assert.Equal(all, tensors["channels_last"].ToFloats());
    }

    [Fact]
    public void A_training_script_s_checkpoint_gives_its_state_dict_without_the_module_prefix()
    {
        OrderedDictionary<string, TensorData> tensors = PyTorchFile.Read(TestFiles.Path("torch_training.pth"));

        Assert.Equal(
            ["0.weight", "0.bias", "1.weight", "1.bias", "1.running_mean", "1.running_var", "1.num_batches_tracked"], tensors.Keys);
        Assert.Equal("F32 [2, 3]", tensors["0.weight"].ToString());
        Assert.Equal([1], tensors["1.num_batches_tracked"].ToFloats());
    }

    [Theory]
    [InlineData("torch_script.pt", "TorchScript")]
    [InlineData("make_torch_files.py", "is a text file")]
    public void A_file_of_another_kind_is_refused_with_what_to_do(string name, string expected)
    {
        CheckpointException e = Assert.Throws<CheckpointException>(() => PyTorchFile.Read(TestFiles.Path(name)));
        Assert.Contains(expected, e.Message, StringComparison.Ordinal);
        Assert.Contains(name, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_flipped_bit_in_the_weights_is_noticed()
    {
        byte[] file = File.ReadAllBytes(TestFiles.Path("resnet20_mnist_official.pt"));
        file[file.Length / 2] ^= 4;
        CheckpointException e = Assert.Throws<CheckpointException>(() => PyTorchFile.Read(new MemoryStream(file), "bad.pt"));
        Assert.Contains("checksum", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_that_another_tool_zipped_again_with_compression_reads_the_same()
    {
        using ZipArchive zip = ZipFile.OpenRead(TestFiles.Path("torch_views.pth"));
        MemoryStream again = TestFiles.PyTorchZip(Bytes(zip, "data.pkl"), CompressionLevel.Optimal,
            [.. zip.Entries.Where(entry => entry.FullName.Contains("/data/", StringComparison.Ordinal))
                .Select(entry => ($"archive/data/{entry.Name}", Bytes(zip, "/data/" + entry.Name)))]);
        Assert.Equal(PyTorchFile.Read(TestFiles.Path("torch_views.pth"))["columns"].ToFloats(), PyTorchFile.Read(again)["columns"].ToFloats());
    }

    [Fact]
    public void What_is_written_reads_back_the_same()
    {
        OrderedDictionary<string, TensorData> tensors = PyTorchFile.Read(TestFiles.Path("torch_dtypes.pth"));
        using MemoryStream stream = new();
        PyTorchFile.Write(stream, tensors);
        stream.Position = 0;
        TestFiles.AssertSame(tensors, PyTorchFile.Read(stream));
    }

    [Fact]
    public void PyTorch_reads_what_is_written_with_weights_only()
    {
        using TempFolder folder = new();
        string path = folder["written.pth"];
        PyTorchFile.Write(path, PyTorchFile.Read(TestFiles.Path("torch_dtypes.pth")));
        string script = """
            import sys, torch
            written, original = torch.load(sys.argv[1], weights_only=True), torch.load(sys.argv[2])
            assert list(written) == list(original), list(written)
            for name in original:
                assert written[name].dtype == original[name].dtype and torch.equal(written[name], original[name]), name
            print(len(written))
            """;
        Assert.Equal("12", TestFiles.Python(script, path, TestFiles.Path("torch_dtypes.pth")).Trim());
    }

    [Fact]
    public void Every_storage_is_written_at_a_multiple_of_64_bytes()
    {
        using MemoryStream stream = new();
        float[] marker = [.. Enumerable.Repeat(12345.678f, 4)];
        TensorData marked = TensorData.FromFloats(marker, 4);
        PyTorchFile.Write(stream, [new("a", TensorData.FromFloats([1, 2, 3], 3)), new("long.name", marked)]);
        int at = stream.ToArray().AsSpan().IndexOf(marked.Data.Span);
        Assert.True(at > 0 && at % 64 == 0);
    }

    internal static byte[] Bytes(ZipArchive zip, string ending)
    {
        ZipArchiveEntry entry = zip.Entries.Single(entry => entry.FullName.EndsWith(ending, StringComparison.Ordinal));
        byte[] bytes = new byte[entry.Length];
        using Stream stream = entry.Open();
        stream.ReadExactly(bytes);
        return bytes;
    }
}
