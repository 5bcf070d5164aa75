using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace AdderNet.Cli;

/// <summary>What --json writes: camel-case names, enumerations by name.</summary>
internal static class JsonOutput
{
    private static readonly JsonSerializerOptions Indented = Options(true), Line = Options(false);

    /// <summary>One value, indented.</summary>
    public static void WriteJson(this TextWriter writer, object value) => writer.WriteLine(JsonSerializer.Serialize(value, Indented));

    /// <summary>One value on one line, for streams of them.</summary>
    public static void WriteJsonLine(this TextWriter writer, object value) => writer.WriteLine(JsonSerializer.Serialize(value, Line));

    private static JsonSerializerOptions Options(bool indented) => new()
    {
        WriteIndented = indented,
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase) },
    };
}
