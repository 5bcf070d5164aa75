using AdderNet.Models;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace AdderNet.Training.Tests;

// Alone, so that no other test draws from the seeded generator: a binary layer turns a rounding error beside 0 into a whole sign, which
// unseeded inputs hit once in many runs.
[CollectionDefinition(nameof(EngineModelTests), DisableParallelization = true)]
[Collection(nameof(EngineModelTests))]
public class EngineModelTests
{
    public static TheoryData<string, LayerKind> EveryModel =>
        [.. from info in AdderNetModels.All from kind in info.Kinds select (info.Name, kind)];

    [Theory]
    [MemberData(nameof(EveryModel))]
    public void Engine_gives_the_models_scores(string name, LayerKind kind)
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

        bool deep = !info.Kinds.Contains(LayerKind.Binary);
        foreach (BatchNorm norm in model.modules().OfType<BatchNorm>().Where(_ => deep))
        {
            norm.momentum = 1; // A tenth of the statistics would let the values of fifty adder layers grow beyond floats.
        }

        Tensor x = randn(4, size, size, info.InputChannels).permute(0, 3, 1, 2);
        model.forward(x);
        model.eval();
        using EngineModel engine = new(model);

        Tensor expected = model.forward(x), actual = engine.forward(x);

        Assert.Equal(expected.shape, actual.shape);
        Assert.InRange(((expected - actual).abs().max() / expected.abs().max()).item<float>(), 0, deep ? 1e-2f : 1e-4f);
    }

    [Fact]
    public void Images_of_another_size_and_a_model_trained_on_are_another_network()
    {
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        using nn.Module<Tensor, Tensor> model = AdderNetModels.Create("resnet20");
        model.eval();
        using EngineModel engine = new(model);
        foreach (int size in (int[])[32, 16, 32])
        {
            Tensor x = randn(2, 3, size, size);
            Assert.True(allclose(model.forward(x), engine.forward(x), 1e-3, 1e-3));
        }
    }

    [Fact]
    public void Model_that_no_graph_knows_is_called_itself_and_survives()
    {
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        using nn.Module<Tensor, Tensor> model = nn.Sequential(nn.Conv2d(1, 2, 1), nn.GELU(), nn.Flatten());
        model.eval();
        Tensor x = randn(3, 1, 2, 2), expected = model.forward(x);
        using (EngineModel engine = new(model))
        {
            Assert.True(expected.equal(engine.forward(x)).all().item<bool>());
        }

        Assert.True(expected.equal(model.forward(x)).all().item<bool>());
    }
}
