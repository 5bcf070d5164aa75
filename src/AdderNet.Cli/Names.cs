using AdderNet.Models;
using AdderNet.Training;

namespace AdderNet.Cli;

/// <summary>Finds what users name, or tells them what they may have meant.</summary>
internal static class Names
{
    /// <summary>Every model: those that tell images apart, then detectors.</summary>
    public static IReadOnlyList<ModelInfo> Models { get; } = [.. AdderNetModels.All, .. DetectionModels.All];

    /// <summary>The model of that name, whatever its case; null where there is none.</summary>
    public static ModelInfo? FindModel(string name) => Models.FirstOrDefault(m => string.Equals(m.Name, name, StringComparison.OrdinalIgnoreCase));

    /// <summary>The model of that name.</summary>
    public static ModelInfo Model(string name) => FindModel(name)
        ?? throw new CliException(Unknown("model", name, Models.Select(m => m.Name)));

    /// <summary>Refuses layers that a model can't be made of.</summary>
    public static void CheckLayers(ModelInfo model, LayerKind layers)
    {
        if (!model.Kinds.Contains(layers))
        {
            throw CliException.Usage($"{model.Title} is made of adder layers or convolutions, not of binary layers; use --layers adder or cnn.");
        }
    }

    /// <summary>What a version of a model is called in print: CNN ResNet-20.</summary>
    public static string Network(LayerKind layers, string model) => $"{layers.Title()} {Model(model).Title}";

    /// <summary>The recipe of that name, or in that file.</summary>
    public static Recipe Recipe(string nameOrFile)
    {
        if (Recipes.All.FirstOrDefault(r => string.Equals(r.Name, nameOrFile, StringComparison.OrdinalIgnoreCase)) is { } named)
        {
            return named.Recipe;
        }

        return File.Exists(nameOrFile)
            ? Training.Recipe.Read(nameOrFile)
            : throw new CliException(Unknown("recipe (and no file)", nameOrFile, Recipes.All.Select(r => r.Name)));
    }

    /// <summary>Tells that there is no such thing, and what there is.</summary>
    public static string Unknown(string what, string name, IEnumerable<string> known)
    {
        string[] names = [.. known];
        string hint = Nearest.To(name, names) is { } nearest ? $"did you mean {nearest}? There are" : "there are";
        return $"There is no {what} '{name}'; {hint} {string.Join(", ", names)}.";
    }
}
