namespace AdderNet.Data.Detection;

/// <summary>An object in an image, as a person marked it.</summary>
/// <param name="Class">Its class, 0 to the number of classes - 1.</param>
/// <param name="Box">Where it lies.</param>
public sealed record LabelledBox(int Class, Box Box)
{
    /// <summary>
    /// Whether it is so hard to see that finding it counts for nothing, and missing it neither (Pascal VOC's <c>difficult</c>).
    /// </summary>
    public bool IsDifficult { get; init; }

    /// <summary>Whether the box is around a crowd, in which any number of detections count for nothing (COCO's <c>iscrowd</c>).</summary>
    public bool IsCrowd { get; init; }

    /// <summary>
    /// Pixels of the object itself, by which COCO tells small, medium and large ones apart: those of its outline where the file has one,
    /// else the box's.
    /// </summary>
    public float Area { get; init; } = Box.Area;

    /// <summary>Whether neither finding nor missing it counts.</summary>
    public bool IsIgnored => IsDifficult || IsCrowd;
}

/// <summary>An image with what a person marked in it.</summary>
/// <param name="Name">What messages call it: its path, or its number.</param>
/// <param name="Width">Columns of the stored image.</param>
/// <param name="Height">Rows of the stored image.</param>
/// <param name="Objects">The objects in it; empty where there are none.</param>
public sealed record LabelledImage(string Name, int Width, int Height, IReadOnlyList<LabelledBox> Objects);
