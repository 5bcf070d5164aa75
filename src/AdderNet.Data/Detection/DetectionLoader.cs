namespace AdderNet.Data.Detection;

/// <summary>
/// Prepares the batches of an epoch ahead of their use, boxes included: they move with the pixels. What a batch holds depends on the seed,
/// the epoch and the batch's number alone.
/// </summary>
public sealed class DetectionLoader : IDisposable
{
    /// <summary>The least part of a box that must still be seen in a cut image, as a share of its area; else the object is gone.</summary>
    private const float LeastVisible = 0.25f;

    private readonly DetectionDataset dataset;
    private readonly DataLoader images;

    /// <summary>A loader over images with boxes.</summary>
    /// <param name="dataset">The images.</param>
    /// <param name="augmentation">How an image becomes a network's input.</param>
    /// <param name="batchSize">Images in a batch; the last may have fewer.</param>
    /// <param name="shuffle">Whether each epoch has its own order.</param>
    /// <param name="seed">Where the order and all chance come from.</param>
    /// <param name="threads">Background threads; 0 prepares each batch when it is asked for.</param>
    /// <param name="minLast">Fewest images of a last batch, for each process that takes part; where fewer are left, the batch before takes
    /// them.</param>
    /// <param name="shard">The part of every batch that is prepared here; null for all of it.</param>
    /// <exception cref="DataException">The augmentation does not fit the images.</exception>
    public DetectionLoader(
        DetectionDataset dataset, Augmentation augmentation, int batchSize, bool shuffle, ulong seed, int threads = 1, int minLast = 1,
        Shard? shard = null)
    {
        ArgumentNullException.ThrowIfNull(dataset);
        this.dataset = dataset;
        images = new DataLoader(
            dataset, augmentation, batchSize, shuffle, seed, threads, dropLast: false, prefetch: 3, minLast, shard,
            length => GC.AllocateUninitializedArray<float>(length));
    }

    /// <summary>Batches in an epoch.</summary>
    public int BatchCount => images.BatchCount;

    /// <summary>Images in an epoch.</summary>
    public int ItemCount => images.ItemCount;

    /// <summary>Rows of a prepared image.</summary>
    public int Height => images.Height;

    /// <summary>Columns of a prepared image.</summary>
    public int Width => images.Width;

    /// <summary>Channels of a prepared image.</summary>
    public int Channels => images.Channels;

    /// <summary>Whether other processes have a part of every batch.</summary>
    public bool IsShared => images.IsShared;

    /// <summary>The data set.</summary>
    public DetectionDataset Dataset => dataset;

    /// <summary>The batches of one epoch, in order. Dispose each batch after its use.</summary>
    /// <param name="epoch">The same number gives the same batches.</param>
    /// <param name="cancellation">Ends the enumeration with an <see cref="OperationCanceledException"/>.</param>
    /// <exception cref="DataException">An image can't be read, or is not the one that was labelled.</exception>
    public IEnumerable<DetectionBatch> Epoch(int epoch, CancellationToken cancellation = default) => images.Epoch(epoch, cancellation)
        .Select(batch => new DetectionBatch(batch,
            [.. batch.Indices.Zip(batch.Placements, (i, placement) => Moved(dataset.Images[i], placement))]));

    /// <summary>Ends what is still being prepared.</summary>
    public void Dispose() => images.Dispose();

    private LabelledBox[] Moved(LabelledImage image, Placement placement) =>
    [
        .. from label in image.Objects
           let whole = placement.Apply(label.Box)
           let seen = whole.Clip(Width, Height)
           where seen.Area >= LeastVisible * whole.Area && seen is { Width: >= 1, Height: >= 1 }
           select label with { Box = seen, Area = seen.Area },
    ];
}

/// <summary>Some prepared images with the boxes in them.</summary>
/// <param name="images">The images; disposed with this.</param>
/// <param name="objects">The objects of each, in pixels of the prepared image.</param>
public sealed class DetectionBatch(Batch images, IReadOnlyList<IReadOnlyList<LabelledBox>> objects) : IDisposable
{
    /// <summary>The images.</summary>
    public Batch Images => images;

    /// <summary>Number of images.</summary>
    public int Count => images.Count;

    /// <summary>The objects of each image, in pixels of the prepared image.</summary>
    public IReadOnlyList<IReadOnlyList<LabelledBox>> Objects => objects;

    /// <summary>Where each stored image lies in its prepared one.</summary>
    public IReadOnlyList<Placement> Placements => images.Placements;

    /// <summary>Gives the images' memory back to the loader.</summary>
    public void Dispose() => images.Dispose();
}
