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
        csv.AppendJoin(',', TrainingJson.Fields(typeof(EpochMetrics)).Select(f => f.Name)).Append('\n');
        foreach (EpochMetrics epoch in history)
        {
            JsonObject values = JsonSerializer.SerializeToNode(epoch, TrainingJson.Line)!.AsObject();
            // No value holds a comma: all are numbers but the time.
            csv.AppendJoin(',', values.Select(v => v.Value!.GetValueKind() == JsonValueKind.String ? v.Value.GetValue<string>() : v.Value.ToJsonString())).Append('\n');
            lines.Append(values.ToJsonString(TrainingJson.Line)).Append('\n');
        }

        writeFile(Path.Combine(folder, "metrics.csv"), s => s.Write(Encoding.UTF8.GetBytes(csv.ToString())));
        writeFile(Path.Combine(folder, "metrics.jsonl"), s => s.Write(Encoding.UTF8.GetBytes(lines.ToString())));
    }
}
