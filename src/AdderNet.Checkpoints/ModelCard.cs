using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace AdderNet.Checkpoints;

/// <summary>What a weight file says of itself, in its metadata: enough to use the weights.</summary>
/// <param name="Recipe">How they were trained, the model's name included: only training knows what is in it.</param>
/// <param name="InputChannels">Channels of the model's input.</param>
/// <param name="ClassNames">The classes' names, in the order of the model's outputs.</param>
/// <param name="Metrics">What was measured after the epoch they are of; only training knows what is in it.</param>
internal sealed record ModelCard(JsonElement Recipe, int InputChannels, IReadOnlyList<string> ClassNames, JsonElement Metrics)
{
    private const string Key = "addernet";

    /// <summary>The metadata of a file with this card; PyTorch's tools read it as theirs.</summary>
    public Dictionary<string, string> ToMetadata() => new() { ["format"] = "pt", [Key] = JsonSerializer.Serialize(this, ModelCardJson.Relaxed.ModelCard) };

    /// <summary>Reads a card; null where the file has none.</summary>
    /// <param name="metadata">The file's metadata.</param>
    /// <param name="path">What messages call the file.</param>
    /// <exception cref="CheckpointException">It is damaged.</exception>
    public static ModelCard? Read(IReadOnlyDictionary<string, string> metadata, string path)
    {
        if (!metadata.TryGetValue(Key, out string? json))
        {
            return null;
        }

        ModelCard? card;
        try
        {
            card = JsonSerializer.Deserialize(json, ModelCardJson.Relaxed.ModelCard);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or ArgumentException)
        {
            throw new CheckpointException($"The description in {path} is damaged: it is not the JSON that a run writes.", e);
        }

        return card is { InputChannels: >= 1 and <= 4096, ClassNames.Count: > 0 } && card.ClassNames.All(name => name is not null)
            ? card
            : throw new CheckpointException($"The description in {path} is damaged: its input channels or class names make no sense.");
    }
}

[JsonSerializable(typeof(ModelCard))]
internal sealed partial class ModelCardJson : JsonSerializerContext
{
    /// <summary>As runs write it: names that people read stay as they are.</summary>
    public static ModelCardJson Relaxed { get; } = new(new JsonSerializerOptions
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
        AllowDuplicateProperties = false,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        MaxDepth = 32,
    });
}
