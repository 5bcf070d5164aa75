using System.Diagnostics;
using System.Runtime.InteropServices;
using CsCheck;
using SkiaSharp;

namespace AdderNet.Data.Tests;

public class DataLoaderTests
{
    private static readonly Augmentation Cifar = Augmentation.For("cifar10", train: true);

    [Fact]
    public void Batches_are_the_same_whatever_the_number_of_threads() =>
        Gen.Select(Gen.Int[1, 150], Gen.Int[1, 70], Gen.Bool, Gen.ULong, Gen.Int[1, 4], Gen.Bool).Sample((count, batchSize, shuffle, seed, prefetch, dropLast) =>
        {
            Dataset dataset = Samples.NoiseDataset(count);
            List<(int[], long[], float[])> Run(int threads, int epoch)
            {
                using var loader = new DataLoader(dataset, Cifar, batchSize, shuffle, seed, threads, dropLast, prefetch);
                List<(int[], long[], float[])> batches = Take(loader, epoch);
                Assert.Equal(loader.BatchCount, batches.Count);
                Assert.Equal(loader.ItemCount, batches.Sum(batch => batch.Item1.Length));
                return batches;
            }

            List<(int[], long[], float[])> expected = Run(0, 3);
            foreach (int threads in new[] { 1, 4 })
            {
                Same(expected, Run(threads, 3));
            }
        }, iter: 60);

    [Fact]
    public void Parts_of_a_batch_are_together_the_batch() =>
        Gen.Select(Gen.Int[8, 150], Gen.Int[8, 70], Gen.Int[2, 4], Gen.Int[1, 3], Gen.Bool).Sample((count, batchSize, parts, pieces, learns) =>
        {
            Dataset dataset = Samples.NoiseDataset(count);
            List<(int[], long[], float[])> Run(Shard? shard, int minLast)
            {
                using var loader = new DataLoader(dataset, Cifar, batchSize, learns, 3, threads: 1, minLast: minLast, shard: shard);
                Assert.Equal(count, loader.ItemCount);
                return Take(loader, 2);
            }

            // Who learns needs two images in each part.
            List<(int[] Indices, long[] Labels, float[] Images)> whole = Run(null, learns ? 2 * parts : 1);
            Shard[] shards = [.. Enumerable.Range(0, parts).Select(i => new Shard(i, parts, pieces))];
            Assert.All(shards, shard => Same(
                [.. whole.Select(batch =>
                {
                    int length = batch.Images.Length / batch.Labels.Length;
                    (int Start, int End)[] own = [.. shard.Of(batch.Labels.Length)];
                    return (
                        own.SelectMany(part => batch.Indices[part.Start..part.End]).ToArray(), own.SelectMany(part => batch.Labels[part.Start..part.End]).ToArray(),
                        own.SelectMany(part => batch.Images[(part.Start * length)..(part.End * length)]).ToArray());
                })],
                Run(shard, learns ? 2 : 1)));
            Assert.All(whole, batch =>
            {
                (int Start, int End)[][] own = [.. shards.Select(shard => shard.Of(batch.Labels.Length).ToArray())];
                Assert.All(own, of => Assert.Equal(own[0].Length, of.Length));
                // Piece after piece, and each of all processes.
                Assert.Equal(
                    Enumerable.Range(0, batch.Labels.Length),
                    own[0].SelectMany((_, piece) => own.SelectMany(of => Enumerable.Range(of[piece].Start, of[piece].End - of[piece].Start))));
                Assert.All(own.SelectMany(of => of), part => Assert.True(!learns || part.End - part.Start >= 2));
            });
        }, iter: 40);

    [Fact]
    public void Batches_too_small_to_be_shared_out_are_refused() => Refused.Says(
        () => _ = new DataLoader(Samples.NoiseDataset(100), Cifar, 10, true, 0, minLast: 2, shard: new Shard(0, 6)), "10 images", "6 processes");

    [Fact]
    public void Every_epoch_has_every_image_once_in_another_order()
    {
        using var loader = new DataLoader(Samples.NoiseDataset(500), Cifar, 64, shuffle: true, seed: 1, threads: 2);
        var orders = new List<int[]>();
        for (int epoch = 0; epoch < 3; epoch++)
        {
            List<(int[] Indices, long[] Labels, float[])> batches = Take(loader, epoch);
            int[] order = [.. batches.SelectMany(batch => batch.Indices)];
            Assert.Equal(Enumerable.Range(0, 500), order.Order());
            Assert.Equal(order.Select(i => (long)(i % 10)), batches.SelectMany(batch => batch.Labels));
            Assert.Equal([64, 64, 64, 64, 64, 64, 64, 52], batches.Select(batch => batch.Labels.Length));
            orders.Add(order);
        }

        Assert.NotEqual(orders[0], orders[1]);
        Assert.NotEqual(orders[1], orders[2]);
        Same(Take(loader, 1), Take(loader, 1));
    }

