using System.Collections.Concurrent;

namespace AdderNet.Data;

/// <summary>
/// Prepares the batches of an epoch ahead of their use. What a batch holds depends on the seed, the epoch and the batch's
/// number alone, not on the threads.
/// </summary>
public sealed class DataLoader : IDisposable
{
    private readonly IImageSource dataset;
    private readonly ItemTransform transform;
    private readonly int batchSize, largestBatch, threads, prefetch;
    private readonly bool shuffle;
    private readonly ulong seed;
    private readonly Shard? shard;
    private readonly CancellationTokenSource disposed = new();
    private readonly ConcurrentBag<float[]> pool = [];

    // Tests put a full memory in its place.
    private readonly Func<int, float[]> allocate;

    /// <summary>A loader over <paramref name="dataset"/>; nothing is prepared until <see cref="Epoch"/>.</summary>
    /// <param name="dataset">The labelled images.</param>
    /// <param name="augmentation">How an image becomes a network's input.</param>
    /// <param name="batchSize">Images in a batch; the last may have fewer.</param>
    /// <param name="shuffle">Whether each epoch has its own order; otherwise it is the data set's.</param>
    /// <param name="seed">Where the order and the random crops and flips come from.</param>
    /// <param name="threads">Background threads; 0 prepares each batch when it is asked for, on the asking thread.</param>
    /// <param name="dropLast">Whether to leave out a last batch that is not full.</param>
    /// <param name="prefetch">Batches that may be ready or in preparation ahead of the one in use.</param>
    /// <param name="minLast">Fewest images of a last batch, for each process that takes part; where fewer are left, the batch before takes
    /// them.</param>
    /// <param name="shard">The part of every batch that is prepared here; null for all of it.</param>
    /// <exception cref="ArgumentOutOfRangeException">A number is too small.</exception>
    /// <exception cref="DataException">The augmentation does not fit the images, a batch would exceed 2^31 - 1 floats, or is too small to be
    /// shared out.</exception>
    public DataLoader(
        Dataset dataset, Augmentation augmentation, int batchSize, bool shuffle, ulong seed,
        int threads = 1, bool dropLast = false, int prefetch = 3, int minLast = 1, Shard? shard = null)
        : this(
            dataset, augmentation, batchSize, shuffle, seed, threads, dropLast, prefetch, minLast, shard,
            length => GC.AllocateUninitializedArray<float>(length))
    {
    }

    internal DataLoader(
        IImageSource dataset, Augmentation augmentation, int batchSize, bool shuffle, ulong seed, int threads, bool dropLast, int prefetch, int minLast,
        Shard? shard, Func<int, float[]> allocate)
    {
        ArgumentNullException.ThrowIfNull(dataset);
        ArgumentNullException.ThrowIfNull(augmentation);
        ArgumentOutOfRangeException.ThrowIfLessThan(batchSize, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(threads);
        ArgumentOutOfRangeException.ThrowIfLessThan(prefetch, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(minLast, 1);
        this.dataset = dataset;
        // More than there are images would only waste memory.
        this.batchSize = dropLast ? batchSize : Math.Min(batchSize, dataset.Count);
        this.shuffle = shuffle;
        this.seed = seed;
        this.threads = threads;
        this.prefetch = prefetch;
        this.shard = shard;
        this.allocate = allocate;
        transform = new ItemTransform(augmentation, dataset.Info.Channels);
        (Height, Width) = transform.OutputSize(dataset.Info.Height, dataset.Info.Width);
        if (Height == 0)
        {
            // Image files without a crop: all must have the first one's size.
            RawImage first = dataset.Read(0, new ImageFile.Buffers());
            (Height, Width) = transform.OutputSize(first.Height, first.Width);
        }

        ItemCount = dropLast ? dataset.Count / batchSize * batchSize : dataset.Count;
        BatchCount = (int)((ItemCount + (long)batchSize - 1) / batchSize);
        if (shard is not null && minLast > 1)
        {
            minLast *= shard.Count;
            if (this.batchSize < minLast)
            {
                throw new DataException(
                    $"Batches of {this.batchSize} images can't be shared out over {shard.Count} processes, each of which needs {minLast / shard.Count}; "
                    + "use larger batches or fewer processes.");
            }
        }

        int last = ItemCount - (BatchCount - 1) * this.batchSize;
        bool joins = last < Math.Min(minLast, batchSize) && BatchCount > 1;
        BatchCount -= joins ? 1 : 0;
        last = joins ? this.batchSize + last : last;
        largestBatch = Math.Max(BatchCount > 1 ? Own(this.batchSize) : 0, Own(last));

        if ((long)largestBatch * Height * Width * Channels > Array.MaxLength)
        {
            throw new DataException($"{largestBatch:N0} images of {Height}x{Width}x{Channels} are more than fit in one batch; use a smaller batch size.");
        }

        int Own(int images) => shard?.CountOf(images) ?? images;
    }

    /// <summary>Batches in an epoch.</summary>
    public int BatchCount { get; }

    /// <summary>Images in an epoch.</summary>
    public int ItemCount { get; }

    /// <summary>Whether other processes have a part of every batch.</summary>
    internal bool IsShared => shard is { Count: > 1 };

    /// <summary>Rows of a prepared image.</summary>
    public int Height { get; }

    /// <summary>Columns of a prepared image.</summary>
    public int Width { get; }

    /// <summary>Channels of a prepared image.</summary>
    public int Channels => dataset.Info.Channels;

    /// <summary>The batches of one epoch, in order. Dispose each batch after its use.</summary>
    /// <param name="epoch">The epoch's number: the same one gives the same batches.</param>
    /// <param name="cancellation">Ends the enumeration with an <see cref="OperationCanceledException"/>.</param>
    /// <exception cref="DataException">
    /// An image cannot be read, or there is not enough memory; thrown when its batch is reached, naming the file.
    /// </exception>
    /// <exception cref="ObjectDisposedException">The loader was disposed.</exception>
    public IEnumerable<Batch> Epoch(int epoch, CancellationToken cancellation = default)
    {
        ObjectDisposedException.ThrowIf(disposed.IsCancellationRequested, this);
        return threads == 0 ? Inline(epoch, cancellation) : Background(epoch, cancellation);
    }

    /// <summary>Ends what is still being prepared and forgets the pooled memory.</summary>
    public void Dispose()
    {
        // The source is only cancelled: it holds nothing native, and enumerations that still run ask it.
        disposed.Cancel();
        pool.Clear();
    }

    private IEnumerable<Batch> Inline(int epoch, CancellationToken cancellation)
    {
        int[] order = Order(epoch);
        var scratch = new ItemTransform.Scratch();
        for (int i = 0; i < BatchCount; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            Batch batch = NewBatch(order, i);
            try
            {
                Fill(batch, 0, batch.Count, epoch, scratch);
            }
            catch
            {
                batch.Dispose();
                throw;
            }

            yield return batch;
        }
    }

    private IEnumerable<Batch> Background(int epoch, CancellationToken cancellation)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation, disposed.Token);
        int[] order = Order(epoch);
        var prefetcher = new Prefetcher(
            BatchCount, prefetch, number => NewBatch(order, number), (batch, start, end, scratch) => Fill(batch, start, end, epoch, scratch));
        foreach (Batch batch in prefetcher.Run(threads, stop.Token))
        {
            yield return batch;
        }
    }

