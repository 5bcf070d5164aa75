using AdderNet.Data.Detection;

namespace AdderNet.Data;

/// <summary>
/// Some prepared images and their labels. Dispose it when its images have been used: the memory then serves the next
/// batch. Labels and indices stay valid.
/// </summary>
public sealed class Batch : IDisposable
{
    private readonly int imagesLength;
    private readonly Action<float[]>? giveBack;
    private float[]? images;

    internal Batch(float[] images, int[] indices, int totalCount, long[] labels, int height, int width, int channels, Action<float[]> giveBack)
    {
        this.images = images;
        this.giveBack = giveBack;
        Placements = new Placement[indices.Length];
        Indices = indices;
        TotalCount = totalCount;
        Labels = labels;
        Height = height;
        Width = width;
        Channels = channels;
        imagesLength = indices.Length * height * width * channels;
    }

    /// <summary>Number of images.</summary>
    public int Count => Labels.Length;

    /// <summary>Images of the whole batch, where several processes share it out; else <see cref="Count"/>.</summary>
    public int TotalCount { get; }

    /// <summary>Rows of an image.</summary>
    public int Height { get; }

    /// <summary>Columns of an image.</summary>
    public int Width { get; }

    /// <summary>Channels of an image.</summary>
    public int Channels { get; }

    /// <summary>The images, channels last: [Count, Height, Width, Channels] normalised floats.</summary>
    /// <exception cref="ObjectDisposedException">The batch was disposed.</exception>
    public Memory<float> Images
    {
        get
        {
            ObjectDisposedException.ThrowIf(images is null, this);
            return images.AsMemory(0, imagesLength);
        }
    }

    /// <summary>A copy of the images as planes, [Count, Channels, Height, Width], as an engine takes them.</summary>
    /// <exception cref="ObjectDisposedException">The batch was disposed.</exception>
    public float[] ToPlanes() => ImagePlanes.Of(Images.Span, Channels, Height * Width);

    /// <summary>The label of each image.</summary>
    public long[] Labels { get; }

    /// <summary>The place of each image in its data set.</summary>
    public int[] Indices { get; }

    /// <summary>Where each stored image lies in its prepared one.</summary>
    internal Placement[] Placements { get; }

    /// <summary>Gives the images' memory back to the loader.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref images, null) is { } array)
        {
            giveBack?.Invoke(array);
        }
    }
}