    [Fact]
    public void Another_seed_gives_other_orders_and_other_crops()
    {
        Dataset dataset = Samples.NoiseDataset(40);
        using var one = new DataLoader(dataset, Cifar, 40, shuffle: false, seed: 1);
        using var two = new DataLoader(dataset, Cifar, 40, shuffle: false, seed: 2);
        Assert.Equal(Take(one, 0)[0].Item1, Take(two, 0)[0].Item1);
        Assert.NotEqual(Take(one, 0)[0].Item3, Take(two, 0)[0].Item3);
        Assert.NotEqual(Take(one, 0)[0].Item3, Take(one, 1)[0].Item3);
    }

    [Fact]
    public void Without_chance_the_images_are_the_stored_ones_in_order()
    {
        Dataset dataset = Samples.NoiseDataset(10, 5, 7, 1);
        using var loader = new DataLoader(dataset, new Augmentation(), 4, shuffle: false, seed: 0, threads: 3);
        float[] all = [.. Take(loader, 0).SelectMany(batch => batch.Item3)];
        Assert.Equal(Enumerable.Range(0, 10).SelectMany(i => dataset.Read(i).Pixels.ToArray()).Select(value => value / 255f), all);
    }

    [Fact]
    public void Dropping_the_last_batch_leaves_only_full_ones()
    {
        using var loader = new DataLoader(Samples.NoiseDataset(50), Cifar, 20, shuffle: true, seed: 0, dropLast: true);
        Assert.Equal((2, 40), (loader.BatchCount, loader.ItemCount));
        using var none = new DataLoader(Samples.NoiseDataset(5), Cifar, 20, shuffle: true, seed: 0, dropLast: true);
        Assert.Empty(none.Epoch(0));
    }

    [Fact]
    public void Leaving_early_ends_the_threads()
    {
        using var loader = new DataLoader(Samples.NoiseDataset(300), Cifar, 8, shuffle: true, seed: 0, threads: 4);
        int before = Process.GetCurrentProcess().Threads.Count;
        for (int epoch = 0; epoch < 200; epoch++)
        {
            foreach (Batch batch in loader.Epoch(epoch))
            {
                batch.Dispose();
                break;
            }
        }

        Assert.InRange(Process.GetCurrentProcess().Threads.Count, 0, before + 100);
    }

    [Fact]
    public void No_more_batches_exist_at_once_than_asked_for_and_their_memory_is_used_again()
    {
        using var loader = new DataLoader(Samples.NoiseDataset(400), Cifar, 10, shuffle: true, seed: 0, threads: 2, prefetch: 2);
        var arrays = new HashSet<float[]>();
        for (int epoch = 0; epoch < 5; epoch++)
        {
            foreach (Batch batch in loader.Epoch(epoch))
            {
                Assert.True(MemoryMarshal.TryGetArray(batch.Images, out ArraySegment<float> segment));
                arrays.Add(segment.Array!);
                batch.Dispose();
            }
        }

        Assert.InRange(arrays.Count, 1, 3);
    }

