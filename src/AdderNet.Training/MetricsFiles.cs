using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace AdderNet.Training;

/// <summary>
/// metrics.csv and metrics.jsonl. Both are written anew from the checkpoint's history each time, so that they never tell of an epoch
/// that the checkpoint doesn't have, nor of one twice.
/// </summary>
internal static class MetricsFiles
{
    public static void Write(string folder, IReadOnlyList<EpochMetrics> history, Action<string, Action<Stream>> writeFile)
    {
        StringBuilder csv = new(), lines = new();
        JsonObject[] rows = [.. history.Select(e => JsonSerializer.SerializeToNode(e, TrainingJson.Line)!.AsObject())];
        string[] columns = [.. rows.SelectMany(r => r.Select(v => v.Key)).Distinct()];
        csv.AppendJoin(',', columns).Append('\n');
        foreach (JsonObject row in rows)
        {
            csv.AppendJoin(',', columns.Select(c => Cell(row[c]))).Append('\n');
            lines.Append(row.ToJsonString(TrainingJson.Line)).Append('\n');
        }

        writeFile(Path.Combine(folder, "metrics.csv"), s => s.Write(Encoding.UTF8.GetBytes(csv.ToString())));
        writeFile(Path.Combine(folder, "metrics.jsonl"), s => s.Write(Encoding.UTF8.GetBytes(lines.ToString())));
    }

    // No value holds a comma: all are numbers but the time. A run that met a validation split only later has empty cells before.
    private static string Cell(JsonNode? value) =>
        value is null ? "" : value.GetValueKind() == JsonValueKind.String ? value.GetValue<string>() : value.ToJsonString();
}
