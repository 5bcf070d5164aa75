using AdderNet.Models;
using AdderNet.Training.Detection;
using static TorchSharp.torch;

namespace AdderNet.Training;

/// <summary>Makes the model that a recipe names, whatever its task.</summary>
internal static class RecipeModels
{
    /// <param name="recipe">The recipe.</param>
    /// <param name="classes">Classes of images or of objects.</param>
    /// <param name="channels">Channels of the images.</param>
    /// <param name="found">A classifier's layers, where a file of weights tells them; null for the recipe's.</param>
    /// <exception cref="ArgumentException">There is no such model, or it has no such layers.</exception>
    public static nn.Module<Tensor, Tensor> Create(Recipe recipe, int classes, int channels, LayerFactory? found = null)
    {
        LayerFactory layers = LayerFactory.Inner(recipe.Layers, recipe.WeightGradient, recipe.InputGradient);
        return DetectionModels.All.Any(m => string.Equals(m.Name, recipe.Model, StringComparison.OrdinalIgnoreCase))
            ? DetectionModels.Create(recipe.Model, layers, (recipe.Detection ?? new DetectionRecipe()).Options, classes, channels)
            : AdderNetModels.Create(recipe.Model, found ?? layers, classes, channels);
    }
}
