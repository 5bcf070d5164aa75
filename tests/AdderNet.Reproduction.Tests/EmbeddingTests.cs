using System.Numerics;
using System.Text.Json;
using AdderNet.Checkpoints;
using AdderNet.Models;
using AdderNet.Training;
using TorchSharp;
using static TorchSharp.torch;
using Module = TorchSharp.torch.nn.Module<TorchSharp.torch.Tensor, TorchSharp.torch.Tensor>;

namespace AdderNet.Reproduction.Tests;

public class EmbeddingTests
{
    [Fact]
    public void Centres_are_means_and_a_class_without_points_has_none()
    {
        Embeddings features = new([new(1, 2), new(3, 4), new(-1, 0)], [0, 0, 2]);

        Vector2[] centres = features.Centres(3);

        Assert.Equal((new Vector2(2, 3), new Vector2(-1, 0)), (centres[0], centres[2]));
        Assert.True(float.IsNaN(centres[1].X));
        Assert.Equal(1, features.NearestByL1(centres));
    }

    [Fact]
    public void Clusters_on_one_ray_are_told_apart_by_distance_and_not_by_angle()
    {
        Embeddings features = new([new(1, 1.1f), new(1.1f, 1), new(3, 3.1f), new(3.1f, 3)], [0, 0, 1, 1]);

        Assert.Equal(1, features.NearestByL1(features.Centres(2)));
        Assert.Equal(0.5, features.NearestByAngle(features.Centres(2)));
    }

    [Fact]
    public void Sectors_are_told_apart_by_angle_and_not_by_distance()
    {
        // Two narrow sectors whose far points pull their centres beyond what is near the origin.
        Embeddings features = new([new(1, 0), new(9, 0), new(0.5f, 0.5f), new(1, 1)], [0, 0, 1, 1]);

        Assert.Equal(1, features.NearestByAngle(features.Centres(2)));
        Assert.Equal(0.75, features.NearestByL1(features.Centres(2)));
    }

    [Fact]
    public void The_nearest_centre_is_by_the_sum_of_both_coordinates()
    {
        // From the origin (2, 2) is 4 away and (0, 3) is 3, though by Euclid (2, 2) is nearer.
        Embeddings features = new([new(0, 0)], [0]);
        Assert.Equal(1, features.NearestByL1([new(0, 3), new(2, 2)]));
    }

    [Theory]
    [InlineData(LayerKind.Adder)]
    [InlineData(LayerKind.Conv)]
    public void Scores_are_minus_L1_distances_in_the_AdderNet_and_inner_products_in_the_CNN(LayerKind kind)
    {
        random.manual_seed(1);
        using var scope = NewDisposeScope();
        using Module model = EmbeddingNetwork.Create(kind, 3, 1);
        float[] features = [];
        using ForwardHook hook = new((Module)model.named_modules().First(m => m.name == "embedding").module, (_, y) => features = y.data<float>().ToArray());

        float[] scores = model.call(randn(3, 1, 32, 32)).data<float>().ToArray();

        float[] filters = Filters.Of(model, "fc").Values;
        Assert.Equal((6, 9), (features.Length, scores.Length));
        for (int i = 0; i < scores.Length; i++)
        {
            var (x, y, fx, fy) = (features[i / 3 * 2], features[i / 3 * 2 + 1], filters[i % 3 * 2], filters[i % 3 * 2 + 1]);
            Assert.Equal(kind == LayerKind.Adder ? -Math.Abs(x - fx) - Math.Abs(y - fy) : x * fx + y * fy, scores[i], 1e-4f);
        }
    }

    [Fact]
    public void An_AdderNet_with_distances_for_scores_learns()
    {
        random.manual_seed(1);
        using Module model = EmbeddingNetwork.Create(LayerKind.Adder, 3, 1);
        using var optimizer = optim.SGD(model.parameters(), 0.1, momentum: 0.9);
        using Tensor labels = tensor(Enumerable.Range(0, 6).Select(i => (long)i % 3).ToArray()), images = randn(6, 1, 32, 32) * 0.3;
        for (int i = 0; i < 6; i++)
        {
            using Tensor lit = images[i].narrow(1, 8 * (i % 3) + 4, 6);
            lit.add_(2);
        }

        List<float> losses = [];
        for (int step = 0; step < 8; step++)
        {
            using var scope = NewDisposeScope();
            model.zero_grad();
            Tensor loss = nn.functional.cross_entropy(model.call(images), labels);
            loss.backward();
            LearningRateScaling.Adaptive().Apply(model);
            optimizer.step();
            losses.Add(loss.item<float>());
        }

        Assert.True(losses[^1] < 0.4 * losses[0], string.Join(" ", losses));
    }

    [Fact]
    public void The_run_s_weights_load_though_its_recipe_names_a_model_of_other_layers()
    {
        using TempFolder folder = new();
        using Module model = EmbeddingNetwork.Create(LayerKind.Adder, 10, 1), ordinary = AdderNetModels.Create("lenet++", LayerKind.Adder, 10, 1);
        foreach (Module saved in (Module[])[model, ordinary])
        {
            EpochMetrics metrics = new()
            {
                Epoch = 1,
                LearningRate = 0,
                Train = new(("loss", 1)),
                Test = new(("loss", 1)),
                TrainSeconds = 0,
                TestSeconds = 0,
                ImagesPerSecond = 0,
                Finished = default,
            };
            string card = $$"""
                {"recipe": {{Recipe.For("lenet++", "mnist").ToJson()}}, "inputChannels": 1, "classNames": ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
                 "metrics": {{JsonSerializer.Serialize(metrics)}}}
                """;
            Safetensors.Write(folder["epoch.safetensors"], StateDict.FromModule(saved), new Dictionary<string, string> { ["addernet"] = card });
            using TrainedModel loaded = EmbeddingNetwork.Load(folder["epoch.safetensors"], CheckpointChoice.Best);
            Assert.Equal(saved.state_dict().Keys, loaded.Model.state_dict().Keys);
        }
    }
}
