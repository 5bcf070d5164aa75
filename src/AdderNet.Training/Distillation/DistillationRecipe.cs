using System.Text.Json.Serialization;
using AdderNet.Models;

namespace AdderNet.Training.Distillation;

/// <summary>
/// What a recipe says of the teachers that a classification learns from beside its labels: trained ones, or a CNN that is trained at the same
/// time (<see cref="Progressive"/>).
/// </summary>
/// <remarks>
/// The loss is (1 - w) CE(z, y) + w T^2 KL(p_T || q_T), with the student's logits z, q_T = softmax(z / T) and p_T the mean of the teachers'
/// (Hinton, Vinyals, Dean, "Distilling the Knowledge in a Neural Network", 2015); T^2 keeps the size of the gradient whatever T is. To it come
/// the hints' mean squared errors (Romero et al., "FitNets", 2015), or beta times the kernels' mean squared errors.
/// </remarks>
public sealed record DistillationRecipe
{
    /// <summary>The trained teachers, whose probabilities are averaged; empty with <see cref="Progressive"/>.</summary>
    public IReadOnlyList<Teacher> Teachers { get; init; } = [];

    /// <summary>The temperature T, by which logits are divided: the higher it is, the more a teacher tells of the classes that it rejects.</summary>
    public double Temperature { get; init; } = 4;

    /// <summary>The weight w of what the teachers say, from 0 to 1; what is left is that of the labels.</summary>
    public double Weight { get; init; } = 0.5;

    /// <summary>Hidden layers whose outputs are to be alike in student and teacher.</summary>
    public IReadOnlyList<Hint> Hints { get; init; } = [];

    /// <summary>The weight of the hints' mean squared errors.</summary>
    public double HintWeight { get; init; } = 1;

    /// <summary>Trains a CNN of the same shape at the same time, which teaches the AdderNet; null for teachers that are trained already.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public ProgressiveDistillation? Progressive { get; init; }

    /// <summary>These values with the hashes of the teachers' weights, so that a run knows its teachers again.</summary>
    /// <exception cref="TrainingException">A teacher can't be read, or is another than a hash says.</exception>
    internal DistillationRecipe WithHashes() => this with { Teachers = [.. Teachers.Select(t => t with { Sha256 = TeacherFile.Open(t).Sha256 })] };

    /// <summary>Values that make no sense: the field, the value, and what it must be.</summary>
    /// <param name="layers">The student's layers.</param>
    internal IEnumerable<(string Field, object Value, string Range)> Invalid(LayerKind layers)
    {
        (bool Valid, string Field, object Value, string Range)[] checks =
        [
            (Teachers.All(t => t is { Path.Length: > 0 }), "teachers", "a list with an empty place", "a list of runs, files of weights or graphs"),
            (Teachers.Count > 0 || Progressive is not null, "teachers", "empty", "a list of at least one, or left out where 'progressive' is given"),
            (double.IsFinite(Temperature) && Temperature > 0, "temperature", Temperature, "a number above 0"),
            (Weight is >= 0 and <= 1, "weight", Weight, "0 to 1"),
            (Hints.All(h => h is { Student.Length: > 0, Teacher.Length: > 0 }), "hints", "a list with an empty place", "a list of layers' names"),
            (double.IsFinite(HintWeight) && HintWeight >= 0, "hintWeight", HintWeight, "0 or more"),
        ];
        (bool Valid, string Field, object Value, string Range)[] progressive = Progressive is not { } together ? [] :
        [
            (layers == LayerKind.Adder, "progressive", "given", "left out where layers is not adder: it is an AdderNet that the CNN teaches"),
            (Teachers.Count == 0, "teachers", "given", "left out with 'progressive', whose teacher is made and trained with the AdderNet"),
            (Hints.Count == 0, "hints", "given", "left out with 'progressive', which matches every adder layer"),
            (double.IsFinite(together.Beta) && together.Beta >= 0, "progressive.beta", together.Beta, "0 or more"),
            (double.IsFinite(together.Sigma) && together.Sigma > 0, "progressive.sigma", together.Sigma, "a number above 0"),
        ];
        return from check in checks.Concat(progressive) where !check.Valid select (check.Field, check.Value, check.Range);
    }
}

/// <summary>A trained network that teaches: all it has to do is to give logits for images.</summary>
/// <param name="Path">A run's folder, whose best epoch is taken, a file of weights (.pth, .safetensors), or a graph (.safetensors, .onnx).</param>
public sealed record Teacher(string Path)
{
    /// <summary>The SHA-256 of its file of weights in hexadecimal digits; null for whatever stands there. A run's own recipe has it.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Sha256 { get; init; }
}

/// <summary>A layer of the student and the layer of each teacher whose outputs it learns to give.</summary>
/// <param name="Student">The layer's name in the student, such as <c>layer2</c>.</param>
/// <param name="Teacher">The layer's name in the teachers.</param>
public sealed record Hint(string Student, string Teacher);

/// <summary>
/// The authors' kernel-based progressive distillation (Xu et al., "Kernel Based Progressive Distillation for Adder Neural Networks", NeurIPS
/// 2020), as far as it is published; docs/distillation.md says what is the paper's and what is ours.
/// </summary>
public sealed record ProgressiveDistillation
{
    /// <summary>The weight of the hidden layers' part of the loss.</summary>
    public double Beta { get; init; } = 1;

    /// <summary>The width of the kernels at the start, in standard deviations of a layer's outputs.</summary>
    public double Sigma { get; init; } = 1;
}
