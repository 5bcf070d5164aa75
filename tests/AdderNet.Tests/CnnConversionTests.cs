using AdderNet.Checkpoints;
using AdderNet.Models;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace AdderNet.Tests;

public class CnnConversionTests
{
    [Fact]
    public void Filters_are_the_weights_scaled_around_the_medians_of_their_inputs_and_all_else_is_copied()
    {
        random.manual_seed(1);
        using nn.Module<Tensor, Tensor> cnn = AdderNetModels.Create("lenet5-bn", LayerKind.Conv), adderNet = AdderNetModels.Create("lenet5-bn");
        using Tensor first = randn(6, 1, 32, 32), second = randn(7, 1, 32, 32);
        cnn.train();
        using (no_grad())
        {
            // So that its BatchNorms have statistics.
            cnn.call(first);
            foreach (BatchNorm norm in cnn.modules().OfType<BatchNorm>())
            {
                norm.bias!.copy_(randn_like(norm.bias!) + 0.5);
            }
        }

        cnn.eval();
        CnnConversion.Convert(cnn, adderNet, [first, second], sigma: 3);

        OrderedDictionary<string, TensorData> from = StateDict.FromModule(cnn), to = StateDict.FromModule(adderNet);
        foreach (string name in (string[])["conv2", "conv3", "conv4"])
        {
            float[] weights = from[$"{name}.weight"].ToFloats();
            double mean = weights.Average(w => (double)w), deviation = Math.Sqrt(weights.Average(w => (w - mean) * (w - mean)));
            float[][] medians = [ChannelMedians(cnn, name, first), ChannelMedians(cnn, name, second)];
            Assert.Contains(medians[0], m => m > 0);
            float[] filters = to[$"{name}.adder"].ToFloats();
            int channels = medians[0].Length, window = weights.Length / channels / (int)from[$"{name}.weight"].Shape[0];
            for (int i = 0; i < filters.Length; i++)
            {
                int channel = i / window % channels;
                Assert.Equal((medians[0][channel] + medians[1][channel]) / 2 + 3 * weights[i] / deviation, filters[i], 1e-3);
            }
        }

        Assert.All(to.Where(t => !t.Key.EndsWith(".adder", StringComparison.Ordinal)), t => Assert.Equal(from[t.Key].ToFloats(), t.Value.ToFloats()));
    }

    [Fact]
    public void Each_group_of_filters_stands_around_its_own_channels()
    {
        random.manual_seed(2);
        using nn.Module<Tensor, Tensor> cnn = nn.Sequential(("layer", nn.Conv2d(4, 6, 1, groups: 2, bias: false)));
        using nn.Module<Tensor, Tensor> adderNet = nn.Sequential(("layer", Layers.Adder2d(4, 6, 1, groups: 2)));
        using Tensor images = ones(2, 4, 3, 3) * tensor(new float[] { 10, 20, 30, 40 }).view(1, 4, 1, 1);
        CnnConversion.Convert(cnn, adderNet, [images], sigma: 0.001);
        Assert.Equal([10, 20, 10, 20, 10, 20, 30, 40, 30, 40, 30, 40], StateDict.FromModule(adderNet)["layer.adder"].ToFloats().Select(f => Math.Round(f)));
    }

    [Fact]
    public void A_network_of_another_shape_is_refused_with_the_reason()
    {
        using nn.Module<Tensor, Tensor> adderNet = AdderNetModels.Create("lenet5-bn"), cnn = AdderNetModels.Create("lenet5-bn", LayerKind.Conv);
        using nn.Module<Tensor, Tensor> other = AdderNetModels.Create("resnet20", LayerKind.Conv), more = AdderNetModels.Create("lenet5-bn", LayerKind.Conv, 12);
        using Tensor images = zeros(2, 1, 32, 32);
        Assert.Equal("Its layer 'conv2' is no ordinary convolution, but of the kind Adder2d.", Refused(adderNet));
        Assert.Equal("It has no layer 'conv2'.", Refused(other));
        Assert.Contains("It does not fit the model: of another shape: fc.weight ([12, 84, 1, 1], not [10, 84, 1, 1])", Refused(more));
        Assert.Throws<ArgumentException>(() => CnnConversion.Convert(cnn, adderNet, []));
        using (no_grad())
        {
            cnn.get_parameter("conv3.weight")!.fill_(0.5);
        }

        Assert.Equal("The weights of its layer 'conv3' have the standard deviation 0, so that they say nothing.", Refused(cnn));

        string Refused(nn.Module<Tensor, Tensor> from) => Assert.Throws<CheckpointException>(() => CnnConversion.Convert(from, adderNet, [images])).Message;
    }

    /// <summary>The lower median of each channel that a layer sees.</summary>
    private static float[] ChannelMedians(nn.Module<Tensor, Tensor> cnn, string layer, Tensor images)
    {
        using var scope = NewDisposeScope();
        using var guard = no_grad();
        Tensor x = images;
        foreach (nn.Module<Tensor, Tensor> step in cnn.named_children().TakeWhile(c => c.name != layer).Select(c => c.module).Cast<nn.Module<Tensor, Tensor>>())
        {
            x = step.call(x);
        }

        return [.. Enumerable.Range(0, (int)x.shape[1]).Select(c =>
        {
            float[] values = x[TensorIndex.Colon, c].contiguous().data<float>().ToArray();
            Array.Sort(values);
            return values[(values.Length - 1) / 2];
        })];
    }
}
