namespace AdderNet.Data;

/// <summary>What is known of a data set before it is read. Sizes are those of the stored images.</summary>
/// <param name="Name">The name that commands take, such as "fashion-mnist".</param>
/// <param name="Title">The name that people read, such as "Fashion-MNIST".</param>
/// <param name="Channels">1 for grey, 3 for RGB.</param>
/// <param name="Height">Rows of a stored image; 0 where images differ in size.</param>
/// <param name="Width">Columns of a stored image; 0 where images differ in size.</param>
/// <param name="ClassNames">Names by label; empty where they come from the folder that is opened.</param>
/// <param name="TrainCount">Training images; 0 where unknown.</param>
/// <param name="TestCount">Test images; 0 where unknown.</param>
/// <param name="CanDownload">Whether the official source may be downloaded from.</param>
/// <param name="Source">The official page, or a note on where the images come from.</param>
public sealed record DatasetInfo(
    string Name,
    string Title,
    int Channels,
    int Height,
    int Width,
    IReadOnlyList<string> ClassNames,
    int TrainCount,
    int TestCount,
    bool CanDownload,
    string Source)
{
    /// <summary>Whether its labels are boxes around objects, for detection; else each image has one class.</summary>
    public bool HasBoxes { get; init; }

    /// <summary>Number of classes.</summary>
    public int Classes => ClassNames.Count;
}
