using TorchSharp;
using static TorchSharp.torch;

namespace AdderNet.Training.Distillation;

/// <summary>Learning from trained teachers: their probabilities, averaged, and the outputs of hidden layers.</summary>
internal sealed class TaughtLesson : ILesson
{
    private const string HintName = "hintLoss";

    private readonly DistillationRecipe recipe;
    private readonly TeacherModel[] teachers;
    private readonly HintMatch[] matches;

    /// <param name="recipe">What to learn.</param>
    /// <param name="teachers">The teachers, which become its own.</param>
    /// <param name="student">The student.</param>
    /// <param name="image">An image's channels, rows and columns.</param>
    /// <exception cref="TrainingException">Student or teacher has no layer of a hint's name.</exception>
    public TaughtLesson(DistillationRecipe recipe, IEnumerable<TeacherModel> teachers, nn.Module<Tensor, Tensor> student, (int C, int H, int W) image)
    {
        this.recipe = recipe;
        this.teachers = [.. teachers];
        matches = [.. this.teachers.SelectMany(teacher => recipe.Hints.Select(hint => new HintMatch(hint, teacher, student, image)))];
        Companions = [.. matches.Select((match, i) => (match.Map, Name: $"hint{i + 1}")).Where(m => m.Map is not null).Select(m => new Companion(m.Name, m.Map!))];
        Metrics = matches.Length == 0 ? [Lesson.SoftMetric] : [Lesson.SoftMetric, new Metric(HintName, "hint loss") { Phase = TrainingPhase.Train }];
    }

    public IReadOnlyList<Companion> Companions { get; }

    public IReadOnlyList<Metric> Metrics { get; }

    public Tensor Loss(Tensor images, Tensor labels, Tensor logits, Tensor crossEntropy, ClassificationMeter meter)
    {
        using var scope = NewDisposeScope();
        Tensor soft = Lesson.SoftLoss(logits, Probabilities(images), recipe.Temperature);
        meter.Add(Lesson.SoftName, soft.item<float>(), images.shape[0]);
        Tensor loss = crossEntropy.Times(1 - recipe.Weight).Plus(soft.Times(recipe.Weight));
        if (matches.Length > 0)
        {
            Tensor hints = matches.Select(m => m.Loss()).Aggregate((sum, next) => sum.Plus(next)).Over(teachers.Length);
            meter.Add(HintName, hints.item<float>(), images.shape[0]);
            loss = loss.Plus(hints.Times(recipe.HintWeight));
        }

        return loss.MoveToOuterDisposeScope();
    }

    public void Dispose()
    {
        foreach (HintMatch match in matches)
        {
            match.Dispose();
        }

        foreach (TeacherModel teacher in teachers)
        {
            teacher.Dispose();
        }
    }

    /// <summary>The mean of the teachers' probabilities at the temperature, [N, classes].</summary>
    private Tensor Probabilities(Tensor images)
    {
        using var guard = no_grad();
        using var scope = NewDisposeScope();
        Tensor sum = teachers.Select(t => nn.functional.softmax(t.Logits(images).Over(recipe.Temperature), 1)).Aggregate((all, next) => all.Plus(next));
        return sum.Over(teachers.Length).MoveToOuterDisposeScope();
    }
}
