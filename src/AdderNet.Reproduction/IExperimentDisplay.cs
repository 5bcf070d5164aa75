using AdderNet.Data;
using AdderNet.Data.Detection;
using AdderNet.Training;

namespace AdderNet.Reproduction;

/// <summary>Where an experiment shows how it goes: its only way to the user.</summary>
internal interface IExperimentDisplay
{
    /// <summary>Shows a line; an empty one sets paragraphs apart.</summary>
    void WriteLine(string line = "");

    /// <summary>Opens the training or the test images of a data set, showing what is downloaded for it.</summary>
    Dataset OpenData(string name, bool train, string? dataDir, CancellationToken cancel);

    /// <summary>Opens all images of a data set with boxes, telling what is to be known of them.</summary>
    DetectionSplits OpenScenes(string name, string? dataDir, CancellationToken cancel);

    /// <summary>Measures what runs cost, telling which.</summary>
    void Measure(TimeEstimate estimate, IEnumerable<PlannedRun> runs, CancellationToken cancel);

    /// <summary>Runs a training and shows its epochs.</summary>
    /// <param name="trainer">The training.</param>
    /// <param name="history">Epochs completed earlier.</param>
    /// <param name="epochs">Epochs of the run.</param>
    /// <param name="whole">How far the whole experiment is (0 to 1) and what to say of it.</param>
    /// <param name="cancel">Cancelled when the user stops it.</param>
    TrainingResult Train(
        Trainer trainer, IReadOnlyList<EpochMetrics> history, int epochs, Func<TrainingProgress, (double Fraction, string Text)> whole,
        CancellationToken cancel);
}
