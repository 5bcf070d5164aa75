namespace AdderNet.Data;

/// <summary>
/// Labelled images: in memory where all have one size (MNIST, CIFAR), or image files that are decoded when asked for.
/// Reading is safe from several threads.
/// </summary>
public sealed class Dataset : IImageSource
{
    private readonly ReadOnlyMemory<byte> pixels;
    private readonly IReadOnlyList<string>? files;
    private readonly int[] labels;

    private Dataset(DatasetInfo info, ReadOnlyMemory<byte> pixels, IReadOnlyList<string>? files, int[] labels)
    {
        Info = info;
        this.pixels = pixels;
        this.files = files;
        this.labels = labels;
    }

    /// <summary>What the images are.</summary>
    public DatasetInfo Info { get; }

    /// <summary>Number of images.</summary>
    public int Count => labels.Length;

    /// <summary>Names by label.</summary>
    public IReadOnlyList<string> ClassNames => Info.ClassNames;

    /// <summary>The label of each image, 0 to the number of classes - 1.</summary>
    public ReadOnlySpan<int> Labels => labels;

    /// <summary>A data set from images in memory.</summary>
    /// <param name="info">Gives the images' size, channels and classes.</param>
    /// <param name="pixels">[N, H, W, C] bytes; not copied.</param>
    /// <param name="labels">[N] labels; not copied.</param>
    /// <exception cref="ArgumentException">The pixels are not so many as the labels and sizes ask for, there are none, they have neither 1 nor 3 channels, or a label is out of
    /// range.</exception>
    public static Dataset FromMemory(DatasetInfo info, ReadOnlyMemory<byte> pixels, int[] labels)
    {
        ArgumentNullException.ThrowIfNull(info);
        ArgumentNullException.ThrowIfNull(labels);
        if (info.Channels is not (1 or 3))
        {
            throw new ArgumentException($"Images have 1 channel (grey) or 3 (RGB), not {info.Channels}; leave out transparency.", nameof(info));
        }

        long length = (long)labels.Length * info.Height * info.Width * info.Channels;
        if (length != pixels.Length || length == 0)
        {
            throw new ArgumentException($"{labels.Length} images of {info.Height}x{info.Width}x{info.Channels} take {length} bytes, not {pixels.Length}.", nameof(pixels));
        }

        CheckLabels(info, labels);
        return new Dataset(info, pixels, null, labels);
    }

    /// <summary>A data set from image files, decoded as RGB when they are read.</summary>
    /// <param name="info">Gives the classes; sizes are 0.</param>
    /// <param name="files">Paths of JPEG or PNG files.</param>
    /// <param name="labels">The label of each; not copied.</param>
    /// <exception cref="ArgumentException">There are not as many files as labels, there are none, or a label is out of range.</exception>
    public static Dataset FromFiles(DatasetInfo info, IReadOnlyList<string> files, int[] labels)
    {
        ArgumentNullException.ThrowIfNull(info);
        ArgumentNullException.ThrowIfNull(files);
        ArgumentNullException.ThrowIfNull(labels);
        if (files.Count != labels.Length || files.Count == 0)
        {
            throw new ArgumentException($"There are {files.Count} files, but {labels.Length} labels.", nameof(labels));
        }

        CheckLabels(info, labels);
        return new Dataset(info with { Channels = 3, Height = 0, Width = 0 }, default, files, labels);
    }

    /// <summary>One image as it is stored.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such image.</exception>
    /// <exception cref="DataException">The image's file is missing, no image, or damaged.</exception>
    public RawImage Read(int index) => Read(index, new ImageFile.Buffers());

    /// <summary>What to call an image in a message: its path, or its number.</summary>
    public string Describe(int index) => files is null ? $"image {index} of {Info.Title}" : files[index];

    int IImageSource.Label(int index) => labels[index];

    RawImage IImageSource.Read(int index, ImageFile.Buffers buffers) => Read(index, buffers);

    /// <summary>One image, whose pixels live in <paramref name="buffers"/> until the next call with these.</summary>
    internal RawImage Read(int index, ImageFile.Buffers buffers)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, Count);
        if (files is not null)
        {
            return ImageFile.Read(files[index], buffers);
        }

        int length = Info.Height * Info.Width * Info.Channels;
        return new RawImage(Info.Height, Info.Width, Info.Channels, pixels.Slice(index * length, length));
    }

    private static void CheckLabels(DatasetInfo info, int[] labels)
    {
        foreach (int label in labels)
        {
            if ((uint)label >= (uint)info.Classes)
            {
                throw new ArgumentException($"There is a label {label}, but {info.Title} has {info.Classes} classes.", nameof(labels));
            }
        }
    }
}
