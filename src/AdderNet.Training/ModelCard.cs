using System.Text.Json;

namespace AdderNet.Training;

/// <summary>What a weight file says of itself, in its metadata: enough to build the model and to use it.</summary>
internal sealed record ModelCard(Recipe Recipe, int InputChannels, IReadOnlyList<string> ClassNames, EpochMetrics Metrics)
{
    private const string Key = "addernet";

    public Dictionary<string, string> ToMetadata() => new() { ["format"] = "pt", [Key] = JsonSerializer.Serialize(this, TrainingJson.Line) };

    /// <exception cref="TrainingException">The file has no card, or a damaged one.</exception>
    public static ModelCard Read(IReadOnlyDictionary<string, string> metadata, string path)
    {
        if (!metadata.TryGetValue(Key, out string? json))
        {
            throw new TrainingException($"{path} does not say what model it holds.") { Problem = TrainingProblem.UnknownModel };
        }

        ModelCard card = TrainingJson.Parse<ModelCard>(json, $"The description in {path}");
        card.Recipe.Validate($"The recipe in {path}");
        if (card.InputChannels is < 1 or > 4096 || card.ClassNames.Count == 0 || card.ClassNames.Any(n => n is null))
        {
            throw new TrainingException($"The description in {path} is damaged: its input channels or class names make no sense.");
        }

        return card;
    }
}