    [Fact]
    public void A_disposed_batch_cannot_be_read()
    {
        using var loader = new DataLoader(Samples.NoiseDataset(4), Cifar, 4, shuffle: false, seed: 0);
        Batch batch = loader.Epoch(0).Single();
        batch.Dispose();
        batch.Dispose();
        Assert.Throws<ObjectDisposedException>(() => batch.Images);
        Assert.Equal([0, 1, 2, 3], batch.Labels);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    public void Cancelling_ends_the_enumeration(int threads)
    {
        using var loader = new DataLoader(Samples.NoiseDataset(100), Cifar, 5, shuffle: true, seed: 0, threads);
        using var cancel = new CancellationTokenSource();
        int seen = 0;
        Assert.ThrowsAny<OperationCanceledException>(() =>
        {
            foreach (Batch batch in loader.Epoch(0, cancel.Token))
            {
                batch.Dispose();
                if (++seen == 3)
                {
                    cancel.Cancel();
                }
            }
        });
        Assert.Equal(3, seen);
    }

    [Fact]
    public void A_disposed_loader_ends_its_enumerations_and_starts_no_others()
    {
        var loader = new DataLoader(Samples.NoiseDataset(100), Cifar, 5, shuffle: true, seed: 0, threads: 2);
        using IEnumerator<Batch> batches = loader.Epoch(0).GetEnumerator();
        Assert.True(batches.MoveNext());
        loader.Dispose();
        loader.Dispose();
        Assert.ThrowsAny<OperationCanceledException>(() => batches.MoveNext());
        Assert.Throws<ObjectDisposedException>(() => loader.Epoch(0));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(4)]
    public void A_bad_image_is_told_with_its_path_when_its_batch_is_reached(int threads)
    {
        using var folder = new TempFolder();
        byte[] png = Samples.ImageFile(8, 8, SKEncodedImageFormat.Png);
        string[] files = [.. Enumerable.Range(0, 30).Select(i => folder.Write($"train/a/{i:00}.png", i is 17 or 19 ? [1, 2, 3] : png))];
        Dataset dataset = Dataset.FromFiles(Datasets.Find("imagefolder") with { ClassNames = ["a"] }, files, new int[30]);

        using var loader = new DataLoader(dataset, new Augmentation(), 5, shuffle: false, seed: 0, threads);
        int seen = 0;
        Refused.Says(() =>
        {
            foreach (Batch batch in loader.Epoch(0))
            {
                batch.Dispose();
                seen++;
            }
        }, folder["train/a/17.png"], "is not an image that is read");
        Assert.Equal(3, seen);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(4)]
    public void Too_little_memory_reaches_whoever_asks_for_the_batch(int threads)
    {
        int allocated = 0;
        float[] Allocate(int length) => Interlocked.Increment(ref allocated) <= 2 ? new float[length] : throw new InsufficientMemoryException();
        using var loader = new DataLoader(Samples.NoiseDataset(100), Cifar, 10, false, 0, threads, false, 3, 1, null, Allocate);
        Refused.Says(() => _ = loader.Epoch(0).ToList(), "not enough memory for 10 images of 32x32x3", "smaller batch size");
        Refused.Says(() => _ = new DataLoader(Samples.NoiseDataset(100), new Augmentation { Pad = 4000 }, 100, false, 0), "100 images", "smaller batch size");
    }

    [Fact]
    public void A_crop_that_does_not_fit_is_told_with_the_image()
    {
        using var loader = new DataLoader(Samples.NoiseDataset(4), new Augmentation { RandomCrop = 40 }, 4, shuffle: false, seed: 0);
        Refused.Says(() => _ = loader.Epoch(0).ToList(), "image 0 of CIFAR-10", "randomCrop 40 is larger");
    }

    [Fact]
    public void Planes_are_the_images_with_each_channel_by_itself()
    {
        using var loader = new DataLoader(Samples.NoiseDataset(5), Cifar, 3, shuffle: false, seed: 1);
        foreach (Batch batch in loader.Epoch(0))
        {
            using (batch)
            {
                float[] planes = batch.ToPlanes(), images = batch.Images.ToArray();
                Assert.Equal(batch.Count * 3 * 32 * 32, planes.Length);
                for (int i = 0; i < batch.Count; i++)
                    for (int c = 0; c < 3; c++)
                        for (int y = 0; y < 32; y++)
                            for (int x = 0; x < 32; x++)
                            {
                                Assert.Equal(images[((i * 32 + y) * 32 + x) * 3 + c], planes[((i * 3 + c) * 32 + y) * 32 + x]);
                            }
            }
        }
    }

    [Fact]
    public void Arguments_out_of_range_are_refused()
    {
        Dataset dataset = Samples.NoiseDataset(4);
        Assert.Throws<ArgumentOutOfRangeException>(() => new DataLoader(dataset, Cifar, 0, false, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => new DataLoader(dataset, Cifar, 1, false, 0, threads: -1));
        Assert.Throws<ArgumentOutOfRangeException>(() => new DataLoader(dataset, Cifar, 1, false, 0, prefetch: 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => dataset.Read(4));
        Assert.Throws<ArgumentException>(() => Dataset.FromMemory(Samples.Cifar10, new byte[3071], [0]));
        Assert.Throws<ArgumentException>(() => Dataset.FromMemory(Samples.Cifar10, new byte[3072], [10]));
        Assert.Throws<ArgumentException>(() => Dataset.FromMemory(Samples.Cifar10 with { Channels = 4 }, new byte[4096], [0]));
        Assert.Throws<ArgumentException>(() => Dataset.FromMemory(Samples.Cifar10 with { Channels = 2 }, new byte[2048], [0]));
        Assert.Throws<ArgumentException>(() => Dataset.FromFiles(Samples.Cifar10, ["a.png"], [0, 1]));
    }

    private static List<(int[], long[], float[])> Take(DataLoader loader, int epoch)
    {
        var batches = new List<(int[], long[], float[])>();
        foreach (Batch batch in loader.Epoch(epoch))
        {
            batches.Add((batch.Indices, batch.Labels, batch.Images.ToArray()));
            batch.Dispose();
        }

        return batches;
    }

    private static void Same(List<(int[], long[], float[])> expected, List<(int[], long[], float[])> actual)
    {
        Assert.Equal(expected.Count, actual.Count);
        for (int i = 0; i < expected.Count; i++)
        {
            Assert.Equal(expected[i].Item1, actual[i].Item1);
            Assert.Equal(expected[i].Item2, actual[i].Item2);
            Assert.True(expected[i].Item3.AsSpan().SequenceEqual(actual[i].Item3));
        }
    }
}
