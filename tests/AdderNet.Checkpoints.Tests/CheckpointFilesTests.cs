namespace AdderNet.Checkpoints.Tests;

public sealed class CheckpointFilesTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_checkpoint_converts_to_safetensors_and_back_without_a_change()
    {
        string official = TestFiles.Path("resnet20_mnist_official.pt"), safe = _folder["r.safetensors"], back = _folder["r.pth"];
        CheckpointFiles.Convert(official, safe);
        CheckpointFiles.Convert(safe, back);
        TensorFile expected = CheckpointFiles.ReadStateDict(official);
        TestFiles.AssertSame(expected.Tensors, CheckpointFiles.ReadStateDict(safe).Tensors);
        TestFiles.AssertSame(expected.Tensors, CheckpointFiles.ReadStateDict(back).Tensors);
        Assert.Equal("pt", CheckpointFiles.ReadStateDict(safe).Metadata["format"]);
    }

    [Fact]
    public void PyTorch_reads_a_converted_checkpoint_with_weights_only()
    {
        string safe = _folder["r.safetensors"], back = _folder["r.pth"], official = TestFiles.Path("resnet20_mnist_official.pt");
        CheckpointFiles.Convert(official, safe);
        CheckpointFiles.Convert(safe, back);
        string script = """
            import sys, torch
            back, official = torch.load(sys.argv[1], weights_only=True), torch.load(sys.argv[2], map_location='cpu')
            assert list(back) == list(official)
            print(all(torch.equal(back[name], official[name]) for name in official))
            """;
        Assert.Equal("True", TestFiles.Python(script, back, official).Trim());
    }

    [Fact]
    public void The_kind_is_recognised_by_content_not_by_name()
    {
        string misnamed = _folder.Write("weights.bin", File.ReadAllBytes(TestFiles.Path("resnet20_mnist_official.pt")));
        Assert.Equal(132, CheckpointFiles.ReadStateDict(misnamed).Tensors.Count);
        misnamed = _folder.Write("logits.pth", File.ReadAllBytes(TestFiles.Path("resnet20_mnist_logits.safetensors")));
        Assert.Equal(3, CheckpointFiles.ReadStateDict(misnamed).Tensors.Count);
    }

    [Fact]
    public void A_module_prefix_is_dropped_only_if_every_name_has_it()
    {
        TensorData one = TensorData.FromFloats([1], 1);
        Safetensors.Write(_folder["all.safetensors"], [new("module.a", one), new("module.b", one)]);
        Safetensors.Write(_folder["some.safetensors"], [new("module.a", one), new("b", one)]);
        Assert.Equal(["a", "b"], CheckpointFiles.ReadStateDict(_folder["all.safetensors"]).Tensors.Keys);
        Assert.Equal(["module.a", "b"], CheckpointFiles.ReadStateDict(_folder["some.safetensors"]).Tensors.Keys);
    }

    [Fact]
    public void Unusable_paths_are_refused_with_the_reason()
    {
        AssertRefused("There is no file", () => CheckpointFiles.ReadStateDict(_folder["missing.pth"]));
        AssertRefused("is a folder", () => CheckpointFiles.ReadStateDict(_folder.Path));
        AssertRefused("end it in .safetensors", () => CheckpointFiles.Convert(TestFiles.Path("torch_dtypes.pth"), _folder["out.onnx"]));
        AssertRefused("TorchScript", () => CheckpointFiles.Convert(TestFiles.Path("torch_script.pt"), _folder["out.pth"]));
        Assert.False(File.Exists(_folder["out.pth"]));
    }

    [Fact]
    public void A_truncated_checkpoint_is_refused_and_the_destination_stays()
    {
        string official = TestFiles.Path("resnet20_mnist_official.pt");
        string half = _folder.Write("half.pt", File.ReadAllBytes(official)[..500_000]);
        string destination = _folder.Write("good.safetensors", [1, 2, 3]);
        AssertRefused("half.pt is cut off", () => CheckpointFiles.Convert(half, destination));
        Assert.Equal([1, 2, 3], File.ReadAllBytes(destination));
    }

    private static void AssertRefused(string reason, Action act) =>
        Assert.Contains(reason, Assert.Throws<CheckpointException>(act).Message, StringComparison.Ordinal);
}
