using AdderNet.Data.Detection;

namespace AdderNet.Data.Tests.Detection;

/// <summary>Boxes move with what is drawn in them.</summary>
public class BoxAugmentationTests
{
    public static TheoryData<string, Augmentation> Steps => new()
    {
        { "flip", new() { HorizontalFlip = true } },
        { "scale", new() { Resize = 75 } },
        { "pad and crop", new() { Pad = 9, RandomCrop = 61, HorizontalFlip = true } },
        { "middle", new() { CenterCrop = 51 } },
        { "part", new() { RandomResizedCrop = new(64) { MinScale = 0.3 }, HorizontalFlip = true } },
        { "jitter", new() { ScaleJitter = new(64) { MinScale = 0.5, MaxScale = 1.9 }, HorizontalFlip = true } },
        { "fit", new() { ScaleJitter = new(96) } },
    };

    /// <summary>Rectangles are drawn where the labels say, and found again in the prepared image by their colours.</summary>
    [Theory]
    [MemberData(nameof(Steps))]
    public void Boxes_are_where_their_rectangles_are_drawn(string name, Augmentation steps)
    {
        DetectionDataset drawn = Rectangles(60, 70, 90);
        using DetectionLoader loader = new(drawn, steps, 7, shuffle: true, seed: 3, threads: name == "flip" ? 2 : 0);
        int boxes = 0, places = 0;
        foreach (DetectionBatch batch in loader.Epoch(4))
        {
            using (batch)
            {
                for (int i = 0; i < batch.Count; i++)
                {
                    int length = loader.Height * loader.Width * 3;
                    float[] pixels = batch.Images.Images.Slice(i * length, length).ToArray();
                    foreach (LabelledBox o in batch.Objects[i])
                    {
                        Box found = Find(pixels, loader.Height, loader.Width, o.Class);
                        // Scaling blurs an edge over a pixel or so.
                        float[] off = [found.X0 - o.Box.X0, found.Y0 - o.Box.Y0, found.X1 - o.Box.X1, found.Y1 - o.Box.Y1];
                        Assert.True(off.All(d => Math.Abs(d) <= 1.6f), $"{found} is not {o.Box}");
                        Assert.Equal(o.Box.Area, o.Area);
                        boxes++;
                    }

                    LabelledImage stored = drawn.Images[batch.Images.Indices[i]];
                    places += stored.Objects.Count;
                    Box there = batch.Placements[i].Apply(stored.Objects[0].Box), back = batch.Placements[i].Invert(there);
                    Assert.Equal(stored.Objects[0].Box.X0, back.X0, 1e-3f);
                    Assert.Equal(stored.Objects[0].Box.Y1, back.Y1, 1e-3f);
                }
            }
        }

        Assert.InRange(boxes, places / 4, places);
    }

    [Fact]
    public void An_object_that_is_cut_off_is_none()
    {
        LabelledImage image = new("cut", 100, 100, [new(0, new(0, 0, 40, 40)), new(1, new(20, 20, 60, 60)), new(2, new(10, 40, 30, 60))]);
        DetectionDataset data = new(Info(3), [image], (_, _) => new RawImage(100, 100, 3, new byte[30_000]));
        using DetectionLoader loader = new(data, new Augmentation { CenterCrop = 50 }, 1, shuffle: false, seed: 0);
        using DetectionBatch batch = loader.Epoch(0).Single();
        // Of the first 15 x 15 of 40 x 40 pixels are left, of the third 5 x 20 of 20 x 20: exactly a quarter stays.
        Assert.Equal([(1, new Box(0, 0, 35, 35)), (2, new Box(0, 15, 5, 35))], batch.Objects[0].Select(o => (o.Class, o.Box)));
    }

    [Fact]
    public void An_image_of_another_size_than_its_labels_is_refused()
    {
        DetectionDataset data = new(Info(1), [new("wrong.jpg", 10, 20, [])], (_, _) => new RawImage(10, 20, 3, new byte[600]));
        Refused.Says(() => data.Read(0), "wrong.jpg has 20x10 pixels", "10x20");
        using DetectionLoader loader = new(data, new Augmentation { ScaleJitter = new(8) }, 1, shuffle: false, seed: 0);
        Refused.Says(() => loader.Epoch(0).First().Dispose(), "wrong.jpg");
    }

    [Fact]
    public void Scale_jitter_stands_alone() => Refused.Says(
        () => _ = new DetectionLoader(Rectangles(1, 70, 90), new Augmentation { ScaleJitter = new(64), Pad = 4 }, 1, false, 0),
        "scaleJitter", "leave out");

    [Fact]
    public void Classes_are_renumbered_by_name()
    {
        DetectionDataset data = Rectangles(3, 70, 90), renumbered = data.WithClasses(["green", "x", "blue", "red"]);
        Assert.Equal(Names(data), Names(renumbered));
        Refused.Says(() => data.WithClasses(["green", "blue"]), "class 'red'", "green, blue");

        static IEnumerable<string> Names(DetectionDataset set) =>
            set.Images.SelectMany(i => i.Objects).Select(o => set.ClassNames[o.Class]);
    }

    /// <summary>Images with a red, a green and a blue rectangle that do not touch.</summary>
    private static DetectionDataset Rectangles(int count, int height, int width)
    {
        Random random = new(2);
        LabelledImage[] images = [.. Enumerable.Range(0, count).Select(i =>
            new LabelledImage($"image {i}", width, height, [.. Enumerable.Range(0, 3).Select(Drawn)]))];
        return new DetectionDataset(Info(3), images, (i, _) =>
        {
            byte[] pixels = new byte[height * width * 3];
            foreach (LabelledBox o in images[i].Objects)
            {
                for (int y = (int)o.Box.Y0; y < o.Box.Y1; y++)
                {
                    for (int x = (int)o.Box.X0; x < o.Box.X1; x++)
                    {
                        pixels[(y * width + x) * 3 + o.Class] = 255;
                    }
                }
            }

            return new RawImage(height, width, 3, pixels);
        });

        LabelledBox Drawn(int color)
        {
            int x = color * width / 3 + random.Next(6), y = random.Next(height / 2);
            int w = 12 + random.Next(width / 3 - 18), h = 12 + random.Next(height / 2 - 12);
            return new LabelledBox(color, new Box(x, y, x + w, y + h));
        }
    }

    private static DatasetInfo Info(int classes) =>
        new("drawn", "Drawn", 3, 0, 0, [.. new[] { "red", "green", "blue" }.Take(classes)], 0, 0, false, "") { HasBoxes = true };

    /// <summary>The edges of what is at least half a channel's colour.</summary>
    private static Box Find(float[] pixels, int height, int width, int channel)
    {
        (int x0, int y0, int x1, int y1) = (width, height, 0, 0);
        for (int y = 0; y < height; y++)
        {
            for (int x = 0; x < width; x++)
            {
                if (pixels[(y * width + x) * 3 + channel] >= 0.5f)
                {
                    (x0, y0, x1, y1) = (Math.Min(x0, x), Math.Min(y0, y), Math.Max(x1, x + 1), Math.Max(y1, y + 1));
                }
            }
        }

        return new Box(x0, y0, x1, y1);
    }
}
