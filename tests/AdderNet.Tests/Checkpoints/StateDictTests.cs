using AdderNet.Checkpoints;
using AdderNet.Checkpoints.Tests;
using AdderNet.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace AdderNet.Tests.Checkpoints;

public sealed class StateDictTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    [Fact]
    public void The_official_resnet20_gives_the_official_logits()
    {
        TensorFile reference = Safetensors.Read(TestFiles.Path("resnet20_mnist_logits.safetensors"));
        using var model = AdderNetModels.Load(TestFiles.Path("resnet20_mnist_official.pt"), "resnet20");
        Tensor logits = model.forward(reference.Tensors["input"].ToTensor());
        Tensor expected = reference.Tensors["logits"].ToTensor();
        Assert.Equal(expected.shape, logits.shape);
        Assert.InRange((logits - expected).abs().max().item<float>(), 0, 1e-3f);
    }

    [Fact]
    public void A_saved_model_gives_the_same_outputs_when_loaded_from_either_kind_of_file()
    {
        using TempFolder folder = new();
        using var model = AdderNetModels.Create("lenet5-bn", LayerKind.Conv, classes: 7, inputChannels: 2);
        Tensor x = randn(3, 2, 32, 32);
        model.forward(x); // moves BatchNorm's averages off their start
        model.eval();
        OrderedDictionary<string, TensorData> tensors = StateDict.FromModule(model);
        Assert.Equal(model.state_dict().Keys, tensors.Keys);
        Safetensors.Write(folder["m.safetensors"], tensors);
        PyTorchFile.Write(folder["m.pth"], tensors);
        foreach (string name in (string[])["m.safetensors", "m.pth"])
        {
            using var loaded = AdderNetModels.Load(folder[name], "lenet5-bn");
            Assert.True(loaded.forward(x).equal(model.forward(x)).all().item<bool>());
        }
    }

    [Fact]
    public void What_does_not_fit_is_listed_by_kind_and_nothing_is_changed()
    {
        using var model = nn.Sequential(("a", nn.Linear(3, 2)), ("b", nn.Linear(2, 2)), ("bn", nn.BatchNorm1d(2)));
        OrderedDictionary<string, TensorData> before = StateDict.FromModule(model), tensors = new(before);
        tensors.Remove("a.bias");
        tensors.Remove("bn.running_var");
        tensors.Remove("bn.num_batches_tracked"); // old files lack it
        tensors["a.weight"] = TensorData.FromFloats([1, 1, 1, 1, 1, 1], 2, 3);
        tensors["b.weight"] = TensorData.FromFloats([1, 2], 2);
        tensors["c.adder"] = TensorData.FromFloats([1], 1);

        CheckpointException e = Assert.Throws<CheckpointException>(() => StateDict.LoadInto(model, tensors, source: "x.pth"));
        Assert.Equal(
            "x.pth does not fit the model: missing: a.bias, bn.running_var; unexpected: c.adder; "
            + "of another shape: b.weight ([2], not [2, 2]).",
            e.Message);
        TestFiles.AssertSame(before, StateDict.FromModule(model));
    }

    [Fact]
    public void Long_lists_are_cut_short()
    {
        CheckpointException e = Assert.Throws<CheckpointException>(
            () => AdderNetModels.Load(TestFiles.Path("resnet20_mnist_official.pt"), "resnet32"));
        Assert.Contains("missing: layer1.3.conv1.adder, ", e.Message, StringComparison.Ordinal);
        Assert.Contains(" and 52 more.", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Without_strictness_only_what_is_there_is_loaded()
    {
        using var model = nn.Sequential(("a", nn.Linear(1, 1)), ("b", nn.Linear(1, 1)));
        TensorData seven = TensorData.FromFloats([7], 1);
        StateDict.LoadInto(model, new OrderedDictionary<string, TensorData> { ["a.bias"] = seven, ["other"] = seven }, strict: false);
        Assert.Equal([7], StateDict.FromModule(model)["a.bias"].ToFloats());
    }

    [Fact]
    public void Element_types_are_converted_to_the_module_s_and_requires_grad_stays()
    {
        using var model = nn.Linear(2, 1, hasBias: false);
        foreach (string name in (string[])["f16", "bf16", "f64", "i16"])
        {
            TensorData saved = PyTorchFile.Read(TestFiles.Path("torch_dtypes.pth"))[name];
            TensorData pair = new(saved.Dtype, [1, 2], saved.Data[..(2 * saved.Data.Length / 6)]);
            StateDict.LoadInto(model, new OrderedDictionary<string, TensorData> { ["weight"] = pair });
            Assert.Equal(pair.ToFloats(), StateDict.FromModule(model)["weight"].ToFloats());
            Assert.True(model.weight!.requires_grad);
        }
    }

    [Fact]
    public void Every_element_type_survives_the_way_through_a_tensor()
    {
        OrderedDictionary<string, TensorData> tensors = PyTorchFile.Read(TestFiles.Path("torch_dtypes.pth"));
        TestFiles.AssertSame(tensors, new(tensors.Select(
            entry => KeyValuePair.Create(entry.Key, entry.Value.ToTensor().ToTensorData()))));
    }

    [Fact]
    public void Views_are_saved_as_the_elements_they_show() =>
        Assert.Equal([0, 3, 1, 4, 2, 5], arange(6, dtype: float32).reshape(2, 3).t().ToTensorData().ToFloats());

    [Fact]
    public void Loading_and_saving_again_and_again_leaks_no_tensor()
    {
        using var model = AdderNetModels.Create("lenet5-bn");
        OrderedDictionary<string, TensorData> tensors = StateDict.FromModule(model);
        long before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        for (int i = 0; i < 10; i++)
        {
            StateDict.LoadInto(model, tensors);
            StateDict.FromModule(model);
        }
        Assert.Equal(before, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
    }
}
