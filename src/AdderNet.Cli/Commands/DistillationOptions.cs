using System.CommandLine;
using AdderNet.Training;
using AdderNet.Training.Distillation;

namespace AdderNet.Cli.Commands;

/// <summary>The options of <c>train</c> that say what a classification learns from beside its labels.</summary>
internal sealed class DistillationOptions
{
    private enum Kind
    {
        Progressive,
    }

    private readonly Option<string[]> teacher = new("--teacher")
    {
        HelpName = "RUN|FILE",
        Description = "Learn from a trained network, too: a run, a file of weights (.pth, .safetensors) or a graph (.safetensors, .onnx); given "
            + "several times, from all of them, averaged",
    };

    private readonly Option<Kind?> distill = CommonOptions.Choice(
        "--distill", "Learn from a CNN of the same model, too, that is trained at the same time (Xu et al., 2020)", ("progressive", Kind.Progressive));

    private readonly Option<double?> temperature = CommonOptions.Number(
        "--temperature", "T", "What a teacher's and the student's scores are divided by before they are compared; 4 by default", 1e-3, 1e3);

    private readonly Option<double?> weight = CommonOptions.Number(
        "--distill-weight", "W", "Share of the loss that is the teacher's, the rest being the labels'; 0.5 by default", 0.0, 1.0);

    private readonly Option<string[]> hint = new("--hint")
    {
        HelpName = "LAYER[=TEACHERS_LAYER]",
        Description = "Learn to give what this hidden layer of the teacher gives, too, such as layer2; several times for several layers",
    };

    public IEnumerable<Option> All => [teacher, distill, temperature, weight, hint];

    /// <summary>The first teacher that was given; null for none.</summary>
    public string? FirstTeacher(ParseResult arguments) => Teachers(arguments).FirstOrDefault();

    /// <summary>The recipe with what was given.</summary>
    public Recipe Apply(Recipe recipe, ParseResult arguments)
    {
        string[] teachers = [.. Teachers(arguments)];
        bool together = arguments.GetValue(distill) == Kind.Progressive;
        if (together && teachers.Length > 0)
        {
            throw CliException.Usage("With --distill progressive the teacher is made and trained with the AdderNet; leave --teacher out.");
        }

        DistillationRecipe? old = recipe.Distillation;
        if (old is null && teachers.Length == 0 && !together)
        {
            return All.FirstOrDefault(arguments.Has) is { } lonely
                ? throw CliException.Usage($"{lonely.Name} says how to learn from teachers; name one with --teacher, or use --distill progressive.")
                : recipe;
        }

        old ??= new DistillationRecipe();
        return recipe with
        {
            Distillation = old with
            {
                Teachers = teachers.Length > 0 ? [.. teachers.Select(path => new Teacher(path))] : together ? [] : old.Teachers,
                Progressive = together ? old.Progressive ?? new ProgressiveDistillation() : teachers.Length > 0 ? null : old.Progressive,
                Temperature = arguments.GetValue(temperature) ?? old.Temperature,
                Weight = arguments.GetValue(weight) ?? old.Weight,
                Hints = arguments.GetValue(hint) is { Length: > 0 } hints ? [.. hints.Select(HintOf)] : old.Hints,
            },
        };
    }

    private IEnumerable<string> Teachers(ParseResult arguments) => (arguments.GetValue(teacher) ?? []).Select(path => Path.Exists(path)
        ? Path.GetFullPath(path)
        : throw new CliException($"There is no run and no file {path} to learn from."));

    private static Hint HintOf(string text) => text.Split('=') switch
    {
        [{ Length: > 0 } both] => new Hint(both, both),
        [{ Length: > 0 } student, { Length: > 0 } teachers] => new Hint(student, teachers),
        _ => throw CliException.Usage($"--hint takes a layer's name, or the student's and the teacher's as layer2=layer3, not '{text}'."),
    };
}
