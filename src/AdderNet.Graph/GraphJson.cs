using System.Text.Json;
using System.Text.Json.Serialization;
using AdderNet.Checkpoints;

namespace AdderNet.Graph;

/// <summary>What a graph file's JSON says before anything else, whatever its version.</summary>
internal sealed record GraphHeader(int Version);

/// <summary>The JSON of a graph file; its tensors are named, and lie in the file beside it.</summary>
internal sealed record GraphDocument(
    int Version, NetworkMetadata Metadata, IReadOnlyList<GraphNode> Nodes, IReadOnlyList<GraphOutput> Outputs);

[JsonSerializable(typeof(GraphHeader))]
[JsonSerializable(typeof(GraphDocument))]
internal sealed partial class GraphJson : JsonSerializerContext
{
    /// <summary>Serializers that write and read a tensor as its name.</summary>
    public static GraphJson With(JsonConverter<TensorData> tensors) => new(new JsonSerializerOptions
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
        Converters = { tensors },
    });

    /// <summary>The serializer of what every version has.</summary>
    public static GraphJson AnyVersion { get; } = new(new JsonSerializerOptions { PropertyNamingPolicy = JsonNamingPolicy.CamelCase });
}

/// <summary>Writes the names of tensors.</summary>
/// <param name="names">The name of each tensor that will be met.</param>
internal sealed class TensorNames(IReadOnlyDictionary<TensorData, string> names) : JsonConverter<TensorData>
{
    public override TensorData Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        throw new NotSupportedException();

    public override void Write(Utf8JsonWriter writer, TensorData value, JsonSerializerOptions options) =>
        writer.WriteStringValue(names[value]);
}

/// <summary>Finds tensors by their names.</summary>
/// <param name="tensors">The tensors of the file.</param>
internal sealed class NamedTensors(IReadOnlyDictionary<string, TensorData> tensors) : JsonConverter<TensorData>
{
    public override TensorData Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        reader.TokenType == JsonTokenType.String && tensors.TryGetValue(reader.GetString()!, out TensorData? tensor)
            ? tensor
            : throw new JsonException("There is no tensor of that name.");

    public override void Write(Utf8JsonWriter writer, TensorData value, JsonSerializerOptions options) =>
        throw new NotSupportedException();
}
