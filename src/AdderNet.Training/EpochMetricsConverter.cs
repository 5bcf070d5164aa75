using System.Text.Json;
using System.Text.Json.Serialization;

namespace AdderNet.Training;

/// <summary>
/// An epoch as one flat JSON object: epoch, learningRate, then trainLoss, trainTop1, ..., testLoss, ... by the names of whatever was
/// measured, then the times. So a row of a table is the same for every task.
/// </summary>
internal sealed class EpochMetricsConverter : JsonConverter<EpochMetrics>
{
    private static readonly string[] Splits = ["train", "validation", "test"];

    public override void Write(Utf8JsonWriter writer, EpochMetrics value, JsonSerializerOptions options)
    {
        writer.WriteStartObject();
        writer.WriteNumber("epoch", value.Epoch);
        writer.WriteNumber("learningRate", value.LearningRate);
        foreach ((string split, MetricValues? values) in Splits.Zip((MetricValues?[])[value.Train, value.Validation, value.Test]))
        {
            foreach ((string name, double measured) in values ?? [])
            {
                writer.WriteNumber($"{split}{char.ToUpperInvariant(name[0])}{name[1..]}", measured);
            }
        }

        writer.WriteNumber("trainSeconds", value.TrainSeconds);
        writer.WriteNumber("testSeconds", value.TestSeconds);
        writer.WriteNumber("imagesPerSecond", value.ImagesPerSecond);
        writer.WriteString("finished", value.Finished);
        writer.WriteEndObject();
    }

    public override EpochMetrics Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        JsonElement json = JsonElement.ParseValue(ref reader);
        if (json.ValueKind != JsonValueKind.Object)
        {
            throw new JsonException();
        }

        Dictionary<string, double> numbers = [];
        List<(string Name, double Value)>[] measured = [[], [], []];
        DateTimeOffset? finished = null;
        foreach (JsonProperty field in json.EnumerateObject())
        {
            if (field.Name == "finished")
            {
                finished = field.Value.ValueKind == JsonValueKind.String && field.Value.TryGetDateTimeOffset(out DateTimeOffset time) ? time : throw new JsonException();
                continue;
            }

            double number = field.Value.ValueKind == JsonValueKind.Number && field.Value.TryGetDouble(out double d) ? d : throw new JsonException();
            if (field.Name is "epoch" or "learningRate" or "trainSeconds" or "testSeconds" or "imagesPerSecond")
            {
                numbers[field.Name] = number;
                continue;
            }

            int split = Array.FindIndex(Splits, s => field.Name.Length > s.Length && field.Name.StartsWith(s, StringComparison.Ordinal) && !char.IsLower(field.Name[s.Length]));
            string name = split < 0 ? throw new JsonException() : field.Name[Splits[split].Length..];
            measured[split].Add(($"{char.ToLowerInvariant(name[0])}{name[1..]}", number));
        }

        if (measured[1].Count + measured[2].Count == 0 || Number("epoch") is not (>= 0 and <= int.MaxValue))
        {
            throw new JsonException();
        }

        return new EpochMetrics
        {
            Epoch = (int)Number("epoch"),
            LearningRate = Number("learningRate"),
            Train = new MetricValues(measured[0]),
            Validation = measured[1].Count > 0 ? new MetricValues(measured[1]) : null,
            Test = measured[2].Count > 0 ? new MetricValues(measured[2]) : null,
            TrainSeconds = Number("trainSeconds"),
            TestSeconds = Number("testSeconds"),
            ImagesPerSecond = Number("imagesPerSecond"),
            Finished = finished ?? throw new JsonException(),
        };

        double Number(string name) => numbers.TryGetValue(name, out double value) ? value : throw new JsonException();
    }
}
