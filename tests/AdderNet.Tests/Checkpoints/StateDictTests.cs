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
    public void A_model_is_found_behind_any_prefix_also_beside_the_weights_of_a_loss()
    {
        using TempFolder folder = new();
        using var model = AdderNetModels.Create("resnet20", LayerKind.Conv);
        model.eval();
        OrderedDictionary<string, TensorData> tensors = StateDict.FromModule(model), wrapped = [];
        foreach ((string name, TensorData tensor) in tensors) wrapped["student." + name] = tensor;
        PyTorchFile.Write(folder["behind.pth"], wrapped);
        wrapped["loss.weight"] = TensorData.FromFloats([1, 2], 2);
        Safetensors.Write(folder["beside.safetensors"], wrapped);
        foreach ((string file, string[] told) in ((string, string[])[])[("behind.pth", []), ("beside.safetensors", ["'loss.weight'"])])
        {
            List<string> notes = [];
            using var loaded = AdderNetModels.Load(folder[file], "resnet20", note: notes.Add);
            Assert.Equal(told.Length, notes.Count);
            Assert.All(told, text => Assert.Contains(text, notes[0], StringComparison.Ordinal));
            Tensor x = randn(1, 3, 32, 32);
            Assert.True(loaded.forward(x).equal(model.forward(x)).all().item<bool>());
        }
    }

    [Fact]
    public void Two_models_behind_different_prefixes_are_not_chosen_between()
    {
        using TempFolder folder = new();
        using var model = AdderNetModels.Create("resnet20", LayerKind.Conv);
        OrderedDictionary<string, TensorData> both = [];
        foreach ((string name, TensorData tensor) in StateDict.FromModule(model)) both["student." + name] = both["teacher." + name] = tensor;
        PyTorchFile.Write(folder["both.pth"], both);
        Assert.Contains(
            "student.conv1.weight",
            Assert.Throws<CheckpointException>(() => AdderNetModels.Load(folder["both.pth"], "resnet20")).Message, StringComparison.Ordinal);
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

    [Theory]
    [InlineData(TensorDtype.F16, "7E00")]
    [InlineData(TensorDtype.BF16, "7FC0")]
    [InlineData(TensorDtype.F32, "FFC00000")]
    [InlineData(TensorDtype.F64, "7FF8000000000001")]
    public void Weights_of_which_one_is_no_number_are_refused_and_nothing_is_changed(TensorDtype dtype, string bits)
    {
        using var model = nn.Linear(2, 1);
        OrderedDictionary<string, TensorData> before = StateDict.FromModule(model), tensors = new(before);
        tensors["weight"] = TensorData.FromFloats([1, float.PositiveInfinity], 1, 2);
        tensors["bias"] = new(dtype, [1], Convert.FromHexString(bits).Reverse().ToArray());
        Assert.Equal(
            "x.pth: the tensor 'bias' holds NaN, not numbers: its training had failed when it was saved. Take a checkpoint from before.",
            Assert.Throws<CheckpointException>(() => StateDict.LoadInto(model, tensors, source: "x.pth")).Message);
        TestFiles.AssertSame(before, StateDict.FromModule(model));

        tensors["bias"] = before["bias"];
        StateDict.LoadInto(model, tensors);
        Assert.Equal([1, float.PositiveInfinity], StateDict.FromModule(model)["weight"].ToFloats());
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
    public void What_TorchSharp_saves_itself_is_read()
    {
        using TempFolder folder = new();
        using var model = AdderNetModels.Create("lenet5-bn", LayerKind.Conv);
        model.save(folder["m.dat"]);
        TestFiles.AssertSame(StateDict.FromModule(model), CheckpointFiles.ReadStateDict(folder["m.dat"]).Tensors);
        byte[] cut = File.ReadAllBytes(folder["m.dat"])[..^10];
        Assert.Contains("cut off", Assert.Throws<CheckpointException>(() => CheckpointFiles.ReadStateDict(folder.Write("cut.dat", cut))).Message);
    }

    [Fact]
    public void A_fully_connected_layer_s_weights_fit_a_convolution_of_one_pixel_and_a_note_says_so()
    {
        using TempFolder folder = new();
        OrderedDictionary<string, TensorData> tensors = PyTorchFile.Read(TestFiles.Path("resnet20_mnist_official.pt"));
        tensors["fc.weight"] = new(TensorDtype.F32, [10, 64], tensors["fc.weight"].Data);
        PyTorchFile.Write(folder["m.pth"], tensors);
        List<string> notes = [];
        using var model = AdderNetModels.Load(folder["m.pth"], "resnet20", note: notes.Add);
        Assert.Equal(tensors["fc.weight"].ToFloats(), StateDict.FromModule(model)["fc.weight"].ToFloats());
        Assert.Equal($"{folder["m.pth"]} has other shapes of the same elements: fc.weight ([10, 64] as [10, 64, 1, 1]).", Assert.Single(notes));
    }

    [Fact]
    public void Weights_that_belong_to_no_part_of_the_model_are_passed_over_and_named_but_more_layers_are_another_model()
    {
        using TempFolder folder = new();
        OrderedDictionary<string, TensorData> tensors = PyTorchFile.Read(TestFiles.Path("resnet20_mnist_official.pt"));
        TensorData one = TensorData.FromFloats([1], 1);
        tensors["auxiliary.weight"] = tensors["layer1.0.total_ops"] = tensors["total_params"] = one;
        PyTorchFile.Write(folder["m.pth"], tensors);
        List<string> notes = [];
        AdderNetModels.Load(folder["m.pth"], "resnet20", note: notes.Add).Dispose();
        Assert.Contains("'total_params', 'layer1.0.total_ops', 'auxiliary.weight'", Assert.Single(notes));

        using (var deeper = AdderNetModels.Create("resnet32", inputChannels: 1))
        {
            PyTorchFile.Write(folder["deeper.pth"], StateDict.FromModule(deeper));
        }

        Assert.Contains(
            "unexpected: layer1.3.conv1.adder",
            Assert.Throws<CheckpointException>(() => AdderNetModels.Load(folder["deeper.pth"], "resnet20")).Message);
    }

    [Fact]
    public void A_tensor_of_an_unknown_type_is_an_error_only_where_the_model_needs_it()
    {
        using var model = nn.Linear(1, 1);
        OrderedDictionary<string, TensorData> tensors = StateDict.FromModule(model);
        TensorFile file = new(tensors, new Dictionary<string, string>()) { Unread = new Dictionary<string, string> { ["scale"] = "a tensor of type F8_E4M3" } };
        StateDict.LoadInto(model, file, "x.pth", _ => { });
        tensors.Remove("bias");
        CheckpointException e = Assert.Throws<CheckpointException>(() => StateDict.LoadInto(
            model, file with { Unread = new Dictionary<string, string> { ["bias"] = "a tensor of type F8_E4M3" } }, "x.pth", _ => { }));
        Assert.Equal("x.pth has a tensor of type F8_E4M3 as 'bias', which the model needs and which is not supported; in Python, save it as float32.", e.Message);
    }

    [Fact]
    public void A_prefix_that_the_module_itself_has_may_be_missing_in_the_file()
    {
        using var wrapped = nn.Sequential(("model", nn.Linear(1, 1)));
        TensorData seven = TensorData.FromFloats([7], 1);
        StateDict.LoadInto(wrapped, new OrderedDictionary<string, TensorData> { ["weight"] = TensorData.FromFloats([3], 1, 1), ["bias"] = seven });
        Assert.Equal([7], StateDict.FromModule(wrapped)["model.bias"].ToFloats());
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
