using static TorchSharp.torch;

namespace AdderNet.Training.Distillation;

/// <summary>What a classifier learns beside the labels of its images.</summary>
internal interface ILesson : IDisposable
{
    /// <summary>What is trained with the student, and saved with the optimizer's state.</summary>
    IReadOnlyList<Companion> Companions { get; }

    /// <summary>What is measured over the training images beside the classification.</summary>
    IReadOnlyList<Metric> Metrics { get; }

    /// <summary>The whole loss of some images, after the student's forward pass over them in training mode.</summary>
    /// <param name="images">[N, C, H, W].</param>
    /// <param name="labels">[N].</param>
    /// <param name="logits">The student's, [N, classes].</param>
    /// <param name="crossEntropy">Their mean cross-entropy with the labels.</param>
    /// <param name="meter">Is told the lesson's own metrics.</param>
    /// <returns>A scalar, in the caller's dispose scope.</returns>
    Tensor Loss(Tensor images, Tensor labels, Tensor logits, Tensor crossEntropy, ClassificationMeter meter);
}

/// <summary>The parts that lessons have in common.</summary>
internal static class Lesson
{
    public const string SoftName = "softLoss";

    /// <summary>What a soft loss is called.</summary>
    public static Metric SoftMetric { get; } = new(SoftName, "soft loss") { Phase = TrainingPhase.Train };

    /// <summary>T^2 KL(p || softmax(z / T)), the mean over images (Hinton et al., 2015).</summary>
    /// <param name="logits">The student's logits z, [N, classes].</param>
    /// <param name="soft">The teachers' probabilities p at the temperature T, [N, classes].</param>
    /// <param name="temperature">T.</param>
    public static Tensor SoftLoss(Tensor logits, Tensor soft, double temperature)
    {
        using var scope = NewDisposeScope();
        Tensor log = nn.functional.log_softmax(logits.Over(temperature), 1);
        return (soft.xlogy(soft) - soft * log).sum(1).mean().Times(temperature * temperature).MoveToOuterDisposeScope();
    }
}
