using AdderNet.Data;
using AdderNet.Data.Detection;
using AdderNet.Models;
using AdderNet.Reproduction;
using AdderNet.Training;
using AdderNet.Training.Detection;

namespace AdderNet.Cli;

/// <summary>The images of a training, and what is trained on them: the task follows from the data.</summary>
/// <param name="Info">What the images are.</param>
/// <param name="Train">Training images.</param>
/// <param name="Validation">Validation images; null for none.</param>
/// <param name="Test">Test images; null for none.</param>
/// <param name="Trainer">Makes the trainer of a run.</param>
/// <param name="MeasureTest">Measures the best epoch of a run on the test images, which its processes share out.</param>
internal sealed record TrainingData(
    DatasetInfo Info, int Train, int? Validation, int? Test, Func<RunFolder, Trainer> Trainer, Func<RunFolder, CancellationToken, EvaluationResult> MeasureTest)
{
    /// <summary>
    /// Trains for some steps and tells what an image costs on this machine, for a number of threads: of images with boxes in files, whose
    /// trainings are long. Null for others.
    /// </summary>
    public Func<int, CancellationToken, ImageCost>? Cost { get; init; }

    /// <summary>Opens the data of a recipe; what a user should know of it is told.</summary>
    public static TrainingData Open(Host host, Recipe recipe, RunOptions options, CancellationToken cancel) => Datasets.Find(recipe.Dataset).HasBoxes
        ? Of(DataSource.OpenDetection(host, recipe.Dataset, options.DataDir, options.SkipDamaged, cancel), recipe)
        : Of(DataSource.OpenSplits(host, recipe.Dataset, options.DataDir, options.SkipDamaged, cancel), recipe);

    private static TrainingData Of(DatasetSplits data, Recipe recipe) => new(
        data.Train.Info, data.Train.Count, data.Validation?.Count, data.Test?.Count, folder => new Trainer(folder, data), (folder, cancel) =>
        {
            using TrainedModel best = TrainedModel.Load(folder);
            using DataLoader loader = new(data.Test!, best.Preparation, recipe.BatchSize, shuffle: false, seed: 0, shard: folder.Shard);
            return Evaluation.Run(best.Model, loader, null, folder.Ranks, cancel);
        });

    private static TrainingData Of(DetectionSplits data, Recipe recipe) => new(
        data.Train.Info, data.Train.Count, data.Validation?.Count, data.Test?.Count,
        folder => new Trainer(folder, data),
        (folder, cancel) =>
        {
            using TrainedModel best = TrainedModel.Load(folder);
            using DetectionLoader loader = new(data.Test!.WithClasses(best.ClassNames), best.Preparation, recipe.BatchSize, shuffle: false, seed: 0, shard: folder.Shard);
            return DetectionEvaluation.Run(best.Model, DetectionModels.Find(recipe.Model).Levels, loader, null, folder.Ranks, cancel).ToResult();
        })
    {
        Cost = data.Train.Info.Height > 0 ? null : (threads, cancel) => ImageCost.Measure(recipe, data, threads, cancel),
    };
}
