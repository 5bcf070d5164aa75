using System.Text.Json;
using CsCheck;

namespace AdderNet.Data.Tests;

public class AugmentationTests
{
    [Fact]
    public void Values_are_normalised_as_torchvision_does()
    {
        var image = new RawImage(1, 2, 3, new byte[] { 0, 128, 255, 10, 20, 30 });
        Augmentation cifar = Augmentation.For("cifar10", train: false);
        (float[] pixels, int height, int width) = cifar.Apply(image);
        Assert.Equal((1, 2), (height, width));
        float[] expected = [.. image.Pixels.ToArray().Select((value, i) => (value / 255f - cifar.Mean[i % 3]) / cifar.Std[i % 3])];
        Assert.Equal(expected, pixels);
    }

    [Fact]
    public void MNIST_is_padded_with_black_to_32()
    {
        byte[] white = new byte[784];
        white.AsSpan().Fill(255);
        (float[] pixels, int height, int width) = Augmentation.For("mnist", train: true).Apply(new RawImage(28, 28, 1, white));
        Assert.Equal((32, 32), (height, width));
        float black = (0 - 0.1307f) / 0.3081f, lit = (1 - 0.1307f) / 0.3081f;
        for (int y = 0; y < 32; y++)
        {
            for (int x = 0; x < 32; x++)
            {
                bool inside = y is >= 2 and < 30 && x is >= 2 and < 30;
                Assert.Equal(inside ? lit : black, pixels[y * 32 + x]);
            }
        }
    }

    [Fact]
    public void Pad_crop_and_flip_give_each_of_the_162_windows_about_equally_often()
    {
        const int Images = 162 * 60;
        RawImage image = Samples.NoiseImage(32, 32, 9);
        var transform = new ItemTransform(Augmentation.For("cifar10", train: true) with { Mean = [0], Std = [1] }, 3);
        var scratch = new ItemTransform.Scratch();
        var expected = new Dictionary<string, int>();
        foreach (bool flip in new[] { false, true })
        {
            for (int oy = -4; oy <= 4; oy++)
            {
                for (int ox = -4; ox <= 4; ox++)
                {
                    expected.Add(Key(Window(image, oy, ox, 32, flip)), 0);
                }
            }
        }

        float[] output = new float[32 * 32 * 3];
        for (int i = 0; i < Images; i++)
        {
            transform.Run(image, new CounterRandom(5, 0, i), scratch, output);
            string key = Key(output);
            Assert.True(expected.ContainsKey(key), $"image {i} is no window of the padded image");
            expected[key]++;
        }

        // 60 each on average; six standard deviations away would be 46.
        Assert.All(expected.Values, count => Assert.InRange(count, 60 - 46, 60 + 46));
    }

    [Fact]
    public void Any_window_equals_the_plain_formula() =>
        Gen.Select(Gen.Int[1, 12], Gen.Int[1, 12], Gen.Int[0, 5], Gen.Int[1, 16], Gen.Bool, Gen.Bool).Sample((height, width, pad, crop, grey, center) =>
        {
            int channels = grey ? 1 : 3;
            var image = new RawImage(height, width, channels, Samples.Noise(height * width * channels, 3));
            bool fits = crop <= height + 2 * pad && crop <= width + 2 * pad;
            var steps = new Augmentation { Pad = pad, RandomCrop = center ? null : crop, CenterCrop = center ? crop : null };
            var transform = new ItemTransform(steps, channels);
            float[] output = new float[crop * crop * channels];
            if (!center && !fits)
            {
                Assert.Throws<DataException>(() => transform.Run(image, new CounterRandom(1, 2, 3), new(), output));
                return;
            }

            transform.Run(image, new CounterRandom(1, 2, 3), new(), output);
            var offsets =
                from oy in center ? [Center(height + 2 * pad, crop) - pad] : Enumerable.Range(-pad, height + 2 * pad - crop + 1)
                from ox in center ? [Center(width + 2 * pad, crop) - pad] : Enumerable.Range(-pad, width + 2 * pad - crop + 1)
                select (oy, ox);
            Assert.Contains(offsets, o => Window(image, o.oy, o.ox, crop, flip: false).AsSpan().SequenceEqual(output));
        }, iter: 500);

    [Theory]
    [InlineData(500, 375, 341, 256)]
    [InlineData(375, 500, 256, 341)]
    [InlineData(256, 256, 256, 256)]
    public void Resize_scales_the_shorter_side(int width, int height, int newWidth, int newHeight)
    {
        var transform = new ItemTransform(new Augmentation { Resize = 256 }, 3);
        Assert.Equal((newHeight, newWidth), transform.OutputSize(height, width));
    }

    [Fact]
    public void Evaluation_of_ImageNet_takes_the_middle_224_of_the_256()
    {
        RawImage image = Samples.NoiseImage(300, 280, 4), resized = image.Resize(256, 274);
        (float[] pixels, int height, int width) = (Augmentation.For("imagefolder", train: false) with { Mean = [0], Std = [1] }).Apply(image);
        Assert.Equal((224, 224), (height, width));
        Assert.Equal(Window(resized, 16, 25, 224, flip: false), pixels);
    }

