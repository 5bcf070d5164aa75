namespace AdderNet.Training;

/// <summary>A recipe with a name.</summary>
/// <param name="Name">What the command line calls it.</param>
/// <param name="Title">One line that says what it is for.</param>
/// <param name="Recipe">The recipe.</param>
public sealed record NamedRecipe(string Name, string Title, Recipe Recipe);

/// <summary>The recipes that come with the project.</summary>
public static class Recipes
{
    /// <summary>All of them; the first is the short default run.</summary>
    public static IReadOnlyList<NamedRecipe> All => throw new NotImplementedException();

    /// <summary>The recipe of that name.</summary>
    /// <exception cref="ArgumentException">There is none; the message lists them.</exception>
    public static NamedRecipe Find(string name) => throw new NotImplementedException();
}
