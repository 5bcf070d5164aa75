using System.Globalization;
using System.IO.Compression;
using System.Text;

namespace AdderNet.Checkpoints.Tests;

/// <summary>Files as training scripts leave them (TestData/make_training_files.py made them): all hold the weights of one network.</summary>
public class TrainingFileTests
{
    private static readonly string[] Expected = File.ReadAllLines(TestFiles.Path("net_names.txt"));

    public static TheoryData<string> Files =>
    [
        .. from format in (string[])["", "legacy_"] from protocol in Enumerable.Range(1, 5) select $"training_{format}p{protocol}.pth",
        "whole.pth", "whole_dataparallel_legacy.pth", "whole_beside.pth",
    ];

    [Theory]
    [MemberData(nameof(Files))]
    public void The_weights_are_read_in_order_whatever_lies_beside_them(string name)
    {
        TensorFile file = CheckpointFiles.ReadStateDict(TestFiles.Path(name));
        Assert.Equal(Expected, file.Tensors.Select(entry => FormattableString.Invariant(
            $"{entry.Key} {entry.Value.ToFloats().Sum(value => (double)value):F6} {entry.Value.ShapeText}")).Select(line => line.Replace("-0.000000", "0.000000", StringComparison.Ordinal)));
        Assert.Empty(file.Notes);
    }

    [Fact]
    public void Views_and_element_types_of_the_old_format_read_as_the_numbers_that_were_saved()
    {
        OrderedDictionary<string, TensorData> tensors = PyTorchFile.Read(TestFiles.Path("legacy_views.pth"));
        float[] all = [.. Enumerable.Range(0, 24)];
        foreach (string name in (string[])["base", "half", "bfloat16", "double", "channels_last"]) Assert.Equal(all, tensors[name].ToFloats());
        Assert.Equal([0, 6, 12, 18, 1, 7], tensors["transposed"].ToFloats()[..6]);
        Assert.Equal(all[6..18], tensors["rows"].ToFloats());
        Assert.Equal([1, 3, 5, 7, 9, 11], tensors["columns"].ToFloats()[..6]);
        Assert.Equal(all[12..18], tensors["parameter"].ToFloats());
        Assert.Equal([7], tensors["count"].ToFloats());
        Assert.Equal(20, tensors["flag"].ToFloats().Sum());
    }

    [Theory]
    [InlineData("unsupported.pth", "'quantized', 'complex', 'sparse'", "weight")]
    [InlineData("unsupported_legacy.pth", "'quantized', 'complex'", "weight bias")]
    public void Tensors_of_other_kinds_are_named_and_the_rest_is_read(string name, string named, string read)
    {
        TensorFile file = CheckpointFiles.ReadStateDict(TestFiles.Path(name));
        Assert.Equal(read.Split(' '), file.Tensors.Keys);
        string note = Assert.Single(file.Notes);
        Assert.Contains(named, note, StringComparison.Ordinal);
        Assert.Contains(name, note, StringComparison.Ordinal);
        Assert.Equal("a tensor of type quantized", file.Unread["quantized"]);
    }

    [Fact]
    public void A_file_whose_checksums_were_switched_off_is_read()
    {
        byte[] file = File.ReadAllBytes(TestFiles.Path("training_p2.pth"));
        foreach ((string signature, int at) in (ReadOnlySpan<(string, int)>)[("PK\x03\x04", 14), ("PK\x01\x02", 16), ("PK\x07\x08", 4)])
        {
            byte[] start = Encoding.Latin1.GetBytes(signature);
            for (int i = 0; i + at + 4 <= file.Length; i++)
                if (file.AsSpan(i).StartsWith(start)) file.AsSpan(i + at, 4).Clear();
        }
        Assert.Equal(Expected.Length, PyTorchFile.Read(new MemoryStream(file)).Count);
    }

    [Theory]
    [InlineData("")]
    [InlineData("best model (1)/")]
    [InlineData("a/b/")]
    public void The_folder_in_the_archive_may_have_any_name(string folder)
    {
        using ZipArchive zip = ZipFile.OpenRead(TestFiles.Path("training_p2.pth"));
        MemoryStream again = new();
        using (ZipArchive renamed = new(again, ZipArchiveMode.Create, leaveOpen: true))
            foreach (ZipArchiveEntry entry in zip.Entries)
            {
                using Stream to = renamed.CreateEntry(folder + entry.FullName[(entry.FullName.IndexOf('/') + 1)..]).Open(), from = entry.Open();
                from.CopyTo(to);
            }
        again.Position = 0;
        Assert.Equal(Expected.Length, PyTorchFile.Read(again).Count);
    }