    [Fact]
    public void Random_resized_crops_have_torchvisions_areas_and_ratios()
    {
        // Each pixel tells its own place, so that the corners of the result tell which part was taken.
        const int Side = 200;
        byte[] pixels = new byte[Side * Side * 3];
        for (int i = 0; i < Side * Side; i++)
        {
            (pixels[3 * i], pixels[3 * i + 1]) = ((byte)(i / Side), (byte)(i % Side));
        }

        var image = new RawImage(Side, Side, 3, pixels);
        var transform = new ItemTransform(new Augmentation { RandomResizedCrop = new(16) }, 3);
        var scratch = new ItemTransform.Scratch();
        float[] output = new float[16 * 16 * 3];
        var areas = new List<double>();
        for (int i = 0; i < 2000; i++)
        {
            transform.Run(image, new CounterRandom(1, 1, i), scratch, output);
            // Sixteen cells: the outer two centres are fifteen cells apart.
            double h = (output[^3] - output[0]) * 255 * 16 / 15, w = (output[^2] - output[1]) * 255 * 16 / 15;
            areas.Add(h * w / (Side * Side));
            Assert.InRange(w / h, 0.70, 1.43);
        }

        Assert.InRange(areas.Min(), 0.06, 0.15);
        Assert.InRange(areas.Max(), 0.90, 1.05);
        // Uniform over 0.08 .. 1, of which the largest shares sometimes do not fit.
        Assert.InRange(areas.Average(), 0.46, 0.56);
    }

    [Fact]
    public void An_image_too_narrow_for_the_ratio_gives_its_middle()
    {
        var transform = new ItemTransform(new Augmentation { RandomResizedCrop = new(8) { MinScale = 0.9 } }, 3);
        float[] output = new float[8 * 8 * 3];
        RawImage image = Samples.NoiseImage(30, 3000, 1);
        transform.Run(image, new CounterRandom(1, 1, 1), new(), output);
        byte[] expected = new byte[8 * 8 * 3];
        new Resampler().Run(image, 1480, 0, 40, 30, 8, 8, expected);
        Assert.Equal(expected.Select(value => value / 255f), output);
    }

    [Fact]
    public void Evaluation_takes_the_chance_out()
    {
        Augmentation steps = Augmentation.For("imagefolder", train: true).ForEvaluation();
        Assert.Equal((256, 224, false), (steps.Resize, steps.CenterCrop, steps.HorizontalFlip));
        Assert.Equal(32, Augmentation.For("cifar100", train: true).ForEvaluation().CenterCrop);
    }

    [Fact]
    public void It_survives_JSON()
    {
        foreach (DatasetInfo info in Datasets.All)
        {
            Augmentation steps = Augmentation.For(info.Name, train: true);
            string json = JsonSerializer.Serialize(steps, JsonSerializerOptions.Web);
            Augmentation back = JsonSerializer.Deserialize<Augmentation>(json, JsonSerializerOptions.Web)!;
            Assert.Equal(json, JsonSerializer.Serialize(back, JsonSerializerOptions.Web));
            Assert.Equal(steps.RandomResizedCrop, back.RandomResizedCrop);
            Assert.Equal(steps.Mean, back.Mean);
        }
    }

    [Fact]
    public void Settings_that_make_no_sense_are_told()
    {
        Refused.Says(() => Make(new() { Pad = -1 }), "pad is -1", "0 to 4096");
        Refused.Says(() => Make(new() { RandomCrop = 0 }), "randomCrop is 0");
        Refused.Says(() => Make(new() { CenterCrop = 100_000 }), "centerCrop is 100000");
        Refused.Says(() => Make(new() { Resize = 0 }), "resize is 0");
        Refused.Says(() => Make(new() { Mean = [1, 2] }), "mean has 2 values for images of 3 channels");
        Refused.Says(() => Make(new() { Mean = [float.NaN] }), "mean is NaN");
        Refused.Says(() => Make(new() { Std = [0] }), "std is 0", "at least 0.000001");
        Refused.Says(() => Make(new() { Std = null! }), "std has 0 values");
        Refused.Says(() => Make(new() { RandomResizedCrop = new(0) }), "randomResizedCrop.size is 0");
        Refused.Says(() => Make(new() { RandomResizedCrop = new(8) { MinScale = 2 } }), "scale is 2..1");
        Refused.Says(() => Make(new() { RandomResizedCrop = new(8) { MinRatio = 0 } }), "ratio is 0");
        static void Make(Augmentation steps) => _ = new ItemTransform(steps, 3);
    }

    private static int Center(int size, int crop) => size >= crop ? (int)Math.Round((size - crop) / 2.0) : -((crop - size) / 2);

    // The pixels of the image, black outside of it.
    private static float[] Window(RawImage image, int oy, int ox, int size, bool flip)
    {
        float[] window = new float[size * size * image.Channels];
        for (int i = 0; i < window.Length; i++)
        {
            int c = i % image.Channels, x = i / image.Channels % size, y = i / image.Channels / size;
            int fromY = oy + y, fromX = ox + (flip ? size - 1 - x : x);
            bool inside = fromY >= 0 && fromY < image.Height && fromX >= 0 && fromX < image.Width;
            window[i] = inside ? image.Pixels.Span[(fromY * image.Width + fromX) * image.Channels + c] / 255f : 0;
        }

        return window;
    }

    private static string Key(float[] pixels) => string.Join(',', pixels.Select(value => (int)(value * 255)).Where((_, i) => i % 7 == 0));
}
