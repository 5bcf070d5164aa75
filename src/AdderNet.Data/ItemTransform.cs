using AdderNet.Data.Detection;

namespace AdderNet.Data;

/// <summary>An <see cref="Augmentation"/> checked and made ready for images of so many channels; immutable, so that threads share it.</summary>
internal sealed class ItemTransform
{
    private readonly Augmentation steps;
    private readonly int channels;

    // The normalised value of each byte, 256 a channel: one load replaces two divisions and a subtraction.
    private readonly float[] values;

    /// <exception cref="DataException">A setting makes no sense.</exception>
    public ItemTransform(Augmentation steps, int channels)
    {
        this.steps = steps;
        this.channels = channels;
        Check(steps.Pad is >= 0 and <= 4096, "pad", steps.Pad, "0 to 4096");
        Check(steps.Resize is null or (>= 1 and <= 4096), "resize", steps.Resize, "1 to 4096");
        Check(steps.RandomCrop is null or (>= 1 and <= 4096), "randomCrop", steps.RandomCrop, "1 to 4096");
        Check(steps.CenterCrop is null or (>= 1 and <= 4096), "centerCrop", steps.CenterCrop, "1 to 4096");
        if (steps.RandomResizedCrop is { } random)
        {
            Check(random.Size is >= 1 and <= 4096, "randomResizedCrop.size", random.Size, "1 to 4096");
            Check(random.MinScale > 0 && random.MinScale <= random.MaxScale && random.MaxScale <= 1,
                "randomResizedCrop's scale", $"{random.MinScale}..{random.MaxScale}", "a range within (0, 1]");
            Check(random.MinRatio > 0 && random.MinRatio <= random.MaxRatio && double.IsFinite(random.MaxRatio),
                "randomResizedCrop's ratio", $"{random.MinRatio}..{random.MaxRatio}", "a range above 0");
        }

        if (steps.ScaleJitter is { } jitter)
        {
            Check(jitter.Size is >= 1 and <= 4096, "scaleJitter.size", jitter.Size, "1 to 4096");
            Check(jitter.MinScale > 0 && jitter.MinScale <= jitter.MaxScale && jitter.MaxScale <= 16,
                "scaleJitter's scale", $"{jitter.MinScale}..{jitter.MaxScale}", "a range within (0, 16]");
            Check(steps is { RandomResizedCrop: null, Resize: null, RandomCrop: null, CenterCrop: null, Pad: 0 },
                "scaleJitter", "one of several steps that make the size", "the only one: leave out the crops, resize and pad");
        }

        values = new float[channels * 256];
        for (int i = 0; i < values.Length; i++)
        {
            float mean = PerChannel(steps.Mean, "mean", i / 256), std = PerChannel(steps.Std, "std", i / 256);
            Check(float.IsFinite(mean), "mean", mean, "a number");
            Check(float.IsFinite(std) && std >= 1e-6f, "std", std, "a number of at least 0.000001");
            values[i] = (i % 256 / 255f - mean) / std;
        }
    }

    /// <summary>Rows and columns of the result, given those of the stored image; (0, 0) in gives (0, 0) where the result depends on the image.</summary>
    public (int Height, int Width) OutputSize(int height, int width)
    {
        int? crop = steps.ScaleJitter?.Size ?? steps.CenterCrop ?? steps.RandomCrop;
        if (crop is { } side)
        {
            return (side, side);
        }

        if (steps.RandomResizedCrop is { } random)
        {
            (height, width) = (random.Size, random.Size);
        }

        if (height == 0)
        {
            return (0, 0);
        }

        (height, width) = Resized(height, width);
        return (height + 2 * steps.Pad, width + 2 * steps.Pad);
    }

