// README
using AdderNet;
using TorchSharp;
using static TorchSharp.torch;
// END

namespace AdderNet.Cli.Tests;

public class ReadmeTests
{
    [Fact]
    public void The_example_of_the_README_learns()
    {
        random.manual_seed(1);
        using DisposeScope scope = NewDisposeScope();
        // Stripes, each class closer together than the one before, in some noise.
        Tensor labels = arange(10, ScalarType.Int64).repeat([4]);
        Tensor stripes = (arange(16).view(1, 1, 1, 16) * (labels + 1).view(40, 1, 1, 1) * 0.3f).sin();
        Tensor images = stripes + 0.1f * randn(40, 1, 16, 16);

        // README
        var model = nn.Sequential(
            nn.Conv2d(1, 16, kernel_size: 3, padding: 1), nn.BatchNorm2d(16), nn.ReLU(),
            Layers.Adder2d(16, 32, kernelSize: 3, stride: 2, padding: 1), nn.BatchNorm2d(32), nn.ReLU(),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10));
        var optimizer = optim.SGD(model.parameters(), learningRate: 0.1, momentum: 0.9);
        var scaling = LearningRateScaling.Adaptive(eta: 0.2);

        void Step()
        {
            optimizer.zero_grad();
            nn.functional.cross_entropy(model.call(images), labels).backward();
            scaling.Apply(model); // the paper's adaptive learning rate of adder layers
            optimizer.step();
        }
        // END

        for (int i = 0; i < 30; i++)
        {
            Step();
        }

        Assert.True(model.call(images).argmax(1).eq(labels).to(ScalarType.Float32).mean().item<float>() > 0.9f);
    }

    [Fact]
    public void The_example_of_the_README_is_the_one_that_is_tested()
    {
        string readme = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "README.md"));
        string block = readme.Split("```csharp\n")[1].Split("```")[0];
        string[] parts = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "ReadmeExample.cs")).Split("// README\n")[1..];
        IEnumerable<string> tested = parts.SelectMany(p => p.Split("// END")[0].Split('\n'));
        Assert.Equal(Lines(tested), Lines(block.Split('\n')));

        static IEnumerable<string> Lines(IEnumerable<string> text) => text.Select(l => l.Trim()).Where(l => l.Length > 0);
    }
}
