using AdderNet.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace AdderNet.Tests;

// Alone, so that no other test draws from the seeded generator: a binary layer turns a rounding error beside 0 into a whole sign, which
// unseeded inputs hit once in many runs.
[CollectionDefinition(nameof(FusedModelTests), DisableParallelization = true)]
[Collection(nameof(FusedModelTests))]
public class FusedModelTests
{
    [Theory]
    [MemberData(nameof(ModelTests.EveryModel), MemberType = typeof(ModelTests))]
    public void Fused_model_gives_the_same_scores(string name, LayerKind kind)
    {
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        random.manual_seed(1);
        ModelInfo info = AdderNetModels.Find(name);
        int size = info.InputSize == 224 ? 64 : info.InputSize;
        using nn.Module<Tensor, Tensor> model = AdderNetModels.Create(name, kind);
        foreach (var (parameter, value) in model.named_parameters().Where(p => p.name.Contains("bn")))
        {
            value.add_(rand_like(value)); // Fresh BatchNorms scale by 1 and shift by 0, which would hide a fold that forgets them.
        }

        Tensor x = randn(4, info.InputChannels, size, size);
        model.forward(x);
        model.eval();
        using nn.Module<Tensor, Tensor> fused = FusedModel.Fuse(model);

        Tensor expected = model.forward(x), actual = fused.forward(x);

        Assert.InRange(((expected - actual).abs().max() / expected.abs().max()).item<float>(), 0, 1e-4);
        Assert.NotSame(model, fused);
    }

    [Fact]
    public void Disposing_the_fused_model_leaves_the_model_alone()
    {
        using var scope = NewDisposeScope();
        using nn.Module<Tensor, Tensor> model = AdderNetModels.Create("resnet20");
        model.eval();
        Tensor x = randn(1, 3, 32, 32), before = model.forward(x);

        FusedModel.Fuse(model).Dispose();

        Assert.True(before.equal(model.forward(x)).all().item<bool>());
    }

    [Fact]
    public void A_module_that_cannot_be_fused_is_called_as_it_is_and_survives()
    {
        using var scope = NewDisposeScope();
        using Adder2d layer = Layers.Adder2d(1, 1, 1);
        layer.eval();
        Tensor x = randn(1, 1, 2, 2);
        using (nn.Module<Tensor, Tensor> fused = FusedModel.Fuse(layer))
        {
            Assert.True(layer.forward(x).equal(fused.forward(x)).all().item<bool>());
        }

        Assert.False(layer.forward(x).isnan().any().item<bool>());
    }

    [Fact]
    public void Bias_of_the_layer_is_folded_in()
    {
        using var scope = NewDisposeScope();
        using var model = nn.Sequential(Layers.Adder2d(2, 3, 3, bias: true), nn.BatchNorm2d(3));
        using (no_grad())
        {
            ((Adder2d)model.children().First()).Bias!.add_(5);
        }

        model.eval();
        Tensor x = randn(1, 2, 4, 4);

        Assert.True(allclose(model.forward(x), FusedModel.Fuse(model).forward(x), 1e-4, 1e-4));
    }

    [Fact]
    public void Model_in_training_mode_is_refused()
    {
        using nn.Module<Tensor, Tensor> model = AdderNetModels.Create("lenet5-bn");

        Assert.Contains("eval", Assert.Throws<InvalidOperationException>(() => FusedModel.Fuse(model)).Message);
    }
}
