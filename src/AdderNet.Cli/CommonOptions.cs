using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Numerics;
using AdderNet.Models;

namespace AdderNet.Cli;

/// <summary>Options that several commands have, and makers of options whose complaints are sentences.</summary>
internal static class CommonOptions
{
    public static Option<string?> DataDir() => new("--data-dir")
    {
        HelpName = "DIR",
        Description = "Folder of the data set's files; without it they are taken from the system or downloaded",
    };

    public static Option<int?> Threads() => Number<int>("--threads", "N", "Threads to compute with; all processors by default", 1, 1024);

    public static Option<bool> Json() => new("--json") { Description = "Write JSON for scripts" };

    public static Option<string?> Model(string description) => new("--model") { HelpName = "MODEL", Description = description };

    public static Option<string?> Data(string description) => new("--data", "--dataset") { HelpName = "DATA", Description = description };

    public static Option<LayerKind?> Layers(
        string description = "Inner layers of the model: adder for an AdderNet, cnn for the same network of convolutions, bnn or dorefa for a binary one (XNOR-Net's or DoReFa-Net's)") =>
        Choice("--layers", description, LayerKinds.Find, [.. LayerKinds.Names]);

    /// <summary>An option that takes a number in a range.</summary>
    public static Option<T?> Number<T>(string name, string helpName, string description, T from, T to)
        where T : struct, INumber<T> => new(name)
        {
            HelpName = helpName,
            Description = description,
            CustomParser = result =>
            {
                string text = result.Tokens.Single().Value;
                if (T.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out T value) && value >= from && value <= to)
                {
                    return value;
                }

                string kind = typeof(T) == typeof(double) ? "number" : "whole number";
                return Refuse<T?>(result, FormattableString.Invariant($"{name} takes a {kind} from {from} to {to}, not '{text}'"));
            },
        };

    /// <summary>An option that takes one of some words.</summary>
    public static Option<T?> Choice<T>(string name, string description, params (string Word, T Value)[] choices)
        where T : struct => Choice<T>(
            name, description,
            text => choices.Where(c => string.Equals(c.Word, text, StringComparison.OrdinalIgnoreCase)).Select(c => (T?)c.Value).FirstOrDefault(),
            [.. choices.Select(c => c.Word)]);

    private static Option<T?> Choice<T>(string name, string description, Func<string, T?> find, string[] words)
        where T : struct
    {
        var option = new Option<T?>(name)
        {
            HelpName = string.Join('|', words),
            Description = description,
            CustomParser = result =>
            {
                string text = result.Tokens.Single().Value;
                if (find(text) is { } value)
                {
                    return value;
                }

                string hint = Nearest.To(text, words) is { } nearest ? $"; did you mean {nearest}?" : "";
                return Refuse<T?>(result, $"{name} takes {Listed(words)}, not '{text}'{hint}");
            },
        };
        option.CompletionSources.Add(words);
        return option;
    }

    /// <summary>Whether the user gave this option; switches have a value even if not.</summary>
    public static bool Has(this ParseResult arguments, Option option) => arguments.GetResult(option) is { Implicit: false };

    private static string Listed(string[] words) => words.Length > 1 ? $"{string.Join(", ", words[..^1])} or {words[^1]}" : words[0];

    private static T? Refuse<T>(ArgumentResult result, string message)
    {
        result.AddError(message);
        return default;
    }
}
