using AdderNet.Models;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace AdderNet.Training.Distillation;

/// <summary>
/// Learning from a CNN of the same shape that learns at the same time, so that the AdderNet never has to follow one that is far ahead: the CNN
/// from the labels alone, the AdderNet from the labels, the CNN's probabilities, and what the CNN's layers give (Xu et al., NeurIPS 2020).
/// </summary>
internal sealed class ProgressiveLesson : ILesson
{
    private const string KernelName = "kernelLoss", TeacherName = "teacherTop1";

    private readonly DistillationRecipe recipe;
    private readonly double beta;
    private readonly nn.Module<Tensor, Tensor> teacher;
    private readonly (KernelMatch Kernels, FeatureTap Student, FeatureTap Teacher)[] matches;

    /// <param name="recipe">How the AdderNet is trained.</param>
    /// <param name="student">The AdderNet.</param>
    /// <param name="classes">Classes of the images.</param>
    /// <param name="channels">Channels of the images.</param>
    public ProgressiveLesson(Recipe recipe, nn.Module<Tensor, Tensor> student, int classes, int channels)
    {
        this.recipe = recipe.Distillation!;
        ProgressiveDistillation progressive = this.recipe.Progressive!;
        beta = progressive.Beta;
        teacher = RecipeModels.Create(recipe with { Layers = LayerKind.Conv }, classes, channels);
        matches = [.. NormsOfAdders(student).Select(norm => (
            new KernelMatch(((BatchNorm)FeatureTap.Find(student, norm)!).weight!.shape[0], progressive.Sigma),
            new FeatureTap(FeatureTap.Find(student, norm)!, always: false), new FeatureTap(FeatureTap.Find(teacher, norm)!, always: false)))];
        Companions = [new Companion("teacher", teacher), .. matches.Select((match, i) => new Companion($"kernels{i + 1}", match.Kernels))];
    }

    public IReadOnlyList<Companion> Companions { get; }

    public IReadOnlyList<Metric> Metrics { get; } =
    [
        Lesson.SoftMetric,
        new(KernelName, "kernel loss") { Phase = TrainingPhase.Train },
        new(TeacherName, "CNN's accuracy") { Phase = TrainingPhase.Train, IsShare = true },
    ];

    public Tensor Loss(Tensor images, Tensor labels, Tensor logits, Tensor crossEntropy, ClassificationMeter meter)
    {
        using var scope = NewDisposeScope();
        long count = images.shape[0];
        Tensor taught = teacher.call(images);
        Tensor soft = Lesson.SoftLoss(logits, nn.functional.softmax(taught.detach().Over(recipe.Temperature), 1), recipe.Temperature);
        Tensor kernel = zeros(1);
        foreach ((KernelMatch kernels, FeatureTap student, FeatureTap cnn) in matches)
        {
            using Tensor mine = student.Take(), theirs = cnn.Take();
            kernel = kernel.Plus(kernels.call(mine, theirs));
        }

        meter.Add(Lesson.SoftName, soft.item<float>(), count);
        meter.Add(KernelName, kernel.item<float>(), count);
        meter.Add(TeacherName, taught.argmax(1).eq(labels).to_type(ScalarType.Float32).mean().item<float>(), count);
        return crossEntropy.Times(1 - recipe.Weight).Plus(soft.Times(recipe.Weight)).Plus(kernel.squeeze().Times(beta))
            .Plus(nn.functional.cross_entropy(taught, labels)).MoveToOuterDisposeScope();
    }

    public void Dispose()
    {
        foreach ((KernelMatch kernels, FeatureTap student, FeatureTap cnn) in matches)
        {
            kernels.Dispose();
            student.Dispose();
            cnn.Dispose();
        }

        teacher.Dispose();
    }

    /// <summary>The BatchNorm that follows each adder layer, by its name.</summary>
    private static IEnumerable<string> NormsOfAdders(nn.Module student)
    {
        bool follows = false;
        foreach ((string name, nn.Module module) in student.named_modules())
        {
            if (follows && module is BatchNorm)
            {
                yield return name;
            }

            follows = module is Adder2d || (follows && module is not BatchNorm);
        }
    }
}
