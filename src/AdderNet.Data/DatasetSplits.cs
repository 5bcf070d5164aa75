namespace AdderNet.Data;

/// <summary>The parts of a data set.</summary>
/// <param name="Train">Images to learn from.</param>
/// <param name="Validation">Images to choose the best epoch by; null where the data set has none.</param>
/// <param name="Test">Images for the last measurement; null where the data set has none. There are validation or test images, or both.</param>
/// <param name="Notices">Sentences on what a user should know: what was left out, what was held out.</param>
public sealed record DatasetSplits(Dataset Train, Dataset? Validation, Dataset? Test, IReadOnlyList<string> Notices)
{
    /// <summary>The images to measure with after each epoch.</summary>
    public Dataset Measured => Validation ?? Test!;
}
