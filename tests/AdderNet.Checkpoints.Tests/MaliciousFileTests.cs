using System.IO.Compression;
using System.Text;

namespace AdderNet.Checkpoints.Tests;

/// <summary>Files made to run code, to exhaust memory or to read elsewhere: each is refused in one sentence.</summary>
public class MaliciousFileTests
{
    private const string Proto = "\u0080\u0002";

    // A storage of 4 floats under the key 0, as torch.save names it.
    private const string Storage = "(X\u0007\0\0\0storagectorch\nFloatStorage\nX\u0001\0\0\0" + "0X\u0003\0\0\0cpuK\u0004tQ";

    // All of it as a tensor.
    private const string Tensor = $"ctorch._utils\n_rebuild_tensor_v2\n({Storage}K\0(K\u0004t(K\u0001t\u0089}}tR";

    [Theory]
    [InlineData("posix.system", "cposix\nsystem\nX\u0004\0\0\0true\u0085R.")] // GLOBAL, REDUCE
    [InlineData("builtins.eval", "X\u0008\0\0\0builtinsX\u0004\0\0\0eval\u0093X\u0001\0\0\0" + "1\u0085R.")] // STACK_GLOBAL
    [InlineData("os.system", "(X\u0004\0\0\0trueios\nsystem\n.")] // INST
    [InlineData("subprocess.Popen", "(csubprocess\nPopen\nX\u0004\0\0\0trueo.")] // OBJ
    [InlineData("torch.load", "ctorch\nload\nX\u0001\0\0\0x\u0085R.")]
    [InlineData("torch.hub.load", "ctorch.hub\nload\n)R.")]
    [InlineData("torch._utils._import_dotted_name", "ctorch._utils\n_import_dotted_name\n)R.")]
    [InlineData("collections.OrderedDict.__class__", "ccollections\nOrderedDict.__class__\n)R.")]
    [InlineData("torch.jit.unsupported_tensor_ops.execWrapper", "ctorch.jit.unsupported_tensor_ops\nexecWrapper\n)R.")]
    [InlineData("__builtin__.getattr", "c__builtin__\ngetattr\n(ctorch\nFloatStorage\nX\u0003\0\0\0newtR.")]
    [InlineData("numpy.core.multiarray.scalar", "cnumpy.core.multiarray\nscalar\n)R.")]
    public void A_call_in_place_of_weights_is_refused_by_its_name_and_beside_them_passed_over(string name, string program)
    {
        Assert.Contains($"holds {name} where", Refusal(program), StringComparison.Ordinal);
        string beside = $"{Proto}}}(X\u0005\0\0\0model}}X\u0001\0\0\0w{Tensor}sX\u0001\0\0\0x{program[..^1]}u.";
        Assert.Equal(["w"], PyTorchFile.Read(TestFiles.PyTorchZip(TestFiles.Pickle(beside), entries: ("archive/data/0", new byte[16]))).Keys);
    }

    [Fact]
    public void Nothing_that_a_file_asks_for_happens()
    {
        using TempFolder folder = new();
        string victim = folder["touched"], command = $"touch '{victim}'";
        string text = "X" + Encoding.Latin1.GetString(BitConverter.GetBytes(command.Length)) + command;
        foreach (string call in (string[])[$"cposix\nsystem\n{text}\u0085R", $"(cos\nsystem\n{text}o", $"csubprocess\nPopen\n({text}\u0088t\u0081", $"({text}ios\nsystem\n"])
        {
            string program = $"{Proto}}}(X\u0005\0\0\0model}}X\u0001\0\0\0w{Tensor}sX\u0001\0\0\0x{call}u.";
            Assert.Equal(["w"], PyTorchFile.Read(TestFiles.PyTorchZip(TestFiles.Pickle(program), entries: ("archive/data/0", new byte[16]))).Keys);
        }
        Assert.False(File.Exists(victim));
    }

    [Theory]
    [InlineData("0x82", "\u0082\u0001.")] // EXT1: names by number
    [InlineData("outside", "P/etc/passwd\n.")] // PERSID
    [InlineData("outside", "X\u000b\0\0\0/etc/passwdQ.")] // BINPERSID of something else
    [InlineData("outside", "(X\u0006\0\0\0moduleNNNNtQ.")]
    [InlineData("end in the middle", "\u008b\u00ff\u00ff\u00ff\u007f.")]
    [InlineData("end in the middle", "\u008a\u00ff0000.")]
    [InlineData("end in the middle", "X\u00ff\u00ff\u00ff\u00ffabc.")]
    [InlineData("end in the middle", "\u008d\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ffabc.")]
    [InlineData("never remembered", "h\u0005.")]
    [InlineData("missing from its stack", "(R.")]
    [InlineData("mark missing", "t.")]
    [InlineData("missing from its stack", ".")]
    [InlineData("end in the middle", "}")]
    public void A_pickle_that_is_no_plain_data_is_refused(string expected, string program) =>
        Assert.Contains(expected, Refusal(program), StringComparison.Ordinal);