    /// <summary>Prepares one image.</summary>
    /// <param name="image">The stored image, with this transform's channels.</param>
    /// <param name="random">The image's own random numbers.</param>
    /// <param name="scratch">Buffers of the calling thread.</param>
    /// <param name="output">[H, W, C] floats, of the size that <see cref="OutputSize"/> tells.</param>
    /// <returns>Where the stored image lies in the result.</returns>
    public Placement Run(RawImage image, CounterRandom random, Scratch scratch, Span<float> output)
    {
        (int outH, int outW) = OutputSize(image.Height, image.Width);
        Placement placement = image.Placement;
        if (steps.ScaleJitter is { } jitter)
        {
            (int scaledH, int scaledW) = Jittered(image, jitter, ref random);
            placement = placement.Scale((double)scaledW / image.Width, (double)scaledH / image.Height);
            image = scratch.Resample(image, 0, 0, image.Height, image.Width, scaledH, scaledW);
        }

        if (steps.RandomResizedCrop is { } part)
        {
            (int top, int left, int cropH, int cropW) = Part(image, part, ref random);
            image = scratch.Resample(image, top, left, cropH, cropW, part.Size, part.Size);
            placement = placement.Cut(left, top).Scale((double)part.Size / cropW, (double)part.Size / cropH);
        }

        (int height, int width) = Resized(image.Height, image.Width);
        if ((height, width) != (image.Height, image.Width))
        {
            placement = placement.Scale((double)width / image.Width, (double)height / image.Height);
            image = scratch.Resample(image, 0, 0, image.Height, image.Width, height, width);
        }

        // From here on it is a window on the image, which may reach beyond it: what lies outside is black.
        int y0 = -steps.Pad, x0 = -steps.Pad, paddedH = image.Height + 2 * steps.Pad, paddedW = image.Width + 2 * steps.Pad;
        if (steps.ScaleJitter is { IsRandom: var moved, Size: var square })
        {
            y0 = moved ? Place(image.Height, square, ref random) : Middle(image.Height, square);
            x0 = moved ? Place(image.Width, square, ref random) : Middle(image.Width, square);
        }

        if (steps.RandomCrop is { } side)
        {
            if (side > paddedH || side > paddedW)
            {
                throw new DataException($"randomCrop {side} is larger than the padded image of {paddedH}x{paddedW}; use a smaller crop, or a larger pad or resize.");
            }

            y0 += random.Next(paddedH - side + 1);
            x0 += random.Next(paddedW - side + 1);
            (paddedH, paddedW) = (side, side);
        }

        if (steps.CenterCrop is { } middle)
        {
            y0 += Middle(paddedH, middle);
            x0 += Middle(paddedW, middle);
        }

        bool flip = steps.HorizontalFlip && (random.Next() & 1) != 0;
        Window(image, y0, x0, outH, outW, flip, output);
        placement = placement.Cut(x0, y0);
        return flip ? placement.Mirror(outW) : placement;
    }

    private void Window(RawImage image, int y0, int x0, int outH, int outW, bool flip, Span<float> output)
    {
        ReadOnlySpan<byte> pixels = image.Pixels.Span;
        // Columns [first, last) of the window lie on the image.
        int first = Math.Clamp(-x0, 0, outW), last = Math.Clamp(image.Width - x0, first, outW);
        for (int y = 0; y < outH; y++)
        {
            Span<float> row = output.Slice(y * outW * channels, outW * channels);
            if ((uint)(y0 + y) >= (uint)image.Height || first == last)
            {
                Black(row);
                continue;
            }

            ReadOnlySpan<byte> from = pixels.Slice(((y0 + y) * image.Width + x0 + first) * channels, (last - first) * channels);
            int left = flip ? outW - last : first, right = left + last - first;
            Black(row[..(left * channels)]);
            Black(row[(right * channels)..]);
            row = row[(left * channels)..(right * channels)];
            if (channels == 1)
            {
                Copy1(from, row, flip);
            }
            else
            {
                Copy3(from, row, flip);
            }
        }
    }

    private void Black(Span<float> row)
    {
        for (int i = 0; i < row.Length; i++)
        {
            row[i] = values[i % channels * 256];
        }
    }

    private void Copy1(ReadOnlySpan<byte> from, Span<float> to, bool flip)
    {
        ReadOnlySpan<float> grey = values.AsSpan(0, 256);
        for (int i = 0; i < to.Length && i < from.Length; i++)
        {
            to[i] = grey[from[i]];
        }

        if (flip)
        {
            to.Reverse();
        }
    }

    private void Copy3(ReadOnlySpan<byte> from, Span<float> to, bool flip)
    {
        ReadOnlySpan<float> r = values.AsSpan(0, 256), g = values.AsSpan(256, 256), b = values.AsSpan(512, 256);
        int step = flip ? -3 : 3;
        for (int i = 0, o = flip ? to.Length - 3 : 0; i <= from.Length - 3; i += 3, o += step)
        {
            Span<float> pixel = to.Slice(o, 3);
            pixel[0] = r[from[i]];
            pixel[1] = g[from[i + 1]];
            pixel[2] = b[from[i + 2]];
        }
    }

