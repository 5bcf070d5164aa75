using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace AdderNet.Graph;

/// <summary>The size of what a node gives for one image: a map [C, H, W], or a vector [F], which counts as F channels of one pixel.</summary>
/// <param name="Channels">C, or F.</param>
/// <param name="Height">Rows; 1 for a vector.</param>
/// <param name="Width">Columns; 1 for a vector.</param>
[JsonConverter(typeof(FeatureShapeConverter))]
public readonly record struct FeatureShape(int Channels, int Height, int Width)
{
    /// <summary>A vector [F].</summary>
    /// <param name="length">F.</param>
    public static FeatureShape Vector(int length) => new(length, 1, 1) { IsVector = true };

    /// <summary>Whether it is a vector [F] rather than a map [F, 1, 1].</summary>
    public bool IsVector { get; private init; }

    /// <summary>Elements.</summary>
    public int Count => checked(Channels * Height * Width);

    /// <summary>Rows times columns.</summary>
    public int Pixels => checked(Height * Width);

    /// <summary>[C, H, W] or [F].</summary>
    public IReadOnlyList<long> Sizes => IsVector ? [Channels] : [Channels, Height, Width];

    /// <summary>The sizes as people write them, e.g. <c>64x8x8</c>.</summary>
    public override string ToString() => string.Join('x', Sizes.Select(s => s.ToString(CultureInfo.InvariantCulture)));

    /// <summary>Whether all sizes are positive and so few that an array can hold the elements.</summary>
    internal bool IsValid => Channels > 0 && Height > 0 && Width > 0 && (Int128)Channels * Height * Width <= Array.MaxLength;
}

internal sealed class FeatureShapeConverter : JsonConverter<FeatureShape>
{
    public override FeatureShape Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        Span<int> sizes = stackalloc int[3];
        int count = 0;
        if (reader.TokenType != JsonTokenType.StartArray)
        {
            throw new JsonException();
        }

        while (reader.Read() && reader.TokenType == JsonTokenType.Number && count < sizes.Length && reader.TryGetInt32(out sizes[count]))
        {
            count++;
        }

        return (reader.TokenType, count) switch
        {
            (JsonTokenType.EndArray, 1) => FeatureShape.Vector(sizes[0]),
            (JsonTokenType.EndArray, 3) => new FeatureShape(sizes[0], sizes[1], sizes[2]),
            _ => throw new JsonException(),
        };
    }

    public override void Write(Utf8JsonWriter writer, FeatureShape value, JsonSerializerOptions options)
    {
        writer.WriteStartArray();
        foreach (long size in value.Sizes)
        {
            writer.WriteNumberValue(size);
        }

        writer.WriteEndArray();
    }
}
