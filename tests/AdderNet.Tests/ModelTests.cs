using AdderNet.Graph;
using AdderNet.Models;
using static TorchSharp.torch;

namespace AdderNet.Tests;

public class ModelTests
{
    public static TheoryData<string, LayerKind> EveryModel =>
        new(AdderNetModels.All.SelectMany(m => m.Kinds.Select(k => (m.Name, k))));

    [Theory]
    [MemberData(nameof(EveryModel))]
    public void Model_maps_a_batch_to_class_scores_and_learns_in_every_parameter(string name, LayerKind kind)
    {
        using var scope = NewDisposeScope();
        ModelInfo info = AdderNetModels.Find(name);
        int size = info.InputSize == 224 ? 64 : info.InputSize;
        using nn.Module<Tensor, Tensor> model = AdderNetModels.Create(name, kind, classes: 7);

        Tensor scores = model.forward(randn(3, info.InputChannels, size, size));
        // Weighted at random: the gradient of a plain sum would be zero before the last BatchNorm.
        (scores * randn(3, 7)).sum().backward();

        Assert.Equal([3, 7], scores.shape);
        Assert.All(model.named_parameters(), p => Assert.True(p.parameter.grad is { } g && g.isfinite().all().item<bool>() && g.count_nonzero().item<long>() > 0, p.name));
    }

    /// <summary>Multiply-accumulates of the paper where ours print the same, and exact counts derived by hand where the paper's are not itemized.</summary>
    [Theory]
    [InlineData("lenet5-bn", 416_520, 61_932)]
    [InlineData("resnet20", 40_813_184, 272_484)]
    [InlineData("resnet32", 69_124_736, 466_916)]
    [InlineData("vgg-small", 607_600_640, 4_660_106)]
    [InlineData("resnet18", 1_814_073_344, 11_689_512 + 2_000)]
    [InlineData("resnet50", 4_089_184_256, 25_557_032 + 2_000)]
    public void Operations_and_parameters_are_those_of_the_architecture(string name, long products, long parameters)
    {
        using nn.Module<Tensor, Tensor> cnn = AdderNetModels.Create(name, LayerKind.Conv);
        OperationCounts ofCnn = Operations(name, LayerKind.Conv), ofAdder = Operations(name, LayerKind.Adder);

        Assert.Equal((products, products), (ofCnn.Multiplications, ofCnn.Additions));
        Assert.Equal(2 * products, ofAdder.Additions + ofAdder.Multiplications);
        Assert.Equal(parameters, ofCnn.Parameters);
        Assert.Equal(parameters, ofAdder.Parameters);
        Assert.Equal(parameters, cnn.parameters().Sum(p => p.numel()));
    }

    [Theory]
    [InlineData("resnet32", 69.12e6, 0.01e6)]
    [InlineData("resnet18", 1.8e9, 0.05e9)]
    [InlineData("resnet20", 41.17e6, 0.4e6)]
    public void Multiply_accumulates_are_the_papers(string name, double paper, double within) =>
        Assert.InRange(Operations(name, LayerKind.Conv).Multiplications, paper - within, paper + within);

    /// <summary>The papers' multiply-accumulates and parameters, in millions and as exact as they are printed.</summary>
    [Theory]
    [InlineData("mobilenet-v1-224", 569, 0.5, 4.2, 0.05)]
    [InlineData("mobilenet-v2-224", 300, 1, 3.4, 0.15)] // 3.5 M, as everywhere: the paper's 3.4 is not itemized
    [InlineData("squeezenet-224", 0, 0, 1.25, 0.02)]
    [InlineData("shufflenet-224", 137, 1.5, 0, 0)]
    [InlineData("shift-resnet20", 0, 0, 0.19, 0.005)]
    public void Efficient_networks_cost_what_their_papers_say(string name, double products, double within, double parameters, double parametersWithin)
    {
        OperationCounts counts = Operations(name, LayerKind.Conv);

        if (products > 0)
        {
            Assert.InRange(counts.Multiplications / 1e6, products - within, products + within);
        }

        if (parameters > 0)
        {
            Assert.InRange(counts.Parameters / 1e6, parameters - parametersWithin, parameters + parametersWithin);
        }
    }

