using System.Text.Json;
// README 1
using AdderNet;
// END
using AdderNet.Checkpoints;
// README 2
using AdderNet.Data;
using AdderNet.Models;
// README 1 2
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

        // README 1
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
    public void The_READMEs_way_to_recognize_a_picture_gives_what_predict_gives()
    {
        using TempFolder folder = new();
        string weights = folder["resnet20.pth"], picture = folder["picture.png"];
        random.manual_seed(1);
        using (nn.Module<Tensor, Tensor> fresh = AdderNetModels.Create("resnet20"))
        {
            PyTorchFile.Write(weights, StateDict.FromModule(fresh));
        }

        TinyData.WritePng(picture, 3, 48, 40);

        // README 2
        string Recognize(string weights, string photo)
        {
            using var scope = NewDisposeScope();
            using var inference = no_grad();
            var network = AdderNetModels.Load(weights, "resnet20"); // in evaluation mode
            var image = ImageFile.Read(photo).ResizeToCover(32, 32);
            var (pixels, height, width) = Augmentation.For("cifar10", train: false).Apply(image); // normalized as in training
            var input = tensor(pixels, [1, height, width, 3]).permute(0, 3, 1, 2);
            return Datasets.Find("cifar10").ClassNames[(int)network.call(input).argmax(1).item<long>()];
        }
        // END

        string json = Addernet.Run("predict", picture, "--weights", weights, "--model", "resnet20", "--data", "cifar10", "--json").Succeeds();
        JsonElement best = JsonDocument.Parse(json).RootElement[0].GetProperty("guesses")[0];
        Assert.Equal(best.GetProperty("class").GetString(), Recognize(weights, picture));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void An_example_of_the_README_is_the_one_that_is_tested(int number)
    {
        string readme = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "README.md"));
        string block = readme.Split("```csharp\n")[number].Split("```")[0];
        List<string> tested = [];
        bool inside = false;
        foreach (string line in File.ReadAllLines(Path.Combine(AppContext.BaseDirectory, "ReadmeExample.cs")).Select(l => l.Trim()))
        {
            if (line.StartsWith("// README", StringComparison.Ordinal) || line == "// END")
            {
                inside = line.Split(' ').Contains($"{number}");
            }
            else if (inside)
            {
                tested.Add(line);
            }
        }

        Assert.Equal(Lines(tested), Lines(block.Split('\n')));

        static IEnumerable<string> Lines(IEnumerable<string> text) => text.Select(l => l.Trim()).Where(l => l.Length > 0);
    }
}
