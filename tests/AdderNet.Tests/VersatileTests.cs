using AdderNet.Graph;
using AdderNet.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace AdderNet.Tests;

public class VersatileTests
{
    private static readonly VersatileFilters Both = new(ChannelsLeftOut: 2, ChannelStride: 1);

    [Theory]
    [InlineData(true, 3, 1)]
    [InlineData(true, 5, 2)]
    [InlineData(false, 3, 2)]
    [InlineData(false, 5, 1)]
    public void Secondary_filters_are_the_inner_parts_of_primary_filters_that_slide_over_the_channels(bool adder, int kernel, int stride)
    {
        using var scope = NewDisposeScope();
        const int channels = 5, size = 7;
        int outputs = Both.Count(kernel) * 2, pad = kernel / 2, seen = channels - 2;
        Versatile2d layer = adder
            ? Layers.VersatileAdder2d(Both, channels, outputs, kernel, stride, pad) : Layers.VersatileConv2d(Both, channels, outputs, kernel, stride, pad);
        Tensor image = randn(2, channels, size, size), output = layer.call(image);
        float[] x = image.data<float>().ToArray(), f = layer.parameters().Single().data<float>().ToArray(), y = output.contiguous().data<float>().ToArray();

        Assert.Equal([2, seen, kernel, kernel], layer.parameters().Single().shape);
        Assert.Equal(outputs, output.shape[1]);
        int side = (int)output.shape[2];
        for (int at = 0; at < y.Length; at++)
        {
            (int n, int o, int row, int column) = (at / (outputs * side * side), at / (side * side) % outputs, at / side % side, at % side);
            // Two primary filters for each of three places along the channels for each size.
            (int border, int start, int primary) = (o / 6, o / 2 % 3, o % 2);
            double sum = 0;
            for (int c = 0; c < seen; c++)
            {
                for (int i = border; i < kernel - border; i++)
                {
                    for (int j = border; j < kernel - border; j++)
                    {
                        (int r, int s) = (row * stride + i - pad, column * stride + j - pad);
                        double value = r is >= 0 and < size && s is >= 0 and < size ? x[((n * channels + start + c) * size + r) * size + s] : 0;
                        double weight = f[((primary * seen + c) * kernel + i) * kernel + j];
                        sum += adder ? -Math.Abs(value - weight) : value * weight;
                    }
                }
            }

            Assert.Equal(sum, y[at], 1e-3);
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_primary_filter_gets_the_gradients_of_all_its_secondary_filters(bool adder)
    {
        using var scope = NewDisposeScope();
        VersatileFilters filters = new(ChannelsLeftOut: 1);
        Versatile2d layer = adder ? Layers.VersatileAdder2d(filters, 4, 8, 3, padding: 1) : Layers.VersatileConv2d(filters, 4, 8, 3, padding: 1);
        Tensor image = randn(2, 4, 6, 6), weights = randn(2, 8, 6, 6);
        (layer.call(image) * weights).sum().backward();

        Tensor primary = layer.parameters().Single(), expected = zeros_like(primary);
        foreach (var (i, (border, start)) in layer.Secondary.Index())
        {
            nn.Module<Tensor, Tensor> alone = adder
                ? Layers.Adder2d(3, 2, 3 - 2 * border, padding: 1 - border) : nn.Conv2d(3, 2, 3 - 2 * border, padding: 1 - border, bias: false);
            using (no_grad())
            {
                alone.parameters().Single().copy_(primary[.., .., border..^border, border..^border]);
            }

            (alone.call(image.narrow(1, start, 3)) * weights.narrow(1, 2 * i, 2)).sum().backward();
            expected[.., .., border..(3 - border), border..(3 - border)].add_(alone.parameters().Single().grad!);
        }

        Assert.True(allclose(expected, primary.grad!, 1e-4, 1e-3));
    }

    /// <summary>3x3 layers keep half of their parameters and 5 of 9 operations; with two places along the channels, less one channel, half again.</summary>
    [Theory]
    [InlineData("versatile-resnet20", LayerKind.Adder)]
    [InlineData("versatile-resnet20", LayerKind.Conv)]
    [InlineData("versatile-channel-resnet20", LayerKind.Adder)]
    public void A_versatile_network_is_made_of_half_or_a_quarter_of_the_parameters(string name, LayerKind kind)
    {
        OperationCounts plain = OperationCounts.Of(AdderNetModels.Graph("resnet20", kind).Nodes), versatile = OperationCounts.Of(AdderNetModels.Graph(name, kind).Nodes);
        using nn.Module<Tensor, Tensor> model = AdderNetModels.Create(name, kind);

        Assert.Equal(model.parameters().Sum(p => p.numel()), versatile.Parameters);
        Assert.InRange((double)versatile.Parameters / plain.Parameters, name == "versatile-resnet20" ? 0.5 : 0.25, name == "versatile-resnet20" ? 0.52 : 0.27);
        Assert.InRange((double)(versatile.Additions + versatile.Multiplications) / (plain.Additions + plain.Multiplications), 0.5, 0.58);
    }

    [Fact]
    public void A_versatile_ResNet_50_has_the_11_million_parameters_that_others_cite_of_the_papers() =>
        Assert.InRange(OperationCounts.Of(AdderNetModels.Graph("versatile-resnet50", LayerKind.Conv).Nodes).Parameters, 10_900_000, 11_100_000);

    [Fact]
    public void Any_network_can_have_versatile_filters_of_mixed_layers()
    {
        using nn.Module<Tensor, Tensor> model = AdderNetModels.Create("vgg-small", LayerFactory
            .Inner(slot => slot.Name.StartsWith("conv2", StringComparison.Ordinal) ? LayerKind.Conv : LayerKind.Adder).Versatile(new VersatileFilters()));

        Assert.Superset(new HashSet<string> { "conv1.weight", "conv2.primary.weight", "conv3.primary.adder" }, model.state_dict().Keys.ToHashSet());
    }

    [Fact]
    public void Sizes_that_make_no_versatile_layer_are_refused()
    {
        Assert.Contains("shared out among 2", Refused(() => Layers.VersatileAdder2d(new(), 4, 7, 3, padding: 1)));
        Assert.Contains("padding of 1, not 0", Refused(() => Layers.VersatileConv2d(new(), 4, 8, 3)));
        Assert.Contains("cannot leave out 4", Refused(() => Layers.VersatileAdder2d(new(ChannelsLeftOut: 4), 4, 10, 1)));
        Assert.Contains("not -1 and 1", Refused(() => Layers.VersatileAdder2d(new(ChannelsLeftOut: -1), 4, 10, 1)));
        Assert.Contains("adder layers and convolutions", Refused(() => AdderNetModels.Create("versatile-resnet20", LayerKind.Binary)));
    }

    private static string Refused(Func<object> make) => Assert.Throws<ArgumentException>(make).Message;
}