    [Fact]
    public void A_cut_file_is_told_as_such_wherever_it_is_cut()
    {
        foreach (string name in (string[])["training_p2.pth", "training_legacy_p2.pth"])
        {
            byte[] file = File.ReadAllBytes(TestFiles.Path(name));
            for (int length = 200; length < file.Length; length += length < file.Length - 100 ? 97 : 1)
                Assert.Contains(
                    "is cut off", Assert.Throws<CheckpointException>(() => PyTorchFile.Read(new MemoryStream(file[..length]))).Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_big_file_in_channels_last_memory_is_read()
    {
        const int outputs = 1024, inputs = 1024, taps = 16; // 64 MB
        float[] channelsLast = new float[outputs * inputs * taps];
        for (int o = 0, i = 0; o < outputs; o++)
            for (int t = 0; t < taps; t++)
                for (int c = 0; c < inputs; c++) channelsLast[i++] = o + 0.5f * c + 4096 * t;
        byte[] bytes = new byte[channelsLast.Length * sizeof(float)];
        Buffer.BlockCopy(channelsLast, 0, bytes, 0, bytes.Length);
        string program = "\x80\x02}X\x01\0\0\0wctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\0"
            + "0X\x06\0\0\0cuda:0J\0\0\0\x01tQK\0(M\0\x04M\0\x04K\x04K\x04t(M\0\x40K\x01M\0\x10M\0\x04t\x89}tRs.";
        MemoryStream file = TestFiles.PyTorchZip(TestFiles.Pickle(program), entries: ("archive/data/0", bytes));
        TensorData weight = PyTorchFile.Read(file)["w"];
        Assert.Equal("F32 [1024, 1024, 4, 4]", weight.ToString());
        float[] values = weight.ToFloats();
        for (int i = 0; i < values.Length; i += 12_345)
            Assert.Equal(i / (inputs * taps) + 0.5f * (i / taps % inputs) + 4096 * (i % taps), values[i]);
    }

    [Fact]
    public void A_big_endian_machine_s_archive_reads_as_its_numbers()
    {
        string program = "\x80\x02}X\x01\0\0\0wctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\0"
            + "0X\x03\0\0\0cpuK\x02tQK\0K\x02\x85K\x01\x85\x89}tRs.";
        MemoryStream file = TestFiles.PyTorchZip(
            TestFiles.Pickle(program), entries: [("archive/byteorder", "big"u8.ToArray()), ("archive/data/0", [0x3f, 0x80, 0, 0, 0xc0, 0, 0, 0])]);
        Assert.Equal([1, -2], PyTorchFile.Read(file)["w"].ToFloats());
    }

    // _rebuild_tensor_v3 is how PyTorch saves tensors of types that came after typed storages.
    [Theory]
    [InlineData("float8_e4m3fn", false)]
    [InlineData("uint16", false)]
    [InlineData("float32", true)]
    public void A_tensor_that_names_its_element_type_is_read_if_the_type_is_known(string dtype, bool known)
    {
        string tensor(string name, string type) =>
            $"X\x01\0\0\0{name}ctorch._utils\n_rebuild_tensor_v3\n((X\x07\0\0\0storagectorch.storage\nUntypedStorage\nX\x01\0\0\0"
            + $"0X\x03\0\0\0cpuK\x08tQK\0K\x02\x85K\x01\x85\x89}}ctorch\n{type}\ntRs";
        MemoryStream file = TestFiles.PyTorchZip(
            TestFiles.Pickle("\x80\x02}" + tensor("a", "float32") + tensor("b", dtype) + "."), entries: ("archive/data/0", new byte[8]));
        Assert.Equal(known ? ["a", "b"] : ["a"], PyTorchFile.Read(file).Keys);
    }

    [Fact]
    public void Tensors_with_attributes_and_parameters_with_state_are_read()
    {
        const string storage = "(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\0" + "0X\x03\0\0\0cpuK\x02tQ";
        string arguments = $"({storage}K\0K\x02\x85K\x01\x85\x89}}t";
        string program = "\x80\x02}X\x01\0\0\0actorch._tensor\n_rebuild_from_type_v2\n(ctorch._utils\n_rebuild_tensor_v2\nctorch\nTensor\n" + arguments + "}tRs"
            + "X\x01\0\0\0bctorch._utils\n_rebuild_parameter_with_state\n(ctorch._utils\n_rebuild_tensor_v2\n" + arguments + "R\x88}}tRs.";
        Assert.Equal(["a", "b"], PyTorchFile.Read(TestFiles.PyTorchZip(TestFiles.Pickle(program), entries: ("archive/data/0", new byte[8]))).Keys);
    }
}
