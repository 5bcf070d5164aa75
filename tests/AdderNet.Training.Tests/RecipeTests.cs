using System.Text;
using AdderNet.Data;
using AdderNet.Models;

namespace AdderNet.Training.Tests;

public class RecipeTests
{
    public static TheoryData<string> Names => [.. Recipes.All.Select(r => r.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void A_recipe_prints_and_reads_back_identically(string name)
    {
        Recipe recipe = Recipes.Find(name).Recipe.WithAugmentation() with { Seed = long.MaxValue, LearningRate = 0.1 + 0.2 };
        string json = recipe.ToJson();
        Recipe back = Recipe.Parse(json);
        Assert.Equal(json, back.ToJson());
        Assert.Equal(recipe with { TrainAugmentation = null, TestAugmentation = null }, back with { TrainAugmentation = null, TestAugmentation = null });
        Assert.Equal(recipe.TrainAugmentation!.Mean, back.TrainAugmentation!.Mean);
    }

    [Fact]
    public void The_papers_recipes_are_the_papers()
    {
        Recipe mnist = Recipe.For("lenet5-bn", "mnist"), cifar = Recipe.For("resnet20", "cifar10"), imagenet = Recipe.For("resnet18", "imagefolder");
        Assert.Equal((50, 256, 0.1, true), (mnist.Epochs, mnist.BatchSize, mnist.LearningRate, mnist.Nesterov));
        Assert.Equal(2, mnist.TrainAugmentation!.Pad);
        Assert.Equal((400, 256, 0.1, 0.9, 5e-4), (cifar.Epochs, cifar.BatchSize, cifar.LearningRate, cifar.Momentum, cifar.WeightDecay));
        Assert.Equal((4, 32, true), (cifar.TrainAugmentation!.Pad, cifar.TrainAugmentation.RandomCrop, cifar.TrainAugmentation.HorizontalFlip));
        Assert.Equal((150, 256, 0.1, 1e-4), (imagenet.Epochs, imagenet.BatchSize, imagenet.LearningRate, imagenet.WeightDecay));
        Assert.All(
            [mnist, cifar, imagenet],
            r =>
            {
                Assert.Equal(WeightGradient.FullPrecision, r.WeightGradient);
                Assert.Equal([new AdaptiveScaling(0.2)], r.GradientTransforms);
            });
    }

    [Fact]
    public void A_recipe_for_another_data_set_has_its_augmentation()
    {
        Recipe recipe = Recipe.For("vgg-small", "CIFAR-100");
        Assert.Equal(("vgg-small", "cifar100"), (recipe.Model, recipe.Dataset));
        Assert.Equal(3, recipe.TestAugmentation!.Mean.Count);
    }

    [Fact]
    public void On_images_of_the_same_size_a_recipe_keeps_its_augmentation_and_takes_their_mean()
    {
        Recipe cifar10 = Recipes.Find("cifar-short").Recipe.WithAugmentation(), cifar100 = cifar10.WithDataset("CIFAR-100");
        Augmentation own = Augmentation.For("cifar100", train: true);
        Assert.Equal("cifar100", cifar100.Dataset);
        Assert.Equal((2, 32, true), (cifar100.TrainAugmentation!.Pad, cifar100.TrainAugmentation.RandomCrop, cifar100.TrainAugmentation.HorizontalFlip));
        Assert.All([cifar100.TrainAugmentation, cifar100.TestAugmentation!], a =>
        {
            Assert.Equal(own.Mean, a.Mean);
            Assert.Equal(own.Std, a.Std);
        });
        Assert.Same(cifar10, cifar10.WithDataset("cifar10"));
        Assert.Null((cifar10 with { TrainAugmentation = null }).WithDataset("cifar100").TrainAugmentation);
    }

    [Theory]
    [InlineData("cifar10", "mnist")]
    [InlineData("cifar10", "imagefolder")]
    [InlineData("my own", "cifar10")]
    public void On_other_images_a_recipe_leaves_the_augmentation_to_the_data_set(string from, string to)
    {
        Recipe moved = (new Recipe { Dataset = from, TrainAugmentation = Small.Plain, TestAugmentation = Small.Plain }).WithDataset(to);
        Assert.Equal((to, null, null), (moved.Dataset, moved.TrainAugmentation, moved.TestAugmentation));
    }

    [Fact]
    public void What_a_recipe_leaves_out_has_its_default_and_comments_are_allowed()
    {
        Recipe recipe = Recipe.Parse("""{ "epochs": 7, /* short */ "layers": "conv", }""");
        Assert.Equal(new Recipe { Epochs = 7, Layers = LayerKind.Conv }, recipe);
    }

    [Theory]
    [InlineData("""{ "scaling": "adaptive", "eta": 0.3, "scalingFactor": 100, "gradientCentralization": true }""", """[{ "kind": "centralization" }, { "eta": 0.3, "kind": "adaptiveScaling" }]""")]
    [InlineData("""{ "scaling": "increased", "eta": 0.2, "scalingFactor": 50, "gradientCentralization": false }""", """[{ "kind": "increasedScaling", "factor": 50 }]""")]
    [InlineData("""{ "scaling": "none" }""", "[]")]
    [InlineData("""{ "eta": 0.5 }""", """[{ "kind": "adaptiveScaling", "eta": 0.5 }]""")]
    [InlineData("""{ "gradientCentralization": true }""", """[{ "kind": "centralization" }, { "kind": "adaptiveScaling" }]""")]
    public void Recipes_from_before_the_list_of_gradient_transforms_mean_what_they_meant(string before, string transforms)
    {
        Recipe recipe = Recipe.Parse(before);
        Assert.Equal(Recipe.Parse($$"""{ "gradientTransforms": {{transforms}}, "batchNormBatches": 0 }"""), recipe);
        Assert.DoesNotContain("\"scaling\"", recipe.ToJson(), StringComparison.Ordinal);
    }

    [Fact]
    public void Another_scaling_takes_the_old_ones_place()
    {
        Recipe recipe = Recipes.Find("cifar-short").Recipe;
        Assert.Equal([new GradientCentralization(), new IncreasedScaling(3)], recipe.WithScaling(new IncreasedScaling(3)).GradientTransforms);
        Assert.Equal([new GradientCentralization()], recipe.WithScaling(null).GradientTransforms);
        Assert.Equal([new GradientCentralization(), new AdaptiveScaling()], recipe.WithScaling(null).WithScaling(new AdaptiveScaling()).GradientTransforms);
    }

    [Theory]
    [InlineData("adder", LayerKind.Adder, "adder")]
    [InlineData("cnn", LayerKind.Conv, "cnn")]
    [InlineData("conv", LayerKind.Conv, "cnn")]
    [InlineData("bnn", LayerKind.Binary, "bnn")]
    [InlineData("DoReFa", LayerKind.DoReFa, "dorefa")]
    public void Layers_have_the_words_of_the_command_line_and_an_older_one(string word, LayerKind layers, string written)
    {
        Recipe recipe = Recipe.Parse($$"""{ "layers": "{{word}}" }""");
        Assert.Equal(layers, recipe.Layers);
        Assert.Contains($"\"layers\": \"{written}\"", recipe.ToJson(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{ "layers": 1 }""", "r.json: the value of 'layers' is not one of adder, cnn, bnn, dorefa.")]
    [InlineData("""{ "epoch": 3 }""", "r.json has an unknown field 'epoch'; the fields are model, layers,")]
    [InlineData("""{ "trainAugmentation": { "flip": true } }""", "r.json has an unknown field 'trainAugmentation.flip'")]
    [InlineData("""{ "epochs": "many" }""", "r.json: the value of 'epochs' is not a whole number in range.")]
    [InlineData("""{ "epochs": 3.5 }""", "r.json: the value of 'epochs' is not a whole number in range.")]
    [InlineData("""{ "epochs": 99999999999 }""", "r.json: the value of 'epochs' is not a whole number in range.")]
    [InlineData("""{ "layers": "cnn2" }""", "r.json: the value of 'layers' is not one of adder, cnn, bnn, dorefa.")]
    [InlineData("""{ "nesterov": 1 }""", "r.json: the value of 'nesterov' is not true or false.")]
    [InlineData("""{ "model": null }""", "r.json: the value of 'model' is not text in quotes.")]
    [InlineData("""{ "epochs": 0 }""", "r.json: epochs is 0; it must be 1 to 1000000.")]
    [InlineData("""{ "learningRate": -0.1 }""", "r.json: learningRate is -0.1; it must be a number above 0.")]
    [InlineData("""{ "momentum": 0, "nesterov": true }""", "r.json: nesterov is true; it must be false where momentum is 0.")]
    [InlineData("""{ "epochs": 3, "warmupEpochs": 3 }""", "r.json: warmupEpochs is 3; it must be 0 to less than epochs, 3.")]
    [InlineData("""{ "batchSize": 4, "microBatches": 5 }""", "r.json: microBatches is 5; it must be 1 to batchSize, 4.")]
    [InlineData("""{ "eta": -1 }""", "r.json: eta is -1; it must be a number above 0.")]
    [InlineData("""{ "gradientTransforms": [{ "kind": "increasedScaling", "factor": 0 }] }""", "r.json: factor is 0; it must be a number above 0.")]
    [InlineData("""{ "gradientTransforms": [], "eta": 1 }""", "r.json: gradientTransforms is given; it must be left out where one of the older")]
    [InlineData("""{ "gradientTransforms": [{ "kind": "magic" }] }""", "r.json")]
    [InlineData("""{ "gradientTransforms": [null] }""", "r.json: gradientTransforms is a list with null in it")]
    [InlineData("""{ "batchNormBatches": -1 }""", "r.json: batchNormBatches is -1; it must be 0 to 1000000.")]
    [InlineData("""{ "epochs": 3, "epochs": 4 }""", "r.json")]
    [InlineData("{ \"epochs\": 3,\n  oops }", "r.json is not valid JSON at line 2, column 3.")]
    [InlineData("", "r.json is not valid JSON at line 1, column 1.")]
    [InlineData("null", "r.json")]
    [InlineData("[]", "r.json")]
    public void A_bad_recipe_is_refused_with_one_sentence_that_names_the_field(string json, string start)
    {
        TrainingException e = Assert.Throws<TrainingException>(() => Recipe.Parse(json, "r.json"));
        Assert.StartsWith(start, e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', e.Message);
    }

    [Fact]
    public void A_missing_recipe_file_is_named() =>
        Assert.Equal("There is no file /nowhere/r.json.", Assert.Throws<TrainingException>(() => Recipe.Read("/nowhere/r.json")).Message);

    [Fact]
    public void Damaged_recipes_are_read_or_refused() =>
        Fuzz.Check(Encoding.UTF8.GetBytes(Recipe.For("resnet20", "imagefolder").ToJson()), bytes =>
        {
            using TempFolder folder = new();
            Recipe.Read(folder.Write("recipe.json", bytes));
        }, typeof(TrainingException));

    [Fact]
    public void The_learning_rate_warms_up_in_a_line_and_falls_along_half_a_cosine()
    {
        Recipe recipe = new() { Epochs = 10, WarmupEpochs = 2, LearningRate = 0.4 };
        double[] rates = [.. Enumerable.Range(0, 50).Select(step => recipe.LearningRateAt(step, 5))];
        Assert.Equal(0.04, rates[0], 1e-12);
        Assert.Equal(0.4, rates[9], 1e-12);
        Assert.Equal(0.4, rates[10], 1e-12);
        Assert.Equal(0.2, rates[30], 1e-12);
        Assert.InRange(rates[49], 0, 0.001);
        Assert.Equal(0.1 * 0.5 * (1 + Math.Cos(Math.PI * 3 / 8)), new Recipe { Epochs = 8 }.LearningRateAt(30, 10), 1e-12);
    }
}
