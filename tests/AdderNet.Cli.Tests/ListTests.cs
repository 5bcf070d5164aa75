using System.Text.Json;
using AdderNet.Models;

namespace AdderNet.Cli.Tests;

public class ListTests
{
    [Fact]
    public void Models_are_listed_for_people_and_for_scripts()
    {
        string table = Addernet.Run("models").Succeeds();
        JsonElement[] models = [.. Json("models", "--json").EnumerateArray()];
        Assert.Equal(AdderNetModels.All.Count + DetectionModels.All.Count, models.Length);
        Assert.All(models, m => Assert.Contains(m.GetProperty("name").GetString()!, table));
        Assert.Equal([3, 32, 32], models.Single(m => m.GetProperty("name").GetString() == "resnet20").GetProperty("inputShape").EnumerateArray().Select(s => s.GetInt32()));
    }

    [Fact]
    public void Datasets_are_listed_for_people_and_for_scripts()
    {
        string table = Addernet.Run("datasets").Succeeds();
        JsonElement[] sets = [.. Json("datasets", "--json").EnumerateArray()];
        Assert.All(sets, s => Assert.Contains(s.GetProperty("name").GetString()!, table));
        Assert.Equal("Sandal", sets.Single(s => s.GetProperty("name").GetString() == "fashion-mnist").GetProperty("classNames")[5].GetString());
    }

    [Fact]
    public void Info_counts_operations_as_the_paper_does()
    {
        JsonElement cnn = Json("info", "resnet32", "--layers", "cnn", "--json"), adder = Json("info", "resnet32", "--json");
        long multiplications = cnn.GetProperty("multiplications").GetInt64();
        Assert.Equal(69.12, multiplications / 1e6, 0.01);
        Assert.Equal(multiplications, cnn.GetProperty("additions").GetInt64());
        Assert.Equal(2 * multiplications, adder.GetProperty("additions").GetInt64() + adder.GetProperty("multiplications").GetInt64());
        Assert.Equal(cnn.GetProperty("parameters").GetInt64(), cnn.GetProperty("table").EnumerateArray().Sum(l => l.GetProperty("parameters").GetInt64()));
    }

    [Fact]
    public void Info_shows_each_layer_with_its_output()
    {
        string table = Addernet.Run("info", "resnet20").Succeeds();
        Assert.Matches(@"layer2\.0\.conv1 +Adder2d +32x16x16 +4,608 +- +2,359,296", table);
        Assert.Matches(@"conv1 +Conv2d +16x32x32 +432 +442,368 +442,368", table);
    }

    [Theory]
    [InlineData("bnn", "BNN")]
    [InlineData("dorefa", "DoReFa-Net")]
    public void Info_counts_the_xnors_of_a_binary_network(string word, string title)
    {
        string table = Addernet.Run("info", "resnet20", "--layers", word).Succeeds();
        Assert.StartsWith($"{title} ResNet-20", table, StringComparison.Ordinal);
        Assert.Matches(@"XNORs *
", table);
        Assert.Matches(@"layer2\.0\.conv1 +BinaryConv2d +32x16x16 +4,608 +- +1,179,648 +1,179,648", table);
        JsonElement info = Json("info", "resnet20", "--layers", word, "--json");
        Assert.Equal(word, info.GetProperty("layers").GetString());
        Assert.Equal(40_813_184, info.GetProperty("multiplications").GetInt64() + info.GetProperty("xnors").GetInt64());
        Assert.DoesNotContain("XNORs", Addernet.Run("info", "resnet20").Succeeds(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_data_set_gives_the_model_its_channels_and_classes()
    {
        JsonElement info = Json("info", "resnet20", "--data", "mnist", "--json");
        Assert.Equal(1, info.GetProperty("inputShape")[0].GetInt32());
        Assert.Equal(100, Json("info", "resnet20", "--data", "cifar100", "--json").GetProperty("classes").GetInt32());
    }

    [Fact]
    public void A_printed_recipe_can_be_edited_and_passed_back()
    {
        using TempFolder folder = new();
        string printed = Addernet.Run("train", "--recipe", "mnist", "--eta", "0.3", "--print-recipe").Succeeds();
        string file = folder["my.json"];
        File.WriteAllText(file, printed.Replace("\"epochs\": 50", "\"epochs\": 7", StringComparison.Ordinal));
        JsonElement back = Json("train", "--recipe", file, "--print-recipe");
        Assert.Equal(7, back.GetProperty("epochs").GetInt32());
        Assert.Equal(0.3, back.GetProperty("gradientTransforms")[0].GetProperty("eta").GetDouble());
        Assert.Contains("mnist", Addernet.Run("recipes").Succeeds());
        Assert.Equal("resnet20", Json("recipes", "cifar").GetProperty("model").GetString());
    }

    [Theory]
    [InlineData("--data mnist", "lenet5-bn", "mnist")]
    [InlineData("--data fashion-mnist", "lenet5-bn", "fashion-mnist")]
    [InlineData("--data cifar10", "resnet20", "cifar10")]
    [InlineData("--data cifar100", "resnet20", "cifar100")]
    [InlineData("--data imagefolder", "resnet18", "imagefolder")]
    [InlineData("--model resnet32", "resnet32", "cifar10")]
    [InlineData("--model lenet++", "lenet++", "mnist")]
    [InlineData("--layers cnn", "lenet5-bn", "mnist")]
    public void A_model_or_a_data_set_alone_gets_its_usual_partner(string arguments, string model, string data)
    {
        JsonElement recipe = Json(["train", "--print-recipe", .. arguments.Split(' ')]);
        Assert.Equal(model, recipe.GetProperty("model").GetString());
        Assert.Equal(data, recipe.GetProperty("dataset").GetString());
    }

    private static JsonElement Json(params string[] arguments) => JsonDocument.Parse(Addernet.Run(arguments).Succeeds()).RootElement;
}
