using System.CommandLine;
using AdderNet.Cli.Detection;
using AdderNet.Data;
using AdderNet.Models;
using AdderNet.Training;

namespace AdderNet.Cli.Commands;

/// <summary>The options of <c>train</c> that decide what is computed: together they make a recipe.</summary>
internal sealed class RecipeOptions
{
    private enum Scale
    {
        Adaptive,
        Increased,
        None,
    }

    private readonly Option<string?> recipe = new("--recipe")
    {
        HelpName = "NAME|FILE",
        Description = "Start from a named recipe ('recipes' lists them) or from a recipe file",
    };

    private readonly Option<string?> model = CommonOptions.Model($"Model to train ('models' lists them); by default what suits --data: {Partners.Rule}");
    private readonly Option<string?> data = CommonOptions.Data("Data set to train on ('datasets' lists them); by default mnist, or what suits --model");
    private readonly Option<LayerKind?> layers = CommonOptions.Layers();
    private readonly Option<string?> from = new("--from")
    {
        HelpName = "CNN_RUN|FILE",
        Description = "Start the AdderNet from a trained CNN of the same model, a run, a file of weights (.pth, .safetensors) or a graph (.onnx), and take small steps: "
            + "--lr 0.02 --eta 0.3, weight decay 0.0002; a run also says the rest of the recipe",
    };

    private readonly Option<int?> epochs = CommonOptions.Number("--epochs", "N", "Passes over the training images", 1, 1_000_000);
    private readonly Option<int?> batchSize = CommonOptions.Number("--batch-size", "N", "Images a step", 1, 1 << 20);
    private readonly Option<double?> learningRate = CommonOptions.Number("--lr", "RATE", "Learning rate at the start of the cosine", 1e-12, 1e6);

    private readonly Option<long?> seed = CommonOptions.Number(
        "--seed", "N", "Decides initial weights, order and augmentation", long.MinValue, long.MaxValue);

    private readonly Option<WeightGradient?> gradient = CommonOptions.Choice(
        "--gradient", "Gradient of the adder filters: full precision, or its sign",
        ("full", WeightGradient.FullPrecision), ("sign", WeightGradient.Sign));

    private readonly Option<InputGradient?> inputGradient = CommonOptions.Choice(
        "--input-gradient", "Gradient that adder layers hand on: clipped as in the first paper, or its sign", ("clipped", InputGradient.Clipped), ("sign", InputGradient.Sign));

    private readonly DetectionOptions detection = new();
    private readonly DistillationOptions distillation = new();

    private readonly Option<Scale?> scaling = CommonOptions.Choice(
        "--scaling", "Learning rate of the adder layers: adaptive, increased by a fixed factor (ilr), or none",
        ("adaptive", Scale.Adaptive), ("ilr", Scale.Increased), ("none", Scale.None));

    private readonly Option<double?> eta = CommonOptions.Number(
        "--eta", "ETA", "Size of the scaled gradients with --scaling adaptive", 1e-12, 1e6);

    private IEnumerable<Option> All => [recipe, model, data, layers, from, epochs, batchSize, learningRate, seed, gradient, inputGradient, scaling, eta, .. distillation.All, .. detection.All];

    public void AddTo(Command command)
    {
        foreach (Option option in All)
        {
            command.Add(option);
        }
    }

    /// <summary>The first of these options that the command line has; null where it has none.</summary>
    public string? FirstGiven(ParseResult arguments) => All.FirstOrDefault(o => arguments.Has(o))?.Name;

