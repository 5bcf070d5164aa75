using AdderNet.Checkpoints;
using AdderNet.Data;
using AdderNet.Graph;
using AdderNet.Models;
using AdderNet.Training.Distillation;
using TorchSharp;
using static TorchSharp.torch;

namespace AdderNet.Training;

/// <summary>
/// Tells images apart by class: targets are labels, the loss is the cross-entropy, to which come the lessons of a recipe's teachers, and accuracy
/// decides which epoch is the best.
/// </summary>
public sealed class ClassificationTask : ITrainingTask
{
    private readonly Recipe recipe;
    private readonly DataLoader train, measured;
    private readonly bool measuresValidation;
    private readonly IReadOnlyList<string> classNames;
    private readonly nn.Module<Tensor, Tensor> model;
    private readonly ILesson? lesson;
    private int disposed;

    /// <summary>Builds the model and the loaders.</summary>
    /// <param name="recipe">The recipe, its augmentations written out.</param>
    /// <param name="train">Images to learn from.</param>
    /// <param name="measured">Images to measure with after each epoch.</param>
    /// <param name="model">Makes your own module from [N, C, H, W] to [N, classes]; null makes the recipe's model.</param>
    /// <param name="measuresValidation">Whether these images are a validation split, and no test images.</param>
    /// <param name="begins">Whether the model starts from the CNN that the recipe may name; a run that is continued has its own weights.</param>
    /// <param name="shard">The part of every batch that is this process's; null for all of it.</param>
    /// <exception cref="DataException">The recipe's augmentation does not fit the images.</exception>
    /// <exception cref="TrainingException">The recipe's model takes no images of the size that the recipe makes, or cannot start from the CNN
    /// that the recipe names, or a teacher is gone or cannot teach it.</exception>
    /// <exception cref="ArgumentException">There is no model of the recipe's name, or the recipe leaves an augmentation out.</exception>
    public ClassificationTask(
        Recipe recipe, Dataset train, Dataset measured, Func<nn.Module<Tensor, Tensor>>? model = null, bool measuresValidation = false,
        bool begins = true, Shard? shard = null)
    {
        ArgumentNullException.ThrowIfNull(recipe);
        ArgumentNullException.ThrowIfNull(train);
        ArgumentNullException.ThrowIfNull(measured);
        (Augmentation learning, Augmentation measuring) = Recipe.WrittenAugmentations(recipe);
        if (model is not null && recipe.From is not null)
        {
            throw new ArgumentException($"A model of your own starts from a CNN by {nameof(CnnConversion)}, not by its recipe.", nameof(recipe));
        }

        if (model is not null && recipe.Distillation?.Progressive is not null)
        {
            throw new ArgumentException("Of a model of your own no CNN of the same shape can be made; leave progressive distillation out.", nameof(recipe));
        }

        this.recipe = recipe;
        this.measuresValidation = measuresValidation;
        classNames = train.ClassNames;
        // One loader thread keeps several compute threads fed; what it prepares does not depend on their number.
        int loaders = Math.Clamp(get_num_threads() / 4, 1, 8);
        // A last batch of one image would be too few for BatchNorm, so that the batch before takes it.
        this.train = new DataLoader(train, learning, recipe.BatchSize, shuffle: true, unchecked((ulong)recipe.Seed), loaders, minLast: 2, shard: shard);
        this.measured = new DataLoader(measured, measuring, recipe.BatchSize, shuffle: false, 0, loaders, shard: shard);
        this.model = model?.Invoke() ?? RecipeModels.Create(recipe, classNames.Count, train.Info.Channels);
        // A graph a size of image.
        DataLoader[] sizes = model is null
            ? [.. ((DataLoader[])[this.train, this.measured]).DistinctBy(loader => (loader.Channels, loader.Height, loader.Width))]
            : [];
        if (Array.Find(sizes, loader => !Fits(loader)) is { } wrong)
        {
            ModelInfo info = AdderNetModels.Find(recipe.Model);
            Dispose();
            throw new TrainingException(
                $"{info.Title} takes images of {info.InputSize}x{info.InputSize} pixels, but the recipe makes them {wrong.Height}x{wrong.Width}; "
                + "use a model for any size, such as resnet18 or resnet20, or a recipe that makes them so.");
        }

        try
        {
            if (begins && recipe.From is not null)
            {
                // Whole batches, so that it starts alike however many processes there are.
                using DataLoader whole = new(train, learning, recipe.BatchSize, shuffle: true, unchecked((ulong)recipe.Seed), loaders, minLast: 2);
                recipe.From.Apply(this.model, recipe.Model, whole);
            }

            lesson = LessonOf(recipe);
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
    public IReadOnlyList<Companion> Companions => lesson?.Companions ?? [];

    /// <inheritdoc/>
    public IReadOnlyList<Metric> Metrics => [.. ClassificationMetrics.All, .. lesson?.Metrics ?? []];

    /// <inheritdoc/>
    public bool MeasuresValidation => measuresValidation;

    /// <inheritdoc/>
    public int BatchCount(TrainingPhase phase) => Loader(phase).BatchCount;

    /// <inheritdoc/>
    public ITaskPass Begin(TrainingPhase phase, int epoch, bool inspect, CancellationToken cancel) =>
        new ClassificationPass(
            model, Loader(phase), epoch, useEngine: phase == TrainingPhase.Test && !inspect, cancel, phase == TrainingPhase.Train ? lesson : null);

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, string> Describe(EpochMetrics metrics) =>
        new ModelCard(TrainingJson.Element(recipe), train.Channels, classNames, TrainingJson.Element(metrics)).ToMetadata();

    /// <inheritdoc/>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref disposed, 1) == 0)
        {
            lesson?.Dispose();
            model.Dispose();
            train.Dispose();
            measured.Dispose();
        }
    }

    /// <summary>Whether the model makes one logit a class of the loader's images: fully connected layers are of one size of image.</summary>
    private bool Fits(DataLoader loader)
    {
        try
        {
            NetworkGraph graph = model.ToGraph(new FeatureShape(loader.Channels, loader.Height, loader.Width));
            return graph.Nodes.Single(node => node.Name == graph.Outputs[0].Node).Shape.Count == classNames.Count;
        }
        catch (GraphException)
        {
            return false;
        }
    }

    private ILesson? LessonOf(Recipe recipe)
    {
        if (recipe.Distillation is not { } distillation)
        {
            return null;
        }

        if (distillation.Progressive is not null)
        {
            return new ProgressiveLesson(recipe, model, classNames.Count, train.Channels);
        }

        List<TeacherModel> teachers = [];
        try
        {
            foreach (Teacher teacher in distillation.Teachers)
            {
                teachers.Add(TeacherModel.Load(teacher, recipe.Model, train, recipe.TrainAugmentation!, classNames));
            }

            return new TaughtLesson(distillation, teachers, model, (train.Channels, train.Height, train.Width));
        }
        catch
        {
            teachers.ForEach(teacher => teacher.Dispose());
            throw;
        }
    }

    private DataLoader Loader(TrainingPhase phase) => phase == TrainingPhase.Train ? train : measured;
}
