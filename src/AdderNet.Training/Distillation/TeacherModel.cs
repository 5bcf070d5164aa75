using System.Runtime.InteropServices;
using AdderNet.Checkpoints;
using AdderNet.Data;
using AdderNet.Graph;
using AdderNet.Inference;
using AdderNet.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace AdderNet.Training.Distillation;

/// <summary>A trained network in evaluation mode, which gives logits for images as the student sees them, without gradients.</summary>
internal sealed class TeacherModel : IDisposable
{
    private readonly nn.Module<Tensor, Tensor> model;

    // From the student's normalization of pixels to its own; null where they are the same.
    private readonly (Tensor Scale, Tensor Shift)? normalization;

    private TeacherModel(string path, nn.Module<Tensor, Tensor> model, (Tensor, Tensor)? normalization) =>
        (Path, this.model, this.normalization) = (path, model, normalization);

    /// <summary>What the user calls it.</summary>
    public string Path { get; }

    /// <summary>Its layers by their names; none where it is a graph in the engine.</summary>
    public nn.Module<Tensor, Tensor> Layers => model;

    /// <summary>Loads a teacher and makes sure that it can teach.</summary>
    /// <param name="teacher">Where it is.</param>
    /// <param name="student">The student's model, which a file of bare weights is tried as first.</param>
    /// <param name="images">The student's training images.</param>
    /// <param name="preparation">How they are normalized.</param>
    /// <param name="classNames">Their classes.</param>
    /// <exception cref="TrainingException">It can't be read, is another than the recipe says, or does not take these images or tell these
    /// classes apart.</exception>
    public static TeacherModel Load(
        Teacher teacher, string student, DataLoader images, Augmentation preparation, IReadOnlyList<string> classNames)
    {
        TeacherFile file = TeacherFile.Open(teacher);
        (nn.Module<Tensor, Tensor> model, IReadOnlyList<float>? mean, IReadOnlyList<float>? std, IReadOnlyList<string>? classes) = Read(file.Weights, student);
        TeacherModel loaded = new(teacher.Path, model, mean is null ? null : Renormalization(preparation, mean, std!));
        try
        {
            if (classes is { Count: > 0 } && !classes.SequenceEqual(classNames))
            {
                throw new TrainingException($"It tells other classes apart: {Listed(classes)}, not {Listed(classNames)}.");
            }

            loaded.Try(images, classNames.Count);
            return loaded;
        }
        catch (TrainingException e)
        {
            loaded.Dispose();
            throw new TrainingException($"{teacher.Path} cannot teach here: {e.Message}", e);
        }
    }

    /// <summary>The logits [N, classes] of images [N, C, H, W] normalized as the student's.</summary>
    public Tensor Logits(Tensor images)
    {
        using var guard = no_grad();
        using var scope = NewDisposeScope();
        Tensor own = normalization is { } n ? (images * n.Scale).Plus(n.Shift) : images;
        return model.call(own).MoveToOuterDisposeScope();
    }

    public void Dispose()
    {
        model.Dispose();
        normalization?.Scale.Dispose();
        normalization?.Shift.Dispose();
    }

    private static (nn.Module<Tensor, Tensor> Model, IReadOnlyList<float>? Mean, IReadOnlyList<float>? Std, IReadOnlyList<string>? Classes) Read(
        string path, string student)
    {
        try
        {
            if (GraphFiles.IsGraph(path))
            {
                NetworkGraph graph = GraphFiles.Read(path);
                return (new EngineModel(new Engine(graph, get_num_threads())), graph.Metadata.Preparation?.Mean, graph.Metadata.Preparation?.Std, graph.Metadata.ClassNames);
            }

            if (CnnStart.RecipeOf(path) is not null)
            {
                TrainedModel trained = TrainedModel.Load(path);
                return (trained.Model, trained.Preparation.Mean, trained.Preparation.Std, trained.ClassNames);
            }

            return (OfShape(path, student), null, null, null);
        }
        catch (Exception e) when (e is CheckpointException or GraphException or InferenceException)
        {
            throw new TrainingException(e.Message, e);
        }
    }

    /// <summary>The model of ours that a file of bare weights fits.</summary>
    private static nn.Module<Tensor, Tensor> OfShape(string path, string student)
    {
        // What is no file of weights is told as such, and not once for each model.
        CheckpointFiles.ReadStateDict(path).RefuseNaN(path);
        CheckpointException? unfit = null;
        foreach (string name in AdderNetModels.All.Select(m => m.Name).OrderBy(name => !string.Equals(name, student, StringComparison.OrdinalIgnoreCase)))
        {
            try
            {
                return AdderNetModels.Load(path, name);
            }
            catch (CheckpointException e)
            {
                unfit ??= e;
            }
        }

        throw new TrainingException($"{unfit!.Message} It fits no other model either; name the run that it was trained in.");
    }

    private static (Tensor, Tensor)? Renormalization(Augmentation from, IReadOnlyList<float> mean, IReadOnlyList<float> std)
    {
        using var scope = NewDisposeScope();
        Tensor scale = Channels(from.Std) / Channels(std), shift = (Channels(from.Mean) - Channels(mean)) / Channels(std);
        return scale.data<float>().All(s => s == 1) && shift.data<float>().All(s => s == 0)
            ? null
            : (scale.DetachFromDisposeScope(), shift.DetachFromDisposeScope());

        static Tensor Channels(IReadOnlyList<float> values) => tensor(values.ToArray()).view(1, -1, 1, 1);
    }

    /// <summary>Shows it an image of the student's size.</summary>
    private void Try(DataLoader images, int classes)
    {
        using var scope = NewDisposeScope();
        string size = $"{images.Channels}x{images.Height}x{images.Width}";
        Tensor logits;
        try
        {
            logits = Logits(zeros(2, images.Channels, images.Height, images.Width));
        }
        catch (Exception e) when (e is ExternalException or ArgumentException)
        {
            throw new TrainingException($"It does not take images of {size} ({e.Message.Split('\n')[0].TrimEnd('.')}).", e);
        }

        if (!logits.shape.SequenceEqual([2, classes]))
        {
            throw new TrainingException(
                $"For an image of {size} it gives [{string.Join(", ", logits.shape.Skip(1))}], not one logit for each of {classes} classes.");
        }
    }

    private static string Listed(IReadOnlyList<string> names) => string.Join(", ", names.Take(4)) + (names.Count > 4 ? $" and {names.Count - 4} more" : "");
}
