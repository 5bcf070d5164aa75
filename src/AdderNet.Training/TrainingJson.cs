using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using AdderNet.Models;

namespace AdderNet.Training;

/// <summary>How this project's records become JSON and come back, with errors a user can act on.</summary>
internal static class TrainingJson
{
    /// <summary>Indented, for files people read.</summary>
    public static readonly JsonSerializerOptions Indented = Make(indented: true);

    /// <summary>On one line.</summary>
    public static readonly JsonSerializerOptions Line = Make(indented: false);

    private static readonly JsonDocumentOptions Reading = new()
    {
        AllowTrailingCommas = true,
        CommentHandling = JsonCommentHandling.Skip,
        AllowDuplicateProperties = false,
        MaxDepth = 32,
    };

    /// <summary>A record as JSON within other JSON.</summary>
    public static JsonElement Element<T>(T value) => JsonSerializer.SerializeToElement(value, Line);

    /// <summary>Reads a record.</summary>
    /// <param name="json">The text.</param>
    /// <param name="source">What messages call it.</param>
    /// <exception cref="TrainingException">It is no JSON, or not such a record.</exception>
    public static T Parse<T>(string json, string source)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(json, Reading);
            RefuseUnknownFields(document.RootElement, typeof(T), "", source);
            return document.RootElement.Deserialize<T>(Indented) ?? throw new TrainingException($"{source} holds null instead of an object.");
        }
        catch (JsonException e) when (e.Path is { } path && path != "$")
        {
            throw new TrainingException($"{source}: the value of '{path.TrimStart('$', '.')}' is not {Kind(path, typeof(T))}.", e);
        }
        catch (JsonException e)
        {
            string place = e.LineNumber is { } line ? $" at line {line + 1}, column {e.BytePositionInLine + 1}" : "";
            throw new TrainingException($"{source} is not valid JSON{place}.", e);
        }
        catch (Exception e) when (e is InvalidOperationException or ArgumentException)
        {
            // The library's word for text that is no Unicode and for the like.
            throw new TrainingException($"{source} is not valid JSON.", e);
        }
    }

    /// <summary>Reads a record from a file of at most a few megabytes.</summary>
    /// <exception cref="TrainingException">As for <see cref="Parse"/>, or the file can't be read.</exception>
    public static T Read<T>(string path)
    {
        // A run of a hundred thousand epochs keeps its history in less.
        const long largest = 64 << 20;
        try
        {
            using FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            if (file.Length > largest)
            {
                throw new TrainingException($"{path} is {file.Length >> 20} MB, far more than such a file can need; it is something else.");
            }

            using StreamReader reader = new(file);
            return Parse<T>(reader.ReadToEnd(), path);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new TrainingException($"There is no file {path}.", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new TrainingException($"{path} can't be read: {e.Message.TrimEnd('.')}.", e);
        }
    }

    /// <summary>The properties of a record by their names in JSON.</summary>
    public static IEnumerable<JsonPropertyInfo> Fields(Type type) =>
        Indented.GetTypeInfo(type) is { Kind: JsonTypeInfoKind.Object } info ? info.Properties : [];

    private static void RefuseUnknownFields(JsonElement element, Type type, string prefix, string source)
    {
        if (element.ValueKind != JsonValueKind.Object || Fields(type).ToDictionary(f => f.Name) is not { Count: > 0 } fields)
        {
            return;
        }

        foreach (JsonProperty property in element.EnumerateObject())
        {
            if (!fields.TryGetValue(property.Name, out JsonPropertyInfo? field))
            {
                throw new TrainingException($"{source} has an unknown field '{prefix}{Shown(property.Name)}'; the fields are {string.Join(", ", fields.Values.Where(f => f.Get is not null).Select(f => f.Name))}.");
            }

            RefuseUnknownFields(property.Value, field.PropertyType, $"{prefix}{property.Name}.", source);
        }
    }

    private static string Shown(string name) =>
        string.Concat(name.Take(60).Select(c => char.IsControl(c) || char.IsSurrogate(c) ? '?' : c));

    private static string Kind(string path, Type type)
    {
        foreach (string part in path.Split('.', '[').Skip(1))
        {
            type = Fields(type).FirstOrDefault(f => f.Name == part)?.PropertyType ?? type;
        }

        type = Nullable.GetUnderlyingType(type) ?? type;
        return type switch
        {
            _ when type == typeof(LayerKind) => "one of " + string.Join(", ", LayerKinds.Names),
            { IsEnum: true } => "one of " + string.Join(", ", Enum.GetNames(type).Select(JsonNamingPolicy.CamelCase.ConvertName)),
            _ when type == typeof(int) || type == typeof(long) => "a whole number in range",
            _ when type == typeof(double) || type == typeof(float) => "a number",
            _ when type == typeof(bool) => "true or false",
            _ when type == typeof(string) => "text in quotes",
            _ when typeof(System.Collections.IEnumerable).IsAssignableFrom(type) => "a list of what it should hold",
            _ => "what it should be",
        };
    }

    private static JsonSerializerOptions Make(bool indented)
    {
        JsonSerializerOptions options = new(JsonSerializerDefaults.General)
        {
            PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
            UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
            RespectNullableAnnotations = true,
            RespectRequiredConstructorParameters = true,
            AllowDuplicateProperties = false,
            AllowTrailingCommas = true,
            ReadCommentHandling = JsonCommentHandling.Skip,
            WriteIndented = indented,
            AllowOutOfOrderMetadataProperties = true,
            NewLine = "\n",
            MaxDepth = 32,
            Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
            Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase, allowIntegerValues: false) },
            TypeInfoResolver = new DefaultJsonTypeInfoResolver(),
        };
        options.MakeReadOnly();
        return options;
    }
}
