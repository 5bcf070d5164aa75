using System.Text;

namespace AdderNet.Checkpoints.Tests;

/// <summary>Where in a file the weights are, and what stands before their names.</summary>
public sealed class StateDictPlaceTests : IDisposable
{
    private const string Tensor =
        "ctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\0" + "0X\x03\0\0\0cpuK\x02tQK\0K\x02\x85K\x01\x85\x89}tR";

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("state_dict")]
    [InlineData("model_state_dict")]
    [InlineData("model")]
    [InlineData("net")]
    [InlineData("network")]
    [InlineData("params")]
    [InlineData("state_dict_ema")]
    [InlineData("ema")]
    [InlineData("my_resnet")]
    public void Weights_under_any_key_are_found(string key)
    {
        TensorFile file = Read(Dict((key, Weights("w")), ("epoch", "K\x03"), ("best_acc1", Tensor), ("optimizer", Dict(("state", Dict(("a", Tensor), ("b", Tensor)))))));
        Assert.Equal(["w"], file.Tensors.Keys);
        Assert.Empty(file.Notes);
    }

    [Theory]
    [InlineData("state_dict_ema", "state_dict")]
    [InlineData("ema", "model")]
    [InlineData("teacher", "net")]
    public void Of_several_the_weights_themselves_are_taken_and_a_note_says_so(string other, string taken)
    {
        TensorFile file = Read(Dict((other, Weights("x")), (taken, Weights("w"))));
        Assert.Equal(["w"], file.Tensors.Keys);
        Assert.Equal($"a.pth holds weights in several places; those under '{taken}' were taken, not '{other}'.", Assert.Single(file.Notes).Replace(_folder.Path + Path.DirectorySeparatorChar, "", StringComparison.Ordinal));
    }

    [Fact]
    public void Weights_in_an_object_a_tuple_or_several_dictionaries_deep_are_found()
    {
        Assert.Equal(["w"], Read($"cmine\nCheckpoint\n)\x81{Dict(("net", Weights("w")))}b").Tensors.Keys);
        Assert.Equal(["w"], Read($"({Weights("w")}K\x05t").Tensors.Keys);
        Assert.Equal(["w"], Read(Dict(("run", Dict(("model", Dict(("state_dict", Weights("w")))))))).Tensors.Keys);
        Assert.Equal(["w"], Read($"ctypes\nSimpleNamespace\n)\x81{Weights("w")}b").Tensors.Keys.Order().Take(1));
    }

    [Theory]
    [InlineData("module.", "a b.c")]
    [InlineData("_orig_mod.", "a b.c")]
    [InlineData("model.", "a b.c")]
    [InlineData("net.", "a b.c")]
    [InlineData("module._orig_mod.", "a b.c")]
    [InlineData("_orig_mod.module.model.", "a b.c")]
    [InlineData("model.module.", "a b.c")]
    [InlineData("models.", "models.a models.b.c")]
    [InlineData("encoder.", "encoder.a encoder.b.c")]
    public void What_wrappers_put_before_every_name_is_dropped_in_files_of_either_kind(string prefix, string expected)
    {
        string[] names = [prefix + "a", prefix + "b.c"];
        Assert.Equal(expected.Split(' '), Read(Weights(names)).Tensors.Keys);
        Safetensors.Write(_folder["a.safetensors"], names.Select(name => KeyValuePair.Create(name, TensorData.FromFloats([1], 1))));
        Assert.Equal(expected.Split(' '), CheckpointFiles.ReadStateDict(_folder["a.safetensors"]).Tensors.Keys);
    }

    [Fact]
    public void A_prefix_of_some_names_only_stays_but_a_compiled_part_s_does_not()
    {
        Assert.Equal(["module.a", "b"], Read(Weights("module.a", "b")).Tensors.Keys);
        Assert.Equal(["layer1.0.a", "fc.b"], Read(Weights("layer1._orig_mod.0.a", "fc.b")).Tensors.Keys);
        Assert.Equal(["n_averaged", "a.b"], Read(Weights("n_averaged", "module.a.b")).Tensors.Keys);
    }

    [Fact]
    public void What_stands_among_the_tensors_and_is_none_is_told_but_no_error()
    {
        TensorFile file = Read(Dict(("module.w", Tensor), ("epoch", "K\x03"), ("module._extra_state", "N")));
        Assert.Equal(["w"], file.Tensors.Keys);
        Assert.Equal("a number", file.Unread["epoch"]);
        Assert.Empty(file.Notes);
    }

    private TensorFile Read(string program) => CheckpointFiles.ReadStateDict(_folder.Write(
        "a.pth", TestFiles.PyTorchZip(TestFiles.Pickle($"\x80\x02{program}."), entries: ("archive/data/0", new byte[8])).ToArray()));

    private static string Weights(params string[] names) => Dict([.. names.Select(name => (name, Tensor))]);

    private static string Dict(params (string Key, string Value)[] entries) => $"}}({string.Concat(entries.Select(entry => Text(entry.Key) + entry.Value))}u";

    private static string Text(string text) => "X" + Encoding.Latin1.GetString(BitConverter.GetBytes(text.Length)) + text;
}
