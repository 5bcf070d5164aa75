namespace AdderNet.Models;

/// <summary>What the versions of a model are called.</summary>
public static class LayerKinds
{
    /// <summary>The words for all of them, in recipes and on the command line: adder, cnn, bnn, dorefa.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. Enum.GetValues<LayerKind>().Select(k => k.Name())];

    /// <summary>Those of real values.</summary>
    internal static IReadOnlyList<LayerKind> NotBinary { get; } = [LayerKind.Adder, LayerKind.Conv];

    /// <summary>The word for it in recipes and on the command line.</summary>
    public static string Name(this LayerKind kind) => kind switch
    {
        LayerKind.Adder => "adder",
        LayerKind.Conv => "cnn",
        LayerKind.Binary => "bnn",
        LayerKind.DoReFa => "dorefa",
        _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, "There is no such kind of layers."),
    };

    /// <summary>What the networks are called in print.</summary>
    public static string Title(this LayerKind kind) => kind switch
    {
        LayerKind.Adder => "AdderNet",
        LayerKind.Conv => "CNN",
        LayerKind.Binary => "BNN",
        LayerKind.DoReFa => "DoReFa-Net",
        _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, "There is no such kind of layers."),
    };

    /// <summary>The kind of a word, whatever its case; <c>conv</c> is another word for <c>cnn</c>.</summary>
    /// <returns>Null where the word is none.</returns>
    public static LayerKind? Find(string word)
    {
        LayerKind[] found = [.. Enum.GetValues<LayerKind>().Where(k =>
            string.Equals(word, k.Name(), StringComparison.OrdinalIgnoreCase)
            || (k == LayerKind.Conv && string.Equals(word, "conv", StringComparison.OrdinalIgnoreCase)))];
        return found is [LayerKind kind] ? kind : null;
    }
}
