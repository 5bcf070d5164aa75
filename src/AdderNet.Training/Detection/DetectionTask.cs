using AdderNet.Checkpoints;
using AdderNet.Data;
using AdderNet.Data.Detection;
using AdderNet.Models;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace AdderNet.Training.Detection;

/// <summary>
/// Finds objects: targets are boxes with classes, the losses are FCOS's, and the mean average precision decides which epoch is the best.
/// </summary>
public sealed class DetectionTask : ITrainingTask
{
    private const string Backbone = "backbone";

    /// <summary>The neck scales maps by two, so that each must be an even number of times a coarser one.</summary>
    private const int SizeStep = 32;

    private readonly Recipe recipe;
    private readonly DetectionLoader train, measured;
    private readonly bool measuresValidation;
    private readonly ModelInfo info;
    private readonly nn.Module<Tensor, Tensor> model;
    private int disposed;

    /// <summary>Builds the model and the loaders.</summary>
    /// <param name="recipe">The recipe, its augmentations written out.</param>
    /// <param name="train">Images to learn from.</param>
    /// <param name="measured">Images to measure with after each epoch.</param>
    /// <param name="measuresValidation">Whether these images are a validation split, and no test images.</param>
    /// <param name="loadBackbone">Whether to start the backbone with the weights that the recipe names; a run that is continued has its
    /// own.</param>
    /// <param name="shard">The part of every batch that is this process's; null for all of it.</param>
    /// <exception cref="DataException">The recipe's augmentation does not fit the images.</exception>
    /// <exception cref="TrainingException">The backbone's weights cannot be had, the recipe's model is no detector, or the images' size
    /// does not suit it.</exception>
    public DetectionTask(
        Recipe recipe, DetectionDataset train, DetectionDataset measured, bool measuresValidation = false, bool loadBackbone = true,
        Shard? shard = null)
    {
        ArgumentNullException.ThrowIfNull(recipe);
        ArgumentNullException.ThrowIfNull(train);
        ArgumentNullException.ThrowIfNull(measured);
        (Augmentation learning, Augmentation measuring) = Recipe.WrittenAugmentations(recipe);
        if (recipe.From is not null)
        {
            throw new TrainingException("A detector does not start from a CNN as its recipe's 'from' says; name a classification as its backbone.");
        }

        if (recipe.Distillation is not null)
        {
            throw new TrainingException("A detector does not learn from teachers as its recipe's 'distillation' says; leave that out.");
        }

        this.recipe = recipe;
        this.measuresValidation = measuresValidation;
        info = DetectionModels.All.FirstOrDefault(m => string.Equals(m.Name, recipe.Model, StringComparison.OrdinalIgnoreCase))
            ?? throw new TrainingException(
                $"The model '{recipe.Model}' finds no boxes; detectors are {string.Join(", ", DetectionModels.All.Select(m => m.Name))}.");
        int loaders = Math.Clamp(get_num_threads() / 4, 1, 8);
        this.train = new DetectionLoader(
            train, learning, recipe.BatchSize, shuffle: true, unchecked((ulong)recipe.Seed), loaders, minLast: 2, shard);
        this.measured = new DetectionLoader(
            measured.WithClasses(train.ClassNames), measuring, recipe.BatchSize, shuffle: false, 0, loaders, shard: shard);
        RefuseSize(this.train);
        RefuseSize(this.measured);
        model = RecipeModels.Create(recipe, train.ClassNames.Count, train.Info.Channels);
        try
        {
            DetectionRecipe detection = recipe.Detection ?? new DetectionRecipe();
            if (detection.Backbone is { } weights && loadBackbone)
            {
                LoadBackbone(weights);
            }

            if (detection.FreezeBatchNorm)
            {
                foreach (BatchNorm norm in BackboneModule.modules().OfType<BatchNorm>())
                {
                    norm.eval();
                }
            }
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public nn.Module Model => model;

    /// <inheritdoc/>
    public IReadOnlyList<Metric> Metrics => DetectionMetrics.All;

    /// <inheritdoc/>
    public bool MeasuresValidation => measuresValidation;

    private nn.Module BackboneModule => model.named_children().First(c => c.name == Backbone).module;

    /// <inheritdoc/>
    public bool SharesBatches => true;

    /// <inheritdoc/>
    public int BatchCount(TrainingPhase phase) => Loader(phase).BatchCount;

    /// <inheritdoc/>
    public ITaskPass Begin(TrainingPhase phase, int epoch, bool inspect, CancellationToken cancel) =>
        new DetectionPass(model, info.Levels, Loader(phase), epoch, useEngine: phase == TrainingPhase.Test && !inspect, null, cancel);

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, string> Describe(EpochMetrics metrics) =>
        new ModelCard(TrainingJson.Element(recipe), train.Channels, train.Dataset.ClassNames, TrainingJson.Element(metrics)).ToMetadata();

    /// <inheritdoc/>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref disposed, 1) == 0)
        {
            model.Dispose();
            train.Dispose();
            measured.Dispose();
        }
    }

    private DetectionLoader Loader(TrainingPhase phase) => phase == TrainingPhase.Train ? train : measured;

    private void RefuseSize(DetectionLoader loader)
    {
        if (loader.Height % SizeStep != 0 || loader.Width % SizeStep != 0)
        {
            throw new TrainingException(
                $"{info.Title} takes images whose sides are multiples of {SizeStep} pixels, "
                + $"but the recipe makes them {loader.Height}x{loader.Width}.");
        }
    }

    /// <summary>
    /// Starts the backbone with what a classification has learned: its layers have the same names, the classifier is left out.
    /// </summary>
    private void LoadBackbone(string path)
    {
        try
        {
            TensorFile file = Directory.Exists(path) ? TrainedModel.ReadWeights(path) : CheckpointFiles.ReadStateDict(path);
            using var scope = NewDisposeScope();
            Dictionary<string, TensorData> own = [];
            foreach (string name in BackboneModule.state_dict().Keys)
            {
                // A detector's own backbone will do, too.
                if ((file.Tensors.GetValueOrDefault(name) ?? file.Tensors.GetValueOrDefault($"{Backbone}.{name}")) is { } tensor)
                {
                    own[name] = tensor;
                }
            }

            StateDict.LoadInto(BackboneModule, own, source: path);
        }
        catch (CheckpointException e)
        {
            throw new TrainingException($"The backbone cannot start from {path}: {e.Message}", e);
        }
    }
}