    [Fact]
    public void Data_that_training_scripts_keep_beside_the_weights_is_passed_over()
    {
        string extras = "X\u0004\0\0\0seed\u008a\u0009\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\0" // 2^64 - 1
            + "X\u0004\0\0\0lossG@\u0009!\u00fbTD-\u0018X\u0004\0\0\0argsNX\u0003\0\0\0raw](C\u0002\0\u0001K\u0001K\u0002\u0086e";
        string program = $"{Proto}}}(X\u0005\0\0\0model}}X\u0001\0\0\0w{Tensor}s{extras}u.";
        MemoryStream file = TestFiles.PyTorchZip(TestFiles.Pickle(program), entries: ("archive/data/0", new byte[16]));
        Assert.Equal(["w"], PyTorchFile.Read(file).Keys);
    }

    [Fact]
    public void Nesting_of_any_depth_needs_no_stack()
    {
        const int depth = 100_000;
        Refusal(new string('(', depth) + new string('t', depth) + ".");
        Refusal(new string(']', depth) + new string('a', depth - 1) + ".");
    }

    [Fact]
    public void A_list_of_lists_that_doubles_at_each_step_is_never_expanded()
    {
        StringBuilder program = new("]q\0");
        for (int i = 0; i < 200; i++) program.Append("](h\0h\0e").Append("q\0");
        Refusal(program + ".");
    }

    [Fact]
    public void A_dictionary_that_holds_itself_is_refused() =>
        Assert.Contains("without tensors", Refusal("}q\0X\u0005\0\0\0modelh\0s."), StringComparison.Ordinal);

    [Theory]
    [InlineData("numpy.core")]
    [InlineData("numpy._core")] // from NumPy 2 on
    public void A_dictionary_of_NumPy_arrays_is_refused_with_what_makes_tensors_of_them(string module) =>
        Assert.Matches("holds a dictionary of NumPy arrays .* torch.from_numpy", Refusal($"}}X\u0001\0\0\0wc{module}.multiarray\n_reconstruct\n)Rs."));

