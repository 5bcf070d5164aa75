using AdderNet.Data;
using AdderNet.Data.Detection;
using AdderNet.Models;
using AdderNet.Reproduction;
using AdderNet.Training.Detection;

namespace AdderNet.Cli.Detection;

/// <summary><c>addernet eval</c> of a detector.</summary>
internal static class DetectionEval
{
    /// <summary>Measures on the test images, or on validation images where there are none, and writes the report.</summary>
    /// <param name="host">Where to write.</param>
    /// <param name="model">The detector.</param>
    /// <param name="dataName">The data set.</param>
    /// <param name="dataDir">Its folder.</param>
    /// <param name="skipDamaged">Whether to leave out bad labels and images.</param>
    /// <param name="batchSize">Images at a time.</param>
    /// <param name="report">The report's file; null for none.</param>
    /// <param name="asJson">Whether to write JSON.</param>
    /// <param name="cancel">Stops.</param>
    public static void Run(
        Host host, LoadedModel model, string dataName, string? dataDir, bool skipDamaged, int batchSize, string? report, bool asJson,
        CancellationToken cancel)
    {
        DetectionSplits splits = DataSource.OpenDetection(host, dataName, dataDir, skipDamaged, cancel);
        bool isTest = splits.Test is not null;
        DetectionDataset data = splits.Test ?? splits.Validation!;
        data = model.ClassNames.Count > 0 ? data.WithClasses(model.ClassNames) : data;
        model.RefuseOtherChannels(data.Info);
        using DetectionLoader loader = new(data, model.Preparation, batchSize, shuffle: false, seed: 0);
        DetectionEvaluationResult result = Measure(host, asJson, model, loader, cancel);
        string? written = report is null ? null : DetectionReport.Write(report, model, data, result);
        if (asJson)
        {
            host.Out.WriteJson(new
            {
                model.Source,
                Model = model.Name,
                Layers = model.Layers.Name(),
                Data = dataName,
                data.Count,
                result.Scores.All,
                result.Scores.Classes,
                result.Scores.Map75,
                BySize = result.Scores.BySize.ToDictionary(s => s.Size, s => s.Map),
                result.Scores.Recall100,
                result.Scores.VocArea,
                result.Scores.Voc11Points,
                result.Seconds,
                result.ImagesPerSecond,
                Report = written,
            });
            return;
        }

        host.Out.WriteLine($"{model.Title}, {model.Source}");
        host.Out.WriteLine($"{data.Info.Title}, {(isTest ? "test" : "validation")} images:");
        DetectionTable.Write(host, result.Scores);
        string time = Duration.Words(TimeSpan.FromSeconds(result.Seconds));
        host.Out.WriteLine(FormattableString.Invariant($"{data.Count:N0} images in {time}, {result.ImagesPerSecond:N0} images/s"));
        if (written is not null)
        {
            host.Out.WriteLine($"Curves, confusion matrix and pictures: {written}");
        }
    }

    private static DetectionEvaluationResult Measure(
        Host host, bool quiet, LoadedModel model, DetectionLoader loader, CancellationToken cancel)
    {
        return host.Live is null || quiet ? Measure(null) : LiveLines.Run(host.Live, lines => Measure(new Bar(lines, loader.BatchCount)));

        DetectionEvaluationResult Measure(Bar? bar) =>
            DetectionEvaluation.Run(model.Model, model.Levels, loader, bar, cancel: cancel);
    }

    private sealed class Bar(LiveLines lines, int batches) : IProgress<int>
    {
        public void Report(int done) => lines.Show(() => [lines.Bar((double)done / batches, 30, "deepskyblue1")]);
    }
}
