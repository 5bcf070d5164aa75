using System.Text.Json;
using System.Text.Json.Serialization;
using AdderNet.Models;

namespace AdderNet.Training;

/// <summary>Layer kinds in JSON by the words of the command line.</summary>
internal sealed class LayerKindConverter : JsonConverter<LayerKind>
{
    public override LayerKind Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        reader.TokenType == JsonTokenType.String && LayerKinds.Find(reader.GetString()!) is { } kind ? kind : throw new JsonException();

    public override void Write(Utf8JsonWriter writer, LayerKind value, JsonSerializerOptions options) => writer.WriteStringValue(value.Name());
}