    [Theory]
    [InlineData("se-resnet20", "layer3.2.conv2.adder", "layer3.2.se.fc1.bias", "layer2.0.downsample.0.adder", "bn2.weight")]
    [InlineData("mobilenet-v2", "layer1.0.conv2.adder", "layer2.0.conv1.adder", "layer7.0.bn3.running_mean", "conv2.adder", "fc.bias")]
    [InlineData("squeezenet", "fire2.squeeze.adder", "fire9.expand3x3.adder", "fire9.bn3.weight")]
    [InlineData("mobilenet-v1", "layers.0.conv1.adder", "layers.12.conv2.adder")]
    [InlineData("shufflenet", "layer1.0.conv1.adder", "layer3.3.conv3.adder")]
    [InlineData("shift-resnet20", "layer1.0.conv1.adder", "layer3.2.conv2.adder")]
    [InlineData("addressnet20", "layer1.0.conv1.adder", "layer3.2.conv2.adder")]
    public void Efficient_networks_are_built_of_adder_layers_between_an_ordinary_first_layer_and_classifier(string name, params string[] some)
    {
        using nn.Module<Tensor, Tensor> adder = AdderNetModels.Create(name), mixed = AdderNetModels.Create(
            name, LayerFactory.Inner(slot => slot.IsDepthwise || slot.KernelSize == 1 ? LayerKind.Conv : LayerKind.Adder));

        Assert.Superset(new HashSet<string> { "conv1.weight", "fc.weight" }.Concat(some).ToHashSet(), adder.state_dict().Keys.ToHashSet());
        Assert.DoesNotContain("conv1.adder", adder.state_dict().Keys);
        Assert.Equal(adder.parameters().Sum(p => p.numel()), mixed.parameters().Sum(p => p.numel()));
        Assert.NotEqual(adder.state_dict().Keys.Order(), mixed.state_dict().Keys.Order());
        Assert.Throws<ArgumentException>(() => AdderNetModels.Create(name, LayerKind.Binary));
    }

    [Fact]
    public void An_address_shift_moves_quarters_in_four_directions_and_a_channel_shift_goes_round()
    {
        using var scope = NewDisposeScope();
        Tensor input = arange(4 * 9, ScalarType.Float32).view(1, 4, 3, 3) + 1;
        using Shift address = Shift.Four(4);
        using SelectChannels channels = SelectChannels.Rotated(4, 1);

        Assert.Equal([0, 0, 0, 1, 2, 3, 4, 5, 6], address.call(input)[0, 0].flatten().data<float>().ToArray());
        Assert.Equal([13, 14, 15, 16, 17, 18, 0, 0, 0], address.call(input)[0, 1].flatten().data<float>().ToArray());
        Assert.Equal([0, 19, 20, 0, 22, 23, 0, 25, 26], address.call(input)[0, 2].flatten().data<float>().ToArray());
        Assert.Equal([29, 30, 0, 32, 33, 0, 35, 36, 0], address.call(input)[0, 3].flatten().data<float>().ToArray());
        Assert.Equal([28, 1, 10, 19], channels.call(input)[0, .., 0, 0].data<float>().ToArray());
    }

    [Fact]
    public void A_shift_moves_groups_of_channels_in_nine_directions_and_the_rest_nowhere()
    {
        using var scope = NewDisposeScope();
        using Shift shift = Shift.Nine(20);
        Tensor input = arange(20 * 9, ScalarType.Float32).view(1, 20, 3, 3) + 1, output = shift.call(input);
        float[] x = input.data<float>().ToArray(), y = output.contiguous().data<float>().ToArray();
        for (int i = 0; i < y.Length; i++)
        {
            (int c, int row, int column) = (i / 9, i / 3 % 3, i % 3);
            (int fromRow, int fromColumn) = c < 18 ? (row + c / 2 / 3 - 1, column + c / 2 % 3 - 1) : (row, column);
            Assert.Equal(fromRow is >= 0 and < 3 && fromColumn is >= 0 and < 3 ? x[9 * c + 3 * fromRow + fromColumn] : 0, y[i]);
        }
    }

    [Fact]
    public void Only_the_first_convolution_and_the_classifier_of_an_adder_model_multiply() =>
        Assert.Equal(
            ["conv1", "fc"], AdderNetModels.Graph("resnet20").Nodes.Where(n => OperationCounts.Of(n).Multiplications > 0).Select(n => n.Name));

    [Fact]
    public void State_dict_names_are_the_official_repositorys()
    {
        using nn.Module<Tensor, Tensor> model = AdderNetModels.Create("resnet20");

        var names = model.state_dict().Keys;

        Assert.Superset(
            new HashSet<string>
            {
                "conv1.weight", "bn1.running_var", "layer1.0.conv1.adder", "layer2.0.downsample.0.adder", "layer2.0.downsample.1.weight",
                "layer3.2.bn2.bias", "fc.weight", "bn2.num_batches_tracked",
            },
            names.ToHashSet());
        Assert.Equal([10, 64, 1, 1], model.state_dict()["fc.weight"].shape);
    }

    [Theory]
    [InlineData("resnet20", LayerKind.Adder, 1)]
    [InlineData("resnet20", LayerKind.Conv, 4)]
    [InlineData("lenet5-bn", LayerKind.Adder, 3)]
    [InlineData("vgg-small", LayerKind.Conv, 2)]
    public void The_first_layers_filters_tell_the_input_channels_whatever_it_is(string name, LayerKind kind, int channels)
    {
        using nn.Module<Tensor, Tensor> model = AdderNetModels.Create(name, new LayerFactory(_ => kind), inputChannels: channels);

        Assert.Equal(channels, AdderNetModels.InputChannels(model));
    }

    [Fact]
    public void Unknown_name_is_answered_with_those_there_are() =>
        Assert.Contains("resnet20", Assert.Throws<ArgumentException>(() => AdderNetModels.Find("resnet21")).Message);

    private static OperationCounts Operations(string name, LayerKind kind) => OperationCounts.Of(AdderNetModels.Graph(name, kind).Nodes);
}