    private int[] Order(int epoch) =>
        shuffle ? EpochOrder.Shuffled(dataset.Count, seed, epoch) : EpochOrder.Sequential(dataset.Count);

    private Batch NewBatch(int[] order, int number)
    {
        int start = number * batchSize, all = number == BatchCount - 1 ? ItemCount - start : batchSize;
        int[] indices = shard is null ? order[start..(start + all)] : [.. shard.Of(all).SelectMany(part => order[(start + part.Start)..(start + part.End)])];
        long[] labels = new long[indices.Length];
        for (int i = 0; i < labels.Length; i++)
        {
            labels[i] = dataset.Label(indices[i]);
        }

        float[] images = pool.TryTake(out float[]? pooled) ? pooled : NewImages();
        return new Batch(images, indices, all, labels, Height, Width, Channels, GiveBack);
    }

    private float[] NewImages()
    {
        int length = largestBatch * Height * Width * Channels;
        try
        {
            return allocate(length);
        }
        catch (OutOfMemoryException e)
        {
            throw new DataException($"There is not enough memory for {largestBatch:N0} images of {Height}x{Width}x{Channels} ({4e-6 * length:N0} MB); use a smaller batch size.", e);
        }
    }

    private void GiveBack(float[] images)
    {
        if (!disposed.IsCancellationRequested)
        {
            pool.Add(images);
        }
    }

    private void Fill(Batch batch, int start, int end, int epoch, ItemTransform.Scratch scratch)
    {
        int length = Height * Width * Channels;
        Span<float> images = batch.Images.Span;
        for (int i = start; i < end; i++)
        {
            int index = batch.Indices[i];
            RawImage image = Read(index, scratch);
            if (transform.OutputSize(image.Height, image.Width) is var (height, width) && (height, width) != (Height, Width))
            {
                throw new DataException($"{dataset.Describe(index)} would become {height}x{width} pixels where {dataset.Describe(0)} becomes {Height}x{Width}; set the augmentation's randomResizedCrop, or resize and centerCrop.");
            }

            try
            {
                batch.Placements[i] = transform.Run(image, new CounterRandom(seed, epoch, index), scratch, images.Slice(i * length, length));
            }
            catch (DataException e)
            {
                throw new DataException($"{dataset.Describe(index)}: {e.Message}", e);
            }
        }
    }

    private RawImage Read(int index, ItemTransform.Scratch scratch)
    {
        try
        {
            return dataset.Read(index, scratch.Files);
        }
        catch (OutOfMemoryException e)
        {
            throw new DataException($"There is not enough memory to read {dataset.Describe(index)}; use fewer threads, or a smaller image.", e);
        }
    }
}