    /// <summary>The recipe asked for: a named one, a file's, or the paper's for the model and the data set, with what else was given.</summary>
    public Recipe Resolve(ParseResult arguments)
    {
        ModelInfo? givenModel = arguments.GetValue(model) is { } m ? Names.Model(m) : null;
        DatasetInfo? givenData = arguments.GetValue(data) is { } d ? Datasets.Find(d) : null;
        string? cnn = arguments.GetValue(from) is { } path ? CnnPath(path) : null;
        Recipe result = arguments.GetValue(recipe) is { } named ? Names.Recipe(named)
            : cnn is not null && givenModel is null && CnnStart.RecipeOf(cnn) is { } trained ? trained
            : distillation.FirstTeacher(arguments) is { } teacher && givenModel is null && givenData is null && CnnStart.RecipeOf(teacher) is { } taught
            ? taught.ForStudent()
            : givenModel is null && givenData is null ? Recipes.All[0].Recipe
            : Recipe.For((givenModel ?? Partners.ModelFor(givenData!)).Name, (givenData ?? Partners.DataFor(givenModel!)).Name);
        result = cnn is null ? result : result.StartingFrom(cnn);
        result = (givenData is null ? result : result.WithDataset(givenData.Name)) with
        {
            Model = givenModel?.Name ?? Names.Model(result.Model).Name,
            Layers = arguments.GetValue(layers) ?? result.Layers,
            Epochs = arguments.GetValue(epochs) ?? result.Epochs,
            BatchSize = arguments.GetValue(batchSize) ?? result.BatchSize,
            LearningRate = arguments.GetValue(learningRate) ?? result.LearningRate,
            Seed = arguments.GetValue(seed) ?? result.Seed,
            WeightGradient = arguments.GetValue(gradient) ?? result.WeightGradient,
            InputGradient = arguments.GetValue(inputGradient) ?? result.InputGradient,
        };
        if (arguments.Has(epochs))
        {
            // Fewer epochs than the recipe warms up for leave one to learn in.
            result = result with { WarmupEpochs = Math.Min(result.WarmupEpochs, Math.Max(0, result.Epochs - 1)) };
        }

        result = ForTask(result, arguments);
        result = WithScaling(result, arguments.GetValue(scaling), arguments.GetValue(eta));
        result.Validate();
        return result.WithAugmentation();
    }

    /// <summary>The task follows from the data; the model must be one for it.</summary>
    private Recipe ForTask(Recipe result, ParseResult arguments)
    {
        ModelInfo chosen = Names.Model(result.Model);
        DatasetInfo info = Datasets.Find(result.Dataset);
        if (chosen.FindsBoxes != info.HasBoxes)
        {
            throw CliException.Usage(chosen.FindsBoxes
                ? $"{chosen.Title} finds objects, and {info.Title} has images of one class each; use --data {string.Join(", ", Datasets.All.Where(d => d.HasBoxes).Select(d => d.Name))}, or another model."
                : $"{info.Title} has images with boxes, and {chosen.Title} finds none; use --model {string.Join(", ", Names.Models.Where(m => m.FindsBoxes).Select(m => m.Name))}.");
        }

        Names.CheckLayers(chosen, result.Layers);
        if (info.HasBoxes)
        {
            if (result.From is not null)
            {
                throw CliException.Usage("--from is for models that tell images apart; a detector starts from a classifier's weights with --backbone.");
            }

            if (result.Distillation is not null || distillation.All.Any(arguments.Has))
            {
                throw CliException.Usage("Teachers are for models that tell images apart, not for detectors; leave --teacher and --distill out.");
            }

            return detection.Apply(result, arguments);
        }

        return detection.All.FirstOrDefault(arguments.Has) is { } useless
            ? throw CliException.Usage($"{useless.Name} is for detection, and {info.Title} has no boxes; leave it out, or use another data set.")
            : distillation.Apply(result, arguments);
    }

    private static string CnnPath(string path) => !Path.Exists(path)
        ? throw new CliException($"There is no run and no file {path} to start from.")
        : Path.GetFullPath(path);

    private static Recipe WithScaling(Recipe result, Scale? scale, double? eta)
    {
        AdaptiveScaling? adaptive = result.GradientTransforms.OfType<AdaptiveScaling>().FirstOrDefault();
        Recipe scaled = scale switch
        {
            null => result,
            Scale.Adaptive => result.WithScaling(adaptive ?? new AdaptiveScaling()),
            Scale.Increased => result.WithScaling(result.GradientTransforms.OfType<IncreasedScaling>().FirstOrDefault() ?? new IncreasedScaling()),
            _ => result.WithScaling(null),
        };
        if (eta is not { } size)
        {
            return scaled;
        }

        return scaled.GradientTransforms.Any(t => t is AdaptiveScaling)
            ? scaled.WithScaling(new AdaptiveScaling(size))
            : throw CliException.Usage("--eta belongs to --scaling adaptive; leave one of them out.");
    }
}