    // Rows before the middle crop: torchvision rounds half to even when the image is larger, and pads (size - n) / 2
    // before it when the image is smaller.
    private static int Middle(int size, int crop) =>
        size >= crop ? (int)Math.Round((size - crop) / 2.0) : -((crop - size) / 2);

    // The row or column at which a window of a size begins: within a larger image, or before a smaller one that lies within the window.
    private static int Place(int size, int window, ref CounterRandom random) =>
        size >= window ? random.Next(size - window + 1) : -random.Next(window - size + 1);

    private static (int Height, int Width) Jittered(RawImage image, ScaleJitter jitter, ref CounterRandom random)
    {
        double factor = (double)jitter.Size / Math.Max(image.Height, image.Width);
        if (jitter.IsRandom)
        {
            factor *= random.Uniform(jitter.MinScale, jitter.MaxScale);
        }

        return (Math.Max(1, (int)Math.Round(image.Height * factor)), Math.Max(1, (int)Math.Round(image.Width * factor)));
    }

    private (int Height, int Width) Resized(int height, int width)
    {
        if (steps.Resize is not { } shorter)
        {
            return (height, width);
        }

        long Longer(long side, long other)
        {
            long length = side * shorter / other;
            return length <= 65_536 ? length : throw new DataException(
                $"An image of {height}x{width} would become {length} pixels long when its shorter side is scaled to {shorter}; crop it first.");
        }

        return height <= width ? (shorter, (int)Longer(width, height)) : ((int)Longer(height, width), shorter);
    }

    private static (int Top, int Left, int Height, int Width) Part(RawImage image, RandomResizedCrop settings, ref CounterRandom random)
    {
        double area = (double)image.Height * image.Width;
        double low = Math.Log(settings.MinRatio), high = Math.Log(settings.MaxRatio);
        for (int attempt = 0; attempt < 10; attempt++)
        {
            double target = area * random.Uniform(settings.MinScale, settings.MaxScale);
            double ratio = Math.Exp(random.Uniform(low, high));
            double w = Math.Round(Math.Sqrt(target * ratio)), h = Math.Round(Math.Sqrt(target / ratio));
            if (w >= 1 && w <= image.Width && h >= 1 && h <= image.Height)
            {
                int top = random.Next(image.Height - (int)h + 1), left = random.Next(image.Width - (int)w + 1);
                return (top, left, (int)h, (int)w);
            }
        }

        // An image too narrow for the ratios: the largest part of the nearest ratio, from the middle.
        double shape = (double)image.Width / image.Height;
        int width = image.Width, height = image.Height;
        if (shape < settings.MinRatio)
        {
            height = Math.Clamp((int)Math.Round(width / settings.MinRatio), 1, image.Height);
        }
        else if (shape > settings.MaxRatio)
        {
            width = Math.Clamp((int)Math.Round(height * settings.MaxRatio), 1, image.Width);
        }

        return ((image.Height - height) / 2, (image.Width - width) / 2, height, width);
    }

    private float PerChannel(IReadOnlyList<float> list, string name, int channel) =>
        list is null || (list.Count != channels && list.Count != 1)
            ? throw new DataException($"{name} has {list?.Count ?? 0} values for images of {channels} channels; give {channels}, or one for all.")
            : list[list.Count == 1 ? 0 : channel];

    private static void Check(bool valid, string name, object? value, string range)
    {
        if (!valid)
        {
            throw new DataException(FormattableString.Invariant($"The augmentation's {name} is {value}; it must be {range}."));
        }
    }

    /// <summary>What one thread needs to prepare images; its buffers grow to the largest image and stay.</summary>
    internal sealed class Scratch
    {
        private readonly Resampler resampler = new();
        private byte[] resized = [];

        /// <summary>Buffers for reading and decoding image files.</summary>
        public ImageFile.Buffers Files { get; } = new();

        public RawImage Resample(RawImage image, int top, int left, int cropH, int cropW, int outH, int outW)
        {
            int length = checked(outH * outW * image.Channels);
            // A second resize in a row reads what the first one wrote.
            bool aliased = image.Pixels.Span.Overlaps(resized);
            byte[] to = resized.Length >= length && !aliased ? resized : new byte[length];
            resampler.Run(image, top, left, cropH, cropW, outH, outW, to.AsSpan(0, length));
            resized = to;
            return new RawImage(outH, outW, image.Channels, to.AsMemory(0, length));
        }
    }
}
