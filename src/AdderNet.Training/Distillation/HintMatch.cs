using TorchSharp;
using static TorchSharp.torch;

namespace AdderNet.Training.Distillation;

/// <summary>
/// A layer of the student that learns to give what a layer of the teacher gives: the mean squared error between them, behind a 1x1 layer
/// that is trained along where they have other numbers of channels (FitNets' regressor). Of maps of other sizes the larger one is averaged.
/// </summary>
internal sealed class HintMatch : IDisposable
{
    private readonly FeatureTap student, teacher;
    private readonly long[]? rowsAndColumns;

    /// <param name="hint">The layers' names.</param>
    /// <param name="teacher">The teacher.</param>
    /// <param name="model">The student.</param>
    /// <param name="image">An image's channels, rows and columns.</param>
    /// <exception cref="TrainingException">There is no such layer, or what they give cannot be compared.</exception>
    public HintMatch(Hint hint, TeacherModel teacher, nn.Module<Tensor, Tensor> model, (int C, int H, int W) image)
    {
        nn.Module<Tensor, Tensor> own = FeatureTap.Find(model, hint.Student)
            ?? throw new TrainingException($"The student has no layer '{hint.Student}' to match; its layers are {Layers(model)}.");
        nn.Module<Tensor, Tensor> taught = FeatureTap.Find(teacher.Layers, hint.Teacher) ?? throw new TrainingException(
            teacher.Layers is EngineModel
                ? $"{teacher.Path} is a graph, whose hidden layers cannot be matched; name the run or the weights that it was made of."
                : $"The teacher {teacher.Path} has no layer '{hint.Teacher}' to match; its layers are {Layers(teacher.Layers)}.");
        this.teacher = new FeatureTap(taught, always: true);
        (long[] from, long[] to) = Shapes(own, model, teacher, image);
        if (from.Length != to.Length || from.Length is not (2 or 4))
        {
            this.teacher.Dispose();
            throw new TrainingException(
                $"The student's layer '{hint.Student}' gives [{string.Join(", ", from.Skip(1))}] and the teacher's '{hint.Teacher}' "
                + $"[{string.Join(", ", to.Skip(1))}] for an image, which cannot be matched.");
        }

        rowsAndColumns = from.Length == 4 && (from[2], from[3]) != (to[2], to[3]) ? [Math.Min(from[2], to[2]), Math.Min(from[3], to[3])] : null;
        Map = from[1] == to[1] ? null : from.Length == 4 ? nn.Conv2d(from[1], to[1], 1) : nn.Linear(from[1], to[1]);
        student = new FeatureTap(own, always: false);
    }

    /// <summary>The 1x1 layer from the student's channels to the teacher's; null where they are as many.</summary>
    public nn.Module<Tensor, Tensor>? Map { get; }

    /// <summary>The mean squared error of the latest pass of both.</summary>
    public Tensor Loss()
    {
        using var scope = NewDisposeScope();
        using Tensor mine = student.Take(), theirs = teacher.Take();
        Tensor given = Pooled(mine);
        return nn.functional.mse_loss(Map?.call(given) ?? given, Pooled(theirs)).MoveToOuterDisposeScope();
    }

    public void Dispose()
    {
        student.Dispose();
        teacher.Dispose();
        Map?.Dispose();
    }

    /// <summary>The shapes of what both layers give.</summary>
    private (long[] Student, long[] Teacher) Shapes(
        nn.Module<Tensor, Tensor> own, nn.Module<Tensor, Tensor> model, TeacherModel taught, (int C, int H, int W) image)
    {
        using FeatureTap probe = new(own, always: true);
        using var guard = no_grad();
        using var scope = NewDisposeScope();
        ModuleModes modes = ModuleModes.Evaluate(model);
        Tensor images = zeros(2, image.C, image.H, image.W);
        model.call(images);
        modes.Restore();
        taught.Logits(images);
        using Tensor mine = probe.Take(), theirs = teacher.Take();
        return (mine.shape, theirs.shape);
    }

    private Tensor Pooled(Tensor features) => rowsAndColumns is null ? features : nn.functional.adaptive_avg_pool2d(features, rowsAndColumns);

    private static string Layers(nn.Module model)
    {
        const int most = 12;
        string[] names = [.. model.named_modules().Where(m => m.module is nn.Module<Tensor, Tensor>).Select(m => m.name)];
        return string.Join(", ", names.Take(most)) + (names.Length > most ? $" and {names.Length - most} more" : "");
    }
}
