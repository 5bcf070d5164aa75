using AdderNet.Reproduction;

namespace AdderNet.Cli.Tests.Reproduce;

public class RecipeTests
{
    [Theory]
    [InlineData("cifar10", 400, "cifar", "adder")]
    [InlineData("cifar10", 100, "cifar", "cnn")]
    [InlineData("cifar10", 15, "cifar-short", "adder")]
    [InlineData("cifar10", 15, "cifar-short", "cnn")]
    [InlineData("cifar10", 15, "cifar-short", "bnn")]
    [InlineData("cifar100", 400, "cifar", "cnn")]
    [InlineData("cifar100", 15, "cifar-short", "adder")]
    public void A_run_is_what_the_command_line_trains_as_that_recipe(string data, int epochs, string recipe, string layers)
    {
        string printed = Addernet.Run("train", "--recipe", recipe, "--data", data, "--layers", layers, "--epochs", $"{epochs}", "--print-recipe").Succeeds();
        IReadOnlyList<PlannedRun> plan = Experiments.All.Single(e => e.Name == data).Plan(new ReproduceOptions(epochs, 1, null, 1, ""));
        Assert.Equal(printed.TrimEnd(), plan.Single(r => r.Name == $"resnet20-{layers}-seed1").Recipe.ToJson());
    }
}
