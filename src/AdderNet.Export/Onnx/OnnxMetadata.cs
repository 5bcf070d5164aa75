using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using AdderNet.Graph;
using Onnx;

namespace AdderNet.Export;

/// <summary>What a network was made for, as the key-value pairs of an ONNX file: texts, and JSON of class names, preparation and boxes.</summary>
internal static class OnnxMetadata
{
    private const string Model = "model", Dataset = "dataset", ClassNames = "class_names", Preparation = "preparation",
        Detection = "detection";

    public static IEnumerable<StringStringEntryProto> Write(NetworkMetadata metadata) =>
        from entry in ((string Key, string? Value)[])
            [
                (Model, metadata.Model),
                (Dataset, metadata.Dataset),
                (ClassNames, Json(metadata.ClassNames, OnnxJson.Default.IReadOnlyListString)),
                (Preparation, Json(metadata.Preparation, OnnxJson.Default.InputPreparation)),
                (Detection, Json(metadata.Boxes, OnnxJson.Default.BoxDecoding)),
            ]
        where entry.Value is not null
        select new StringStringEntryProto { Key = entry.Key, Value = entry.Value };

    /// <exception cref="GraphException">An entry of ours is not what this version writes.</exception>
    public static NetworkMetadata Read(IEnumerable<StringStringEntryProto> entries)
    {
        Dictionary<string, string> texts = [];
        foreach (StringStringEntryProto entry in entries)
        {
            texts[entry.Key] = entry.Value;
        }

        try
        {
            NetworkMetadata metadata = new(
                texts.GetValueOrDefault(Model), texts.GetValueOrDefault(Dataset),
                Value(texts.GetValueOrDefault(ClassNames), OnnxJson.Default.IReadOnlyListString),
                Value(texts.GetValueOrDefault(Preparation), OnnxJson.Default.InputPreparation),
                Value(texts.GetValueOrDefault(Detection), OnnxJson.Default.BoxDecoding));
            return metadata.ClassNames?.Contains(null!) == true ? throw new JsonException() : metadata;
        }
        catch (JsonException e)
        {
            throw new GraphException($"its metadata '{ClassNames}', '{Preparation}' or '{Detection}' is not the JSON that this version writes.", e);
        }
    }

    private static string? Json<T>(T? value, JsonTypeInfo<T> type)
        where T : class => value is null ? null : JsonSerializer.Serialize(value, type);

    private static T? Value<T>(string? json, JsonTypeInfo<T> type)
        where T : class => json is null ? null : JsonSerializer.Deserialize(json, type);
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(IReadOnlyList<string>))]
[JsonSerializable(typeof(InputPreparation))]
[JsonSerializable(typeof(BoxDecoding))]
internal sealed partial class OnnxJson : JsonSerializerContext;
