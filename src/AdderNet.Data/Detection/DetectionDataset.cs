namespace AdderNet.Data.Detection;

/// <summary>Images with labelled boxes. Reading is safe from several threads.</summary>
public sealed class DetectionDataset : IImageSource
{
    private readonly Func<int, ImageFile.Buffers, RawImage> read;

    /// <param name="info">What the images are.</param>
    /// <param name="images">The labels, and each image's size.</param>
    /// <param name="read">Reads an image into buffers.</param>
    internal DetectionDataset(DatasetInfo info, IReadOnlyList<LabelledImage> images, Func<int, ImageFile.Buffers, RawImage> read) =>
        (Info, Images, this.read) = (info, images, read);

    /// <summary>What the images are.</summary>
    public DatasetInfo Info { get; }

    /// <summary>The labels of each image.</summary>
    public IReadOnlyList<LabelledImage> Images { get; }

    /// <summary>Number of images.</summary>
    public int Count => Images.Count;

    /// <summary>Names by class.</summary>
    public IReadOnlyList<string> ClassNames => Info.ClassNames;

    /// <summary>One image as it is stored.</summary>
    /// <exception cref="DataException">The image's file is missing, no image, or damaged.</exception>
    public RawImage Read(int index) => Read(index, new ImageFile.Buffers());

    /// <summary>What to call an image in a message.</summary>
    public string Describe(int index) => Images[index].Name;

    /// <summary>The same images, with classes in another order: that of a model that has learned them.</summary>
    /// <param name="classNames">The classes in their new order; more of them do no harm.</param>
    /// <exception cref="DataException">A class of the data is not among them.</exception>
    public DetectionDataset WithClasses(IReadOnlyList<string> classNames)
    {
        ArgumentNullException.ThrowIfNull(classNames);
        if (ClassNames.SequenceEqual(classNames))
        {
            return this;
        }

        int[] places =
            [.. ClassNames.Select(name => classNames.Index().Where(c => c.Item == name).Select(c => c.Index).FirstOrDefault(-1))];
        if (Images.FirstOrDefault(i => i.Objects.Any(o => places[o.Class] < 0)) is { } image)
        {
            string name = ClassNames[image.Objects.First(o => places[o.Class] < 0).Class];
            throw new DataException(
                $"{image.Name} has an object of class '{name}', "
                + $"which is none of those that the model knows: {string.Join(", ", classNames)}.");
        }

        LabelledImage[] renumbered =
            [.. Images.Select(i => i with { Objects = [.. i.Objects.Select(o => o with { Class = places[o.Class] })] })];
        return new DetectionDataset(Info with { ClassNames = classNames }, renumbered, read);
    }

    /// <summary>The first images, as many as there are of a number.</summary>
    internal DetectionDataset Take(int count) => new(Info, [.. Images.Take(count)], read);

    int IImageSource.Label(int index) => 0;

    RawImage IImageSource.Read(int index, ImageFile.Buffers buffers) => Read(index, buffers);

    private RawImage Read(int index, ImageFile.Buffers buffers)
    {
        RawImage image = read(index, buffers);
        LabelledImage labels = Images[index];
        return (image.StoredWidth, image.StoredHeight) == (labels.Width, labels.Height) ? image : throw new DataException(
            $"{labels.Name} has {image.StoredWidth}x{image.StoredHeight} pixels, but its labels are of an image of {labels.Width}x{labels.Height}; "
            + "use the image that was labelled (not turned, not scaled).");
    }
}

/// <summary>The parts of a data set with boxes.</summary>
/// <param name="Train">Images to learn from.</param>
/// <param name="Validation">Images to choose the best epoch by; null where the data set has none.</param>
/// <param name="Test">Images for the last measurement; null where there are none. There are validation or test images, or both.</param>
/// <param name="Notices">Sentences on what a user should know.</param>
public sealed record DetectionSplits(
    DetectionDataset Train, DetectionDataset? Validation, DetectionDataset? Test, IReadOnlyList<string> Notices)
{
    /// <summary>The images to measure with after each epoch.</summary>
    public DetectionDataset Measured => Validation ?? Test!;
}
