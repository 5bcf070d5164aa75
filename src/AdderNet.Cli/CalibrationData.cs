using AdderNet.Data;
using AdderNet.Data.Detection;
using AdderNet.Training;
using AdderNet.Training.Detection;
using TorchSharp;
using static TorchSharp.torch;

namespace AdderNet.Cli;

/// <summary>Training images that a network is calibrated with, and what it is measured with before and after: the task follows from the model.</summary>
/// <param name="Info">What the images are.</param>
/// <param name="ClassNames">Names of the classes.</param>
/// <param name="Height">Rows of a prepared image.</param>
/// <param name="Width">Columns of a prepared image.</param>
/// <param name="Take">So many training images, drawn once and for all, without random augmentation; of null, as many as is usual for their
/// size.</param>
/// <param name="Train">The same as a data set of images with one class each; null for images with boxes.</param>
/// <param name="OpenMeasured">Opens the images that are not learned from; what it gives measures a model on them.</param>
/// <param name="For">The same images for another model.</param>
internal sealed record CalibrationData(
    DatasetInfo Info, IReadOnlyList<string> ClassNames, int Height, int Width, Func<int?, CalibrationImages> Take, Dataset? Train,
    Func<Func<nn.Module<Tensor, Tensor>, EvaluationResult>> OpenMeasured, Func<LoadedModel, CalibrationData> For)
{
    /// <summary>The data of a model, or other data.</summary>
    /// <param name="host">Where to show what is downloaded.</param>
    /// <param name="model">The model.</param>
    /// <param name="other">Other data than the model's; null for these.</param>
    /// <param name="dataDir">The folder of the data.</param>
    /// <param name="batchSize">Images at a time when a model is measured; null for as many as is usual.</param>
    /// <param name="cancel">Stops.</param>
    /// <exception cref="CliException">The data are not for the model's task, or not of its channels.</exception>
    public static CalibrationData Open(
        Host host, LoadedModel model, string? other, string? dataDir, int? batchSize, CancellationToken cancel)
    {
        DatasetInfo info = Datasets.Find(other ?? model.Dataset);
        model.RefuseOtherTask(info);
        return model.FindsBoxes
            ? Of(model, DataSource.OpenDetection(host, info.Name, dataDir, skipDamaged: false, cancel), batchSize ?? 16, cancel)
            : Of(
                model, DataSource.Open(host, info.Name, train: true, dataDir, cancel),
                () => DataSource.Open(host, info.Name, train: false, dataDir, cancel), batchSize ?? 256, cancel);
    }

    /// <summary>The metrics that tell what quantization costs.</summary>
    public IReadOnlyList<Metric> Metrics =>
        [.. Metric.AllOf(Info).Where(metric => metric is { IsShare: true, IsShown: true })];

    private static CalibrationData Of(LoadedModel model, Dataset train, Func<Dataset> test, int batchSize, CancellationToken cancel)
    {
        model.RefuseOtherTask(train.Info);
        model.RefuseOtherChannels(train.Info);
        using DataLoader shape = new(train, model.Preparation, 1, shuffle: false, seed: 0, threads: 0);
        return new CalibrationData(
            train.Info, train.ClassNames, shape.Height, shape.Width, Take, train, OpenMeasured,
            other => Of(other, train, test, batchSize, cancel));

        CalibrationImages Take(int? count) => CalibrationImages.Take(train, model.Preparation, count);

        Func<nn.Module<Tensor, Tensor>, EvaluationResult> OpenMeasured()
        {
            Dataset opened = test();
            return measured =>
            {
                using DataLoader loader = new(opened, model.Preparation, batchSize, shuffle: false, seed: 0);
                return Evaluation.Run(measured, loader, cancel: cancel);
            };
        }
    }

    private static CalibrationData Of(LoadedModel model, DetectionSplits splits, int batchSize, CancellationToken cancel)
    {
        model.RefuseOtherTask(splits.Train.Info);
        DetectionDataset train = splits.Train, test = (splits.Test ?? splits.Validation!).WithClasses(model.ClassNames);
        model.RefuseOtherChannels(train.Info);
        using DetectionLoader shape = new(train, model.Preparation, 1, shuffle: false, seed: 0, threads: 0);
        return new CalibrationData(
            train.Info, train.ClassNames, shape.Height, shape.Width, Take, null, OpenMeasured, other => Of(other, splits, batchSize, cancel));

        CalibrationImages Take(int? count)
        {
            const int together = 16;
            using DetectionLoader loader = new(train, model.Preparation, together, shuffle: true, seed: 1);
            return CalibrationImages.Take(
                loader.Epoch(0, cancel).Select(batch => batch.Images), new(loader.Channels, loader.Height, loader.Width), train.Count, count);
        }

        Func<nn.Module<Tensor, Tensor>, EvaluationResult> OpenMeasured() => measured =>
        {
            using DetectionLoader loader = new(test, model.Preparation, batchSize, shuffle: false, seed: 0);
            return DetectionEvaluation.Run(measured, model.Levels, loader, cancel: cancel).ToResult();
        };
    }
}