    [Theory]
    [InlineData(')')]
    [InlineData(']')]
    [InlineData('}')]
    public void A_million_empty_collections_stay_within_the_budget(char opcode)
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Contains("far more memory", Refusal(new string(opcode, 1_000_000) + "."), StringComparison.Ordinal);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 64L << 20);
    }

    [Theory]
    [InlineData("K\0", "K\u0002K\u0002", "K\u0002K\u0001", null)] // the whole storage, in order
    [InlineData("K\u0001", "K\u0002K\u0002", "K\u0001K\u0001", null)] // overlapping rows inside
    [InlineData("K\u0001", "K\u0002K\u0002", "K\u0002K\u0001", "outside")] // one element too far
    [InlineData("K\u0005", "K\0K\u0002", "K\u0002K\u0001", "outside")] // empty, but beyond
    [InlineData("J\u00ff\u00ff\u00ff\u00ff", "K\u0002K\u0002", "K\u0002K\u0001", "outside")] // offset -1
    [InlineData("K\u0003", "K\u0002K\u0002", "J\u00ff\u00ff\u00ff\u00ffK\0", "outside")] // stride -1
    [InlineData("K\0", "K\u0002J\u00ff\u00ff\u00ff\u00ff", "K\u0001K\u0001", "outside")] // size -1
    [InlineData("K\0", "J\0\0\0@J\0\0\0@", "K\0K\0", "far more memory")] // 2^60 elements of one
    [InlineData("K\0", "\u008a\u0008\0\0\0\0\0\0\0@\u008a\u0008\0\0\0\0\0\0\0@", "K\0K\0", "outside")] // 2^124 elements
    [InlineData("K\0", "K\u0002K\u0002", "\u008a\u0008\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u007fK\u0001", "outside")]
    [InlineData("K\0", "J\0\0\0\u0010K\u0001", "K\0K\u0001", "far more memory")] // 2^28 elements of one
    [InlineData("K\0", "K\u0002", "K\u0002K\u0001", "arguments")] // more strides than sizes
    [InlineData("X\u0001\0\0\0a", "K\u0002K\u0002", "K\u0002K\u0001", "arguments")]
    public void A_tensor_sees_its_storage_and_nothing_else(string offset, string shape, string strides, string? refusal)
    {
        string program = $"{Proto}}}X\u0001\0\0\0wctorch._utils\n_rebuild_tensor_v2\n({Storage}{offset}({shape}t({strides}t\u0089}}tRs.";
        MemoryStream file = TestFiles.PyTorchZip(TestFiles.Pickle(program), entries: ("archive/data/0", new byte[16]));
        if (refusal is null)
            Assert.Equal(4, PyTorchFile.Read(file)["w"].Count);
        else
            Assert.Contains(refusal, Assert.Throws<CheckpointException>(() => PyTorchFile.Read(file)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(12)]
    [InlineData(17)]
    [InlineData(0)]
    public void A_storage_of_another_size_than_announced_is_refused(int bytes) =>
        Assert.Contains("not 4 elements", TensorRefusal(("archive/data/0", new byte[bytes])), StringComparison.Ordinal);

    [Theory]
    [InlineData("../0")]
    [InlineData("/etc/passwd")]
    [InlineData("archive/../data/0")]
    public void Entries_with_other_paths_are_not_what_a_tensor_asks_for(string name) =>
        Assert.Contains("lacks the entry 'archive/data/0'", TensorRefusal((name, new byte[16])), StringComparison.Ordinal);

    [Fact]
    public void A_deflated_entry_that_swells_is_refused_before_it_does()
    {
        byte[] pickle = TestFiles.Pickle(Proto + new string('0', 200 << 20));
        MemoryStream bomb = TestFiles.PyTorchZip(pickle, CompressionLevel.Fastest);
        long before = GC.GetAllocatedBytesForCurrentThread();
        CheckpointException e = Assert.Throws<CheckpointException>(() => PyTorchFile.Read(bomb));
        Assert.Contains("far more memory", e.Message, StringComparison.Ordinal);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(4)]
    public void A_directory_of_very_many_entries_is_refused_before_it_is_listed(int nameLength)
    {
        const int entries = 600_000;
        MemoryStream file = TestFiles.CrowdedZip(entries, entries, nameLength);
        long before = GC.GetAllocatedBytesForCurrentThread();
        CheckpointException e = Assert.Throws<CheckpointException>(() => PyTorchFile.Read(file, "evil.pth"));
        Assert.Equal(
            $"Reading evil.pth would take far more memory than a checkpoint of {file.Length:N0} bytes can need, so it was refused.", e.Message);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, file.Length + (64L << 20));
    }

    [Theory]
    [InlineData(60_000, 60_000)]
    [InlineData(120_000, 120_000)]
    [InlineData(250_000, 250_000)]
    [InlineData(250_000, 1)]
    [InlineData(250_000, long.MaxValue)]
    [InlineData(1, int.MaxValue)]
    public void Whatever_a_directory_holds_and_claims_listing_it_stays_within_64_MB_beyond_the_file(int entries, long claimed)
    {
        foreach (int nameLength in (int[])[0, 4, 100])
        {
            MemoryStream file = TestFiles.CrowdedZip(entries, claimed, nameLength);
            long before = GC.GetAllocatedBytesForCurrentThread();
            Assert.Throws<CheckpointException>(() => PyTorchFile.Read(file));
            Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, file.Length + (64L << 20));
        }
    }

    [Fact]
    public void A_checkpoint_of_very_many_small_tensors_is_read()
    {
        const int tensors = 10_000;
        MemoryStream file = new();
        PyTorchFile.Write(file, Enumerable.Range(0, tensors).Select(i => KeyValuePair.Create($"layer{i}.weight", new TensorData(TensorDtype.F32, [1], new byte[4]))));
        file.Position = 0;
        Assert.Equal(tensors, PyTorchFile.Read(file).Count);
    }

    [Fact]
    public void A_hostile_name_is_shown_short_and_on_one_line()
    {
        string message = Refusal($"c\u001b[31m{new string('x', 5000)}\nsystem\n)R.");
        Assert.InRange(message.Length, 1, 400);
        Assert.DoesNotContain('\u001b', message);
    }

    private static string Refusal(string program)
    {
        MemoryStream file = TestFiles.PyTorchZip(TestFiles.Pickle(Proto + program));
        string message = Assert.Throws<CheckpointException>(() => PyTorchFile.Read(file, "evil.pth")).Message;
        Assert.StartsWith("evil.pth", message.Replace("Reading ", "", StringComparison.Ordinal), StringComparison.Ordinal);
        Assert.DoesNotContain('\n', message);
        return message;
    }

    private static string TensorRefusal(params (string, byte[])[] entries)
    {
        string program = $"{Proto}}}X\u0001\0\0\0w{Tensor}s.";
        MemoryStream file = TestFiles.PyTorchZip(TestFiles.Pickle(program), entries: entries);
        return Assert.Throws<CheckpointException>(() => PyTorchFile.Read(file)).Message;
    }
}
