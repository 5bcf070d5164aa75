using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace AdderNet.Infer;

/// <summary>A class that an image may be of.</summary>
internal sealed record Guess(string Class, int Index, double Probability);

/// <summary>The likeliest classes of an image, the likeliest first; the same JSON as that of <c>addernet predict</c>.</summary>
internal sealed record Prediction(string Image, IReadOnlyList<Guess> Guesses);

[JsonSerializable(typeof(List<Prediction>))]
internal sealed partial class PredictionJson : JsonSerializerContext
{
    public static PredictionJson Readable { get; } = new(new JsonSerializerOptions
    {
        WriteIndented = true,
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    });
}
